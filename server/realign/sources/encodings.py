"""Bytes of a text file -> its text, whichever of the usual encodings it is in."""

from __future__ import annotations

import codecs
from pathlib import Path

from realign.errors import DamagedSource

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decoded(path: Path) -> tuple[str, list[str]]:
    """(text, notes) of a file."""
    return decoded_bytes(path.read_bytes(), path.name)


def decoded_bytes(data: bytes, name: str) -> tuple[str, list[str]]:
    """(text, notes): by byte order mark, else UTF-8, else Windows-1252. Raises DamagedSource for binary data."""
    encoding = next((encoding for mark, encoding in MARKS if data.startswith(mark)), "utf-8")
    if encoding != "utf-16" and data[:65536].count(0) > len(data[:65536]) / 100:
        raise DamagedSource(f"{name} holds binary data", "a text file", "convert it to plain text first")
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            raise DamagedSource(
                f"{name} is cut off in UTF-16: {error.reason}", "whole characters", "save it again"
            ) from None
    text = data.decode("cp1252", "replace")
    if text.count("\ufffd") > len(text) / 100:
        raise DamagedSource(f"{name} is neither UTF-8 nor Windows-1252", "a text file", "save it as UTF-8")
    return text, ["It is not UTF-8: read as Windows-1252."]
