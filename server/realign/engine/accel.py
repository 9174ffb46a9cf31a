"""Fast matrix products on a Linux CPU: MLX's calls of `cblas_?gemm` are pointed at OpenBLAS when it is installed.

    line = use_fast_blas()     # "openblas 0.3.34, one thread" or "the wheel's own BLAS (reason)"; for the run's record

The Linux wheel of MLX links the reference BLAS, which multiplies 30 to 60 times slower. Its three calls go through
slots of libmlx.so's global offset table; each holds the address of the function to call, so writing another address
there redirects MLX and nothing else. The optional package scipy-openblas32 has the functions. Every change is
tested by a product against numpy and taken back when it is wrong. Off with REALIGN_FAST_BLAS=0; never on macOS.
ELF: the System V ABI's generic chapters 4 and 5, and the x86-64 and AArch64 supplements.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OWN = "the wheel's own BLAS"
FUNCTIONS = ("cblas_sgemm", "cblas_dgemm", "cblas_cgemm")
LOAD, DYNAMIC = 1, 2  # segment types
PLT_SIZE, SYMBOL_NAMES, SYMBOLS, RELOCATIONS, RELOCATIONS_SIZE, PLT_RELOCATIONS = 2, 5, 6, 7, 8, 23  # dynamic tags
SLOT_RELOCATIONS = {"x86_64": (6, 7), "aarch64": (1025, 1026)}  # GLOB_DAT, JUMP_SLOT
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
READ, WRITE, EXECUTE = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Mapping:
    """One line of /proc/self/maps: addresses, protection bits and file."""

    start: int
    end: int
    protection: int
    path: str


@functools.cache
def use_fast_blas() -> str:
    """Redirect MLX's matrix products once in this process, and say what is used. Never raises; never half done."""
    if sys.platform != "linux":
        return "the system's own BLAS"
    if os.environ.get("REALIGN_FAST_BLAS") == "0":
        return f"{OWN} (REALIGN_FAST_BLAS=0)"
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads spin against other processes on a busy machine
    try:
        library, version = _openblas()
        return _redirect(library) or f"openblas {version}, {_threads(library)}"
    except ImportError:
        return f"{OWN} (scipy-openblas32 is not installed)"
    except (OSError, ValueError, LookupError, AttributeError, struct.error) as error:
        return f"{OWN} ({type(error).__name__}: {error})"


def _openblas() -> tuple[ctypes.CDLL, str]:
    import scipy_openblas32 as package

    library = ctypes.CDLL(str(Path(package.get_lib_dir()) / package.get_library(fullname=True)))
    library.scipy_openblas_get_config.restype = ctypes.c_char_p
    words = library.scipy_openblas_get_config().decode().split()
    return library, next((word for word in words if word[0].isdigit()), "of unknown version")


def _threads(library: ctypes.CDLL) -> str:
    count = int(library.scipy_openblas_get_num_threads())
    return "one thread" if count == 1 else f"{count} threads"


def _redirect(library: ctypes.CDLL) -> str:
    """Write the slots, test, and take back what fails the test. Returns "" or why the wheel's own BLAS stays."""
    import mlx.core  # noqa: F401  the library must be mapped before its slots can be found

    targets = {name: ctypes.cast(getattr(library, f"scipy_{name}"), ctypes.c_void_p).value for name in FUNCTIONS}
    maps = _mappings()
    slots = find_slots(next(m for m in maps if Path(m.path).name == "libmlx.so"), FUNCTIONS)
    if not slots:
        return f"{OWN} (libmlx.so has no slot for {FUNCTIONS[0]})"
    before = {address: _write(address, targets[name] or 0, maps) for name, address in slots}
    if products_are_right():
        return ""
    for address, value in before.items():
        _write(address, value, maps)
    return f"{OWN} (OpenBLAS failed its self-test)"


