"""What a command of ours must not be given, each with its name, its reason and the right command.

    why_not(job)          -> "" or "batch size above 4 on M3 Ultra: its throughput peaks at 4 ... Use: realign plan ..."

Names, reasons and values come from standard.py, which is made from the package's own code. A value that only running
would tell is never refused, nor is a model whose size its name does not state. Standard library only, Python 3.9.
"""

from __future__ import annotations

from programs import CLEARED, Job
from shellwords import HOLE
from standard import (
    BATCH,
    BITS,
    CORES,
    ENVIRONMENT,
    HALF,
    KEEPS,
    LARGEST_WEIGHTS_GB,
    MAX_BATCH,
    MAY_BE_OFF,
    NICE,
    POSSIBLE_BITS,
    RDMA,
    REASONS,
    SHARDINGS,
    SLOW_MACHINE,
    TRUTHS,
)

SUDO = "sudo nice"
CONTRADICTS = "an environment that contradicts the standard"
WHY_NOT_SUDO = (
    "sudo drops the exported variables and runs the job as root. Priority is raised where that needs no root:"
    f" nice {NICE} on the process itself"
)
FALSE = ("", "0", "false", "f", "no", "n", "off")  # what tokenizers and MLX take for false, in lower case
HALVES = ("half", "halves", "half-and-half", "equal", "equally", "even", "evenly", "50/50", "50:50", "50-50")
SHARDED_SETTING = "hardware.sharded="
GPU_CORES = ("cores", "gpu cores", "gpu-cores")
# What a launch of several machines may run without sharding: each example stands for itself.
SEPARABLE = ("realign", "mlx_lm.generate", "mlx_lm.batch_generate", "mlx_lm.evaluate", "mlx_lm.perplexity",
             "mlx_lm.chat", "mlx_lm.server", "mlx_lm.benchmark")  # fmt: skip


def why_not(job: Job) -> str:
    """The first thing that is wrong with a job, in words for the one who asked for it; "" where nothing is."""
    return _as_root(job) or _against_the_environment(job) or _too_large_a_batch(job) or _split(job) or _sharded(job)


def say(name: str, reason: str, command: str) -> str:
    """A refusal in one line."""
    return f"ReAlign: {name}: {reason}. Use: {command.replace(HOLE, '')}"


# -- root and environment ---------------------------------------------------------------------------------------------


def _as_root(job: Job) -> str:
    if not {"sudo", "doas"} & set(job.wrappers):
        return ""
    name = SUDO if "nice" in job.wrappers else f"{'sudo' if 'sudo' in job.wrappers else 'doas'} on {job.name}"
    return say(name, WHY_NOT_SUDO, written(job))


def _against_the_environment(job: Job) -> str:
    """A variable of the standard that is set to something else, taken away, or gone with all the others."""
    for name, value in ENVIRONMENT.items():
        if name in KEEPS or not {name, CLEARED} & set(job.settings):
            continue
        given = job.settings.get(name)
        turned_off = given is not None and name in MAY_BE_OFF and not _means(given)
        if turned_off or (given is not None and (HOLE in given or _means(given) == _means(value))):
            continue
        what = f"{name}={given}" if given is not None else f"{name if name in job.settings else CLEARED} is taken away"
        reason = f"{what}, the standard is {name}={value} ({TRUTHS[name]})"
        return say(CONTRADICTS, reason, f"{written(job)} (the session sets {name}={value} itself)")
    return ""


def _means(value: str) -> bool:
    return value.strip().lower() not in FALSE


# -- planning ---------------------------------------------------------------------------------------------------------


def _too_large_a_batch(job: Job) -> str:
    """A batch size above the largest for M3 Ultra, where the job names that machine or runs on it."""
    at, size = batch_size(job)
    if size <= MAX_BATCH:
        return ""
    machine = value_of(job, "--machine")
    if _plain(machine or this_chip(job)) != _plain(SLOW_MACHINE):
        return ""
    right = job.words[at].raw.replace(str(size), str(MAX_BATCH))
    return say(BATCH, REASONS[BATCH], written(job, {at: right}))


