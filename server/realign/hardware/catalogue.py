"""Apple's chips as Apple describes them: GPU cores, memory bandwidth, memory sizes sold, and where each row comes from.

    find_variant("M3 Max", gpu_cores=30)       -> the 300 GB/s one; the 40-core M3 Max has 400 GB/s

One row a variant: chips of one name are told apart by their GPU cores, and the M6 by its memory. These are what is
printed about a chip, not what was measured on one: speeds are in machines.py and in calibrations.
"""

from __future__ import annotations

from dataclasses import dataclass

from realign.errors import UsageError

SOURCES = {
    "M1": "'Apple unleashes M1', 2020-11-10; it prints no bandwidth: that is 128 bit at 4266 MT/s",
    "M1 Pro": "'Introducing M1 Pro and M1 Max', 2021-10-18",
    "M1 Max": "'Introducing M1 Pro and M1 Max', 2021-10-18",
    "M1 Ultra": "'Apple unveils M1 Ultra', 2022-03-08",
    "M2": "'Apple unveils M2', 2022-06-06",
    "M2 Pro": "'Apple unveils M2 Pro and M2 Max', 2023-01-17",
    "M2 Max": "'Apple unveils M2 Pro and M2 Max', 2023-01-17",
    "M2 Ultra": "'Apple introduces M2 Ultra', 2023-06-05",
    "M3": "'Apple unveils M3, M3 Pro, and M3 Max', 2023-10-30",
    "M3 Pro": "'Apple unveils M3, M3 Pro, and M3 Max', 2023-10-30",
    "M3 Max": "tech specs of MacBook Pro (14-inch, Nov 2023): 300 GB/s with 30 GPU cores, 400 GB/s with 40",
    "M3 Ultra": "'Apple reveals M3 Ultra', 2025-03-05, and tech specs of Mac Studio (2025)",
    "M4": "'Apple introduces M4 chip', 2024-05-07, and tech specs of iMac (24-inch, 2024)",
    "M4 Pro": "'Apple introduces M4 Pro and M4 Max', 2024-10-30",
    "M4 Max": "tech specs of Mac Studio (2025): 410 GB/s with 32 GPU cores, 546 GB/s with 40",
    "M5": "'Apple unleashes M5', 2025-10-15, and tech specs of MacBook Air (M5)",
    "M5 Pro": "'Apple debuts M5 Pro and M5 Max', 2026-03-03, and apple.com/mac-mini/specs",
    "M5 Max": "apple.com/mac-studio/specs, 2026-09: 460 GB/s with 32 GPU cores, 614 GB/s with 40",
    "M5 Ultra": "apple.com/mac-studio/specs, 2026-09: printed as 1.2 TB/s",
    "M6": "apple.com/mac-mini/specs, 2026-09: 153 GB/s with 16 GB, 170 GB/s with more",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """One variant of a chip. bandwidth_gbs in GB/s (1e9 bytes); memory: sizes sold with it, in GB, smallest first."""

    name: str
    gpu_cores: int
    bandwidth_gbs: float
    memory: tuple[int, ...]

    @property
    def source(self) -> str:
        """What Apple published that the row rests on."""
        return f"Apple, {SOURCES[self.name]}"


CHIPS = (
    Chip("M1", 7, 68.25, (8, 16)),
    Chip("M1", 8, 68.25, (8, 16)),
    Chip("M1 Pro", 14, 200, (16, 32)),
    Chip("M1 Pro", 16, 200, (16, 32)),
    Chip("M1 Max", 24, 400, (32, 64)),
    Chip("M1 Max", 32, 400, (32, 64)),
    Chip("M1 Ultra", 48, 800, (64, 128)),
    Chip("M1 Ultra", 64, 800, (64, 128)),
    Chip("M2", 8, 100, (8, 16, 24)),
    Chip("M2", 10, 100, (8, 16, 24)),
    Chip("M2 Pro", 16, 200, (16, 32)),
    Chip("M2 Pro", 19, 200, (16, 32)),
    Chip("M2 Max", 30, 400, (32, 64)),
    Chip("M2 Max", 38, 400, (32, 64, 96)),
    Chip("M2 Ultra", 60, 800, (64, 128, 192)),
    Chip("M2 Ultra", 76, 800, (64, 128, 192)),
    Chip("M3", 8, 100, (8, 16, 24)),
    Chip("M3", 10, 100, (8, 16, 24)),
    Chip("M3 Pro", 14, 150, (18, 36)),
    Chip("M3 Pro", 18, 150, (18, 36)),
    Chip("M3 Max", 30, 300, (36, 96)),
    Chip("M3 Max", 40, 400, (48, 64, 128)),
    Chip("M3 Ultra", 60, 819, (96, 256)),
    Chip("M3 Ultra", 80, 819, (96, 256, 512)),
    Chip("M4", 8, 120, (16, 24, 32)),
    Chip("M4", 10, 120, (16, 24, 32)),
    Chip("M4 Pro", 16, 273, (24, 48, 64)),
    Chip("M4 Pro", 20, 273, (24, 48, 64)),
    Chip("M4 Max", 32, 410, (36,)),
    Chip("M4 Max", 40, 546, (48, 64, 128)),
    Chip("M5", 8, 153, (16, 24, 32)),
    Chip("M5", 10, 153, (16, 24, 32)),
    Chip("M5 Pro", 16, 307, (24, 48, 64)),
    Chip("M5 Pro", 20, 307, (24, 48, 64)),
    Chip("M5 Max", 32, 460, (36,)),
    Chip("M5 Max", 40, 614, (48, 64, 128)),
    Chip("M5 Ultra", 64, 1200, (96, 256)),
    Chip("M5 Ultra", 80, 1200, (96, 256, 512)),
    Chip("M6", 12, 170, (24, 32)),
    Chip("M6", 12, 153, (16,)),  # the last row of a name is the one that is taken where nothing tells
)


def variants(name: str) -> tuple[Chip, ...]:
    """Every variant of a chip, fewest GPU cores first; none for a chip that is not in the catalogue."""
    return tuple(chip for chip in CHIPS if chip.name == name)


def find_variant(name: str, gpu_cores: int | None = None, memory_gb: float | None = None) -> tuple[Chip, str]:
    """(the variant, what had to be assumed): by GPU cores, then by a memory size that only one was sold with.

    What is left open takes the last row, the most cores, and says so. Raises UsageError for a chip or a number of
    cores that there is not.
    """
    found = variants(name)
    if not found:
        raise UsageError(f"No Apple chip {name!r}", f"one of {', '.join(SOURCES)}")
    matching = [chip for chip in found if gpu_cores in (None, chip.gpu_cores)]
    if not matching:
        known = " or ".join(str(cores) for cores in sorted({chip.gpu_cores for chip in found}))
        raise UsageError(f"{name} with {gpu_cores} GPU cores", f"{known} GPU cores")
    matching = [chip for chip in matching if memory_gb in chip.memory] or matching
    chosen = matching[-1]
    others = sorted({chip.gpu_cores for chip in matching} - {chosen.gpu_cores})
    if not others:
        return chosen, ""
    return chosen, f"{chosen.gpu_cores} GPU cores assumed, there is one with {' or '.join(map(str, others))}"
