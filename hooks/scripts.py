"""Python scripts that run this product or MLX work: by what they import, read from their first 64 KB.

    imports_ours(beginning("/home/me/train.py"))

A script that can't be read, or is no regular file, imports nothing. Standard library only, Python 3.9.
"""

from __future__ import annotations

PACKAGES = ("mlx_lm", "mlx_vlm", "mlx_whisper", "mlx_audio", "mlx_embeddings", "mlx_lm_lora")
ROOTS = ("realign", "mlx", *PACKAGES)  # what a module or a script of ours imports
SCRIPT_BYTES = 1 << 16


def is_python(name: str) -> bool:
    """Whether a program is Python's interpreter: python, python3, python3.12, pythonw."""
    return name.startswith("python") and all(char in "0123456789.w" for char in name[6:])


def imports_ours(code: str) -> bool:
    """Whether some line of Python code imports MLX, a package built on it, or this product."""
    if not any(root in code for root in ROOTS):
        return False
    for line in code.replace(";", "\n").splitlines():
        verb, _, rest = line.strip().partition(" ")
        names = rest.split(",") if verb == "import" else [rest] if verb == "from" else []
        if any(name.split()[0].partition(".")[0] in ROOTS for name in names if name.strip()):
            return True
    return False


def join(folder: str, path: str) -> str:
    """`path` seen from `folder`; "" where that is unknown."""
    if path.startswith("/"):
        return path
    return f"{folder}/{path}" if folder and not path.startswith("~") else ""


def beginning(path: str) -> str:
    """The beginning of a regular file as text; "" for what is none or can't be read."""
    import os
    import stat

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, SCRIPT_BYTES).decode("utf-8", "replace") if regular else ""
    except OSError:
        return ""
    finally:
        os.close(descriptor)