def batch_size(job: Job) -> tuple[int, int]:
    """(place of the word, value) of a job's batch size; (0, 0) for none."""
    for at, word in enumerate(job.words):
        option, equals, value = word.text.rpartition("=")
        option = option if equals else value
        named = option.startswith("--batch") or (at and option.startswith(("candidates.batch", "judge.batch")))
        if named and equals and value.isdigit():
            return at, int(value)
        following = job.words[at + 1].text if at + 1 < len(job.words) else ""
        if named and not equals and following.isdigit():
            return at + 1, int(following)
    return 0, 0


def this_chip(job: Job) -> str:
    """The chip of this Mac, as it calls itself; "" elsewhere, and for a plan, which runs nothing here."""
    import sys

    if sys.platform != "darwin" or (job.name == "realign" and job.arguments[:1] == ["plan"]):
        return ""
    from machine import chip

    return chip()


def _split(job: Job) -> str:
    """Halves, or shares by GPU cores, in a plan; training in lockstep has equal shares by construction."""
    split = value_of(job, "--split").lower()
    if split in GPU_CORES:
        return say(CORES, REASONS[CORES], written(job, without=("--split",)))
    halves = split in HALVES or _equal_shares(split)
    if halves and not _trains(job):
        return say(HALF, REASONS[HALF], written(job, without=("--split",)))
    return ""


def _equal_shares(split: str) -> bool:
    """Whether a split reads as the same number twice or more: 0.5,0.5 or 1:1."""
    shares = split.replace(":", ",").replace("/", ",").split(",")
    return len(shares) > 1 and len(set(shares)) == 1 and shares[0].replace(".", "", 1).isdigit()


def _sharded(job: Job) -> str:
    """Spreading over machines a model that one of them holds, for work on separate examples."""
    if _trains(job) or not _asks_for_sharding(job):
        return ""
    model = value_of(job, "--model") or (job.arguments[1:2] or [""])[0]
    if not fits_one_machine(model):
        return ""
    return say(RDMA, REASONS[RDMA], written(job, without=("--transport", "--sharded", SHARDED_SETTING)))


def _asks_for_sharding(job: Job) -> bool:
    launched = " ".join(word.text for word in job.within)
    if value_of(job, "--transport").lower() in SHARDINGS or "--sharded" in job.arguments:
        return True
    if any(text.lower() == SHARDED_SETTING + "true" for text in job.arguments):
        return True
    name = f"mlx_lm.{(job.arguments or [''])[0]}" if job.name == "mlx_lm" else job.name
    separable = name in SEPARABLE
    return separable and any(f"--backend{sign}jaccl" in launched for sign in " =") and "--pipeline" not in job.arguments


def _trains(job: Job) -> bool:
    return value_of(job, "--task").lower() not in ("", "curate")


def fits_one_machine(model: str) -> bool:
    """Whether the size that a model's name states fits the largest machine that ships; False where it states none."""
    import re

    from intake import read_size

    last = model.rstrip("/").rpartition("/")[2]
    size = read_size(last) if last and HOLE not in last else None
    stated = [int(found["n"] or found["m"]) for found in re.finditer(BITS, last.replace("_", "-"), re.IGNORECASE)]
    bits = next((bits for bits in stated if bits in POSSIBLE_BITS), 16)
    return size is not None and size[0] * bits / 8e9 <= LARGEST_WEIGHTS_GB


# -- words ------------------------------------------------------------------------------------------------------------


def value_of(job: Job, option: str) -> str:
    """The value of an option, in the next word or after an equals sign; "" where it is not given or not known."""
    texts = job.arguments
    for at, text in enumerate(texts):
        if text == option and at + 1 < len(texts):
            return "" if HOLE in texts[at + 1] else texts[at + 1]
        if text.startswith(option + "="):
            return "" if HOLE in text else text.partition("=")[2]
    return ""


def written(job: Job, changed: dict[int, str] | None = None, without: tuple[str, ...] = ()) -> str:
    """The job as it was written, with words of its own changed by place, and without some options and their values."""
    parts = [word.raw for word in job.written[: len(job.written) - len(job.words)]]
    setting = SHARDED_SETTING in without
    at = 0
    while at < len(job.words):
        text = job.words[at].text
        following = job.words[at + 1].text if at + 1 < len(job.words) else ""
        if (text == "--sharded" and text in without) or text.startswith(tuple(f"{option}=" for option in without)):
            at += 1
        elif text in without or (setting and text == "--set" and following.startswith(SHARDED_SETTING)):
            at += 2
        else:
            parts.append((changed or {}).get(at, job.words[at].raw))
            at += 1
    return " ".join(parts)


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())
