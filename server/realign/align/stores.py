"""Where checkpoints lie: a folder of this disk, or any address that fsspec knows (s3://, gs://, sftp://, memory://).

    store = open_store("runs/dpo/checkpoints")        store = open_store("s3://bucket/dpo")
    store.write("step-7.safetensors", lambda file: file.write(b"..."))

A name appears when all of its bytes are there, or not at all: they go beside it first. Needs `pip install
'realign[remote]'` for addresses; the protocol's own package (s3fs, gcsfs) is yours to choose.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from realign.errors import UsageError

PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Store:
    """A flat place for files. Each function raises OSError, or what the address's own package raises."""

    address: str
    names: Callable[[], list[str]]
    write: Callable[[str, Callable[[BinaryIO], object]], None]
    open: Callable[[str], BinaryIO]
    remove: Callable[[str], None]


def open_store(address: str | Path) -> Store:
    """The store at an address, made when something is written."""
    text = str(address)
    return _remote(text) if "://" in text and not text.startswith("file://") else _local(text.removeprefix("file://"))


def clear_partials(store: Store) -> None:
    """Remove what a killed writer left half written. Only for the one who writes there."""
    for name in store.names():
        if name.endswith(PARTIAL):
            store.remove(name)


def _local(text: str) -> Store:
    folder = Path(text).expanduser()

    def write(name: str, fill: Callable[[BinaryIO], object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / (name + PARTIAL)
        try:
            with open(beside, "wb") as file:
                fill(file)
                file.flush()
                _to_disk(file.fileno())
            os.replace(beside, folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        _folder_to_disk(folder)

    return Store(
        str(folder),
        lambda: sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [],
        write,
        lambda name: open(folder / name, "rb"),
        lambda name: (folder / name).unlink(missing_ok=True),
    )


def to_disk(folder: Path) -> None:
    """Wait until every file of a folder is on the disk itself, so that a rename after it never shows half of one."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                _to_disk(file.fileno())
    _folder_to_disk(folder)


def _to_disk(descriptor: int) -> None:
    """Wait until the bytes are on the disk itself. On macOS only F_FULLFSYNC promises that."""
    try:
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, AttributeError, OSError):
        os.fsync(descriptor)


def _folder_to_disk(folder: Path) -> None:
    """Make a rename last. Some file systems refuse this; the rename is then as safe as they make it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remote(address: str) -> Store:
    try:
        import fsspec

        files, path = fsspec.core.url_to_fs(address)
        files.makedirs(path, exist_ok=True)
    except ImportError as error:
        raise UsageError(
            f"Checkpoints at {address} need a package that is not installed ({error})",
            "fsspec and the package of the address's protocol",
            "`pip install 'realign[remote]'` and, for s3, `pip install s3fs`; or a folder of this disk",
        ) from None
    except ValueError as error:
        expected = "a folder, or for example s3://bucket/x"
        raise UsageError(f"{address} is no address for checkpoints ({error})", expected) from None

    def write(name: str, fill: Callable[[BinaryIO], object]) -> None:
        beside = f"{path}/{name}{PARTIAL}"
        try:
            with files.open(beside, "wb") as file:
                fill(file)
            files.mv(beside, f"{path}/{name}")
        except BaseException:
            with contextlib.suppress(Exception):
                files.rm(beside)
            raise

    return Store(
        address,
        lambda: sorted(str(name).rsplit("/", 1)[-1] for name in files.ls(path, detail=False, refresh=True)),
        write,
        lambda name: files.open(f"{path}/{name}", "rb"),
        lambda name: files.rm(f"{path}/{name}"),
    )
