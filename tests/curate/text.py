"""A small document in plain English, cut into one passage a paragraph, for tests of the embedded author and judges."""

from realign.records import Block, Document, Page, Passage, make_id

PARAGRAPHS = (
    "A spring tide is a tide that has the largest range of the month. A neap tide is a tide that has the smallest range"
    " of the month. Spring tides and neap tides alternate during each month.",
    "The flood current carries water into the estuary for six hours. The ebb current carries water out of the estuary"
    " for seven hours. The flood and the ebb are separated by slack water.",
    "A tide gauge is used to record the highest level of the sea. The harbor master reads the tide gauge before each"
    " ship leaves. To predict a tide, the harbor master adds the heights of 37 harmonic constituents.",
    "Spring tides are strong because the Sun and the Moon raise the high waters higher. If the wind blows from the sea,"
    " the water in the harbor rises. The lock has four gates.",
)


def make_document(paragraphs: tuple[str, ...] = PARAGRAPHS, language: str = "en") -> tuple[Document, list[Passage]]:
    """The document and its passages."""
    text, passages, blocks, identity = "", [], [], make_id("document", *paragraphs)
    for paragraph in paragraphs:
        start, end = len(text), len(text) + len(paragraph)
        passages.append(Passage(make_id(identity, start), identity, ("Tides",), start, end, 1, paragraph))
        blocks.append(Block("paragraph", 0, start, end))
        text += paragraph + "\n\n"
    page = Page(1, "1", 0, len(text), "read")
    sha256 = make_id(text) * 4
    document = Document(
        identity, "", "tides.md", sha256, "text/markdown", "Tides", language, text, (page,), blocks=tuple(blocks)
    )
    return document, passages
