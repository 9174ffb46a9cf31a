"""What machine this is, asked of the operating system without importing anything heavy.

print(chip())        "M3 Ultra" on a Mac, the processor's name elsewhere
"""

from __future__ import annotations

import sys

SECONDS = 2.0  # that sysctl may take


def chip() -> str:
    """The chip's name as the package calls it; "unknown" where nothing tells."""
    return _apple_chip() if sys.platform == "darwin" else _processor()


def _apple_chip() -> str:
    import subprocess

    try:
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    name = asked.stdout.decode("utf-8", "replace").strip()
    return name[len("Apple ") :] if name.startswith("Apple ") else name or "unknown"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return f"{value.strip()} ({sys.platform.capitalize()} CPU)"
    except OSError:
        pass
    return "unknown"
