"""Anti-patterns in a request's own words: heard when asked for, and not in sentences that only look like it."""

from __future__ import annotations

import pytest

from realign.hardware.hearing import batch_heard, hear
from realign.hardware.refusals import CORES, FASTER, HALF, RDMA

ASKED = [
    ("split the work 50/50 between both Macs", HALF),
    ("Split it half and half over the M4 Max and the M3 Ultra.", HALF),
    ("Share the rows evenly", HALF),
    ("divide the examples equally across the two machines", HALF),
    ("Curate DPO pairs from book.pdf. Please split the batches evenly.", HALF),
    ("give both machines equal shares", HALF),
    ("put half of the rows on each Mac", HALF),
    ("a fifty-fifty split over both computers would be fair", HALF),
    ("Use both machines evenly", HALF),
    ("Can you do half on each Mac?", HALF),
    ("The two Macs should each do half", HALF),
    ("split it by GPU cores", CORES),
    ("Let the M3 Ultra take twice as much because it has twice as many GPU cores", CORES),
    ("Assign rows proportionally to core counts", CORES),
    ("share the work in proportion to their number of cores", CORES),
    ("balance the batches according to GPU cores", CORES),
    ("distribute the rows between the Macs based on core count, I mean per GPU cores", CORES),
    ("the M3 Ultra is faster, it has more cores", FASTER),
    ("M3 Ultra will be much faster than the M4 Max", FASTER),
    ("Isn't the Ultra faster?", FASTER),
    ("Run it on the M3 Ultra since it has twice the cores", FASTER),
    ("it has more GPU cores, so use the M3 Ultra", FASTER),
    ("use RDMA over Thunderbolt", RDMA),
    ("run the judges over jaccl", RDMA),
    ("why not use RDMA?", RDMA),
    ("shard the model across both Macs", RDMA),
    ("I want the model sharded over the two machines", RDMA),
    ("run both Macs with RDMA", RDMA),
]


@pytest.mark.parametrize(("words", "name"), ASKED)
def test_an_anti_pattern_that_is_asked_for_is_heard(words: str, name: str) -> None:
    assert hear(words) == {name}


ORDINARY = [
    "Curate DPO preference pairs from /data/books/ml_textbook.pdf for Qwen 7B.",
    "Split the dataset 50/50 into train and test",
    "Split the rows evenly between train, valid and test, on both Macs",
    "Split the examples evenly across the three chapters",
    "half of the book is about tides",
    "About half-and-half cream and other dairy products",
    "The judges should weigh accuracy and safety equally",
    "Women share the work evenly in this society, says chapter 3",
    "Never split it half and half, use the measured shares for the Macs",
    "don't split the work 50/50 between the machines",
    "use throughput shares instead of a 50/50 split over the Macs",
    "Curate pairs from rdma.pdf",
    "Curate pairs from '/books/Use RDMA.pdf' on the M4 Max",
    "pairs about RDMA and InfiniBand networking",
    "Use the RDMA textbook and the MPI notes as sources",
    "What does RDMA mean?",
    "no RDMA please, separate batches",
    "without using RDMA on the Macs",
    "read the sharded dataset files from both machines",
    "glass shards in the sand between the machines of the quarry",
    "Explain database sharding across machines",
    "Split this chapter about how to program CPU cores into passages",
    "ice cores and how their layers are shared between laboratories",
    "The M4 Max has 40 GPU cores and the M3 Ultra 80",
    "M3 Ultra has more cores but is slower, so take the M4 Max",
    "the M3 Ultra has more memory, use it for the 200B model",
    "the M3 Ultra is not faster",
    "the M3 Ultra is faster than my old laptop",
    "Which is better for a 7B model, M4 Max or M3 Ultra?",
    "an ultra marathon runner is faster",
    "Divide the chapters equally among topics, then run on the M4 Max",
    "Balance the classes equally, the Mac can take all night",
    "Generate equal numbers of easy and hard prompts on my Mac",
    "The book compares machines evenly matched in chess",
    "Curate from a paper on using RDMA for storage",
    "1,500 pairs with a 50 % share of easy prompts",
    "Use the M4 Max and the M3 Ultra with separate batches",
    "plan 10,000 examples for Llama 70B at 4 bit",
    "",
]


@pytest.mark.parametrize("words", ORDINARY)
def test_an_ordinary_sentence_asks_for_nothing_that_must_be_refused(words: str) -> None:
    assert hear(words) == frozenset()


BATCHES = [
    ("use batch size 32 on the M3 Ultra", 32),
    ("raise the batch to 16 for the Ultra", 16),
    ("run the M3 Ultra at batch size 8", 8),
    ("M3 Ultra with a batch size of 64", 64),
    ("on the M3 Ultra use batch_size=32", 32),
    ("batch 16 on M3 Ultra please", 16),
    ("batch size 32 on the M4 Max and 4 on the M3 Ultra", None),
    ("M3 Ultra at 4, M4 Max at batch size 32", None),
    ("the M3 Ultra beside the M4 Max at batch size 32", None),
    ("never use batch size 32 on the M3 Ultra", None),
    ("batch size 32", None),
    ("a batch of 32 cookies", None),
]


@pytest.mark.parametrize(("words", "size"), BATCHES)
def test_a_batch_size_is_heard_where_it_is_asked_of_m3_ultra(words: str, size: int | None) -> None:
    assert batch_heard(words) == size