def products_are_right() -> bool:
    """Whether MLX's products, plain and with a transposed operand, equal numpy's within float32 rounding."""
    import mlx.core as mx
    import numpy as np

    random = np.random.default_rng(0)
    left, right = (random.standard_normal(shape, dtype=np.float32) for shape in ((67, 130), (130, 59)))
    expected = left.astype(np.float64) @ right
    on_cpu = mx.cpu
    plain = mx.matmul(mx.array(left), mx.array(right), stream=on_cpu)
    transposed = mx.matmul(mx.array(left), mx.array(right.T.copy()).T, stream=on_cpu)
    return all(np.allclose(np.array(product), expected, atol=1e-3) for product in (plain, transposed))


def _mappings() -> list[Mapping]:
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6:
            start, end = (int(part, 16) for part in fields[0].split("-"))
            bits = sum(bit for bit, on in zip((READ, WRITE, EXECUTE), fields[1], strict=False) if on != "-")
            found.append(Mapping(start, end, bits, fields[5]))
    return found


def find_slots(library: Mapping, names: tuple[str, ...]) -> list[tuple[str, int]]:
    """(function, address of its slot in this process) for each of `names` that a mapped 64-bit library calls.

    `library` is the library's first mapping, whose start is its load address.
    """
    data = Path(library.path).read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{library.path} is no little-endian 64-bit ELF file")
    segments = list(_segments(data))
    tags = dict(_dynamic_tags(data, segments))
    wanted = SLOT_RELOCATIONS.get(platform.machine(), ())
    slots = []
    for table, size in ((RELOCATIONS, RELOCATIONS_SIZE), (PLT_RELOCATIONS, PLT_SIZE)):
        begin = _file_offset(tags[table], segments) if table in tags else 0
        for entry in range(begin, begin + tags.get(size, 0) * (table in tags), 24):
            place, info = struct.unpack_from("<QQ", data, entry)
            if info & 0xFFFFFFFF in wanted and (name := _symbol(data, segments, tags, info >> 32)) in names:
                slots.append((name, library.start + place))
    return slots


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(type, file offset, address, size in the file) of each program header."""
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for header in range(table, table + size * count, size):
        kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", data, header)
        yield kind, offset, address, length


def _dynamic_tags(data: bytes, segments: list[tuple[int, int, int, int]]) -> Iterator[tuple[int, int]]:
    _, offset, _, length = next(segment for segment in segments if segment[0] == DYNAMIC)
    for entry in range(offset, offset + length, 16):
        tag, value = struct.unpack_from("<QQ", data, entry)
        if tag == 0:
            return
        yield tag, value


def _file_offset(address: int, segments: list[tuple[int, int, int, int]]) -> int:
    return next(o + address - a for kind, o, a, n in segments if kind == LOAD and a <= address < a + n)


def _symbol(data: bytes, segments: list[tuple[int, int, int, int]], tags: dict[int, int], index: int) -> str:
    (place,) = struct.unpack_from("<I", data, _file_offset(tags[SYMBOLS], segments) + 24 * index)
    start = _file_offset(tags[SYMBOL_NAMES], segments) + place
    return data[start : data.index(b"\0", start)].decode("ascii", "replace")


def _write(address: int, value: int, maps: list[Mapping]) -> int:
    """Put `value` at `address` and return what was there. The page's protection is as before afterwards."""
    protection = next(m.protection for m in maps if m.start <= address < m.end)
    cell = ctypes.c_uint64.from_address(address)
    old = cell.value
    with _writable(address, protection):
        cell.value = value
    return old


@contextlib.contextmanager
def _writable(address: int, protection: int) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    page = ctypes.c_void_p(address & ~(PAGE - 1))  # a slot is 8-byte aligned, so it never crosses a page
    if libc.mprotect(page, ctypes.c_size_t(PAGE), READ | WRITE) != 0:
        raise OSError(ctypes.get_errno(), "mprotect refused")
    try:
        yield
    finally:
        libc.mprotect(page, ctypes.c_size_t(PAGE), protection)
