"""The subcommands about trained models and folders of models: adapters (list, fuse, compare), convert."""

from __future__ import annotations

import argparse
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

from realign.commands.words import EPILOG, Add, say_json
from realign.errors import UsageError

WHAT = "a run, RUN/STAGE or RUN/STAGE@2, a kept NAME@2, FOLDER/NAME@2, or an adapter's or a model's folder"
TYPES = ("float32", "bfloat16", "float16")
BITS = (2, 3, 4, 5, 6, 8)
GROUPS = (32, 64, 128)


def add_to(add: Add) -> None:
    """Add them to the command."""
    what = add("adapters", list_them, "what alignments trained: listed, fused, compared with the base", json=False)
    actions = what.add_subparsers(required=True, metavar="ACTION")
    for name, act, help, fill in (
        ("list", list_them, "adapters and models that runs left, or that lie in a folder", add_list),
        ("fuse", fuse, "base and adapter as one model folder that mlx_lm loads", add_fuse),
        ("compare", compare, "the trained model beside its base on the same held-out rows", add_compare),
        (
            "keep",
            keep,
            "one adapter on the base model, by a name of your own; the same name gives the next version",
            add_keep,
        ),
    ):
        action = actions.add_parser(name, help=help, description=help, epilog=EPILOG)
        action.add_argument("--json", action="store_true", help="answer with one JSON object")
        action.set_defaults(act=act)
        fill(action)
    add_convert(add("convert", convert, "a Hugging Face model folder as an MLX one, quantized if you like"))


# -- adapters -------------------------------------------------------------------------------------------------------


def add_list(command: argparse.ArgumentParser) -> None:
    """The words of `adapters list`."""
    command.add_argument("where", nargs="?", default="", metavar="RUN_OR_FOLDER", help="(every run that you know)")


def list_them(words: argparse.Namespace) -> int:
    """What there is, by name, with what became of it and where it lies."""
    from realign.intake.trained import list_trained
    from realign.views.trained import list_lines

    found = list_trained(words.where)
    if words.json:
        say_json({"adapters": [asdict(each) for each in found]})
    else:
        print("\n".join(list_lines(found)) or "Nothing trained yet: realign align --data RUN_OR_FILE --model M")
    return 0


def add_fuse(command: argparse.ArgumentParser) -> None:
    """The words of `adapters fuse`."""
    command.add_argument("what", metavar="WHAT", help=WHAT)
    command.add_argument("-o", "--output", required=True, metavar="DIR", help="a new folder for the model")
    command.add_argument("--base", default="", metavar="MODEL", help="another base than the one it names")
    command.add_argument(
        "--dequantize", action="store_true", help="of a quantized base: unpack it, so that fusing rounds nothing"
    )
    command.add_argument("--quiet", action="store_true", help="no progress")


def fuse(words: argparse.Namespace) -> int:
    """One plain folder, and how far it is from base and adapter."""
    from realign.intake.trained import find_trained, model_place
    from realign.views.trained import fused_lines

    trained = find_trained(words.what, words.base)
    if trained.kind == "reward":
        raise UsageError(f"{trained.name} is a reward model", "a policy", "its folder is a whole model already")
    if trained.adapter:
        model_place(trained.base)
    found = in_worker("fuse", words, {"dequantize": words.dequantize})
    notes = [trained.caution] if trained.caution else []
    told = {"folder": words.output, "trained": trained.name, "base": trained.base, "notes": notes, **found}
    say(told, words, fused_lines)
    return 0


def add_compare(command: argparse.ArgumentParser) -> None:
    """The words of `adapters compare`."""
    command.add_argument("what", metavar="WHAT", help=WHAT)
    command.add_argument(
        "--data", default="", metavar="RUN_OR_FILE", help="rows to compare on (what its own run held out)"
    )
    command.add_argument("--base", default="", metavar="MODEL", help="the other model (the one it was trained from)")
    command.add_argument(
        "--benchmark", action="append", default=[], metavar="FILE", help="also these questions, as for align"
    )
    command.add_argument("--rows", type=int, default=200, metavar="N", help="most rows, and items of a benchmark (200)")
    command.add_argument("--max-tokens", type=int, default=128, metavar="N", help="of an answer (128)")
    command.add_argument("--show", type=int, default=8, metavar="N", help="answers side by side (8)")
    command.add_argument("--quiet", action="store_true", help="no progress")


def compare(words: argparse.Namespace) -> int:
    """Loss, perplexity, KL, capability and answers of both, each mean with its interval."""
    from realign.intake.alignment import data_files
    from realign.intake.trained import find_trained, model_place
    from realign.run import is_file
    from realign.views.trained import comparison_lines

    for name, value in (("--rows", words.rows), ("--max-tokens", words.max_tokens), ("--show", words.show + 1)):
        if value < 1:
            raise UsageError(f"{name} is too small", "1 or more; of --show 0 or more")
    for file in words.benchmark:
        if not is_file(file):
            raise UsageError(f"No benchmark at {file}", "a file of JSON lines")
    trained = find_trained(words.what, words.base)
    if trained.kind == "reward":
        raise UsageError(f"{trained.name} is a reward model, which answers nothing", "a policy")
    if not trained.start:
        raise UsageError(f"{words.what} is a model's folder", "the model to compare it with", "--base MODEL")
    model_place(trained.start)
    if words.data:
        data_files((words.data,))
    found = in_worker("compare", words, {
        "data": words.data, "rows": words.rows, "max_tokens": words.max_tokens, "shown": words.show,
        "benchmarks": [str(Path(file).expanduser().absolute()) for file in words.benchmark],
    })  # fmt: skip
    say(found, words, comparison_lines)
    return 0


def add_keep(command: argparse.ArgumentParser) -> None:
    """The words of `adapters keep`."""
    command.add_argument("what", metavar="WHAT", help=f"{WHAT}; of a run, the LoRA adapters of its stages add up")
    command.add_argument("name", metavar="NAME", help="letters, digits, dots, dashes, underscores")
    command.add_argument("-o", "--root", default="", metavar="DIR", help="folder of named adapters (your own)")
    command.add_argument("--base", default="", metavar="MODEL", help="of an adapter that does not name its base")
    command.add_argument("--quiet", action="store_true", help="no progress")


def keep(words: argparse.Namespace) -> int:
    """An adapter that outlives its run."""
    from realign.align.adapters import next_version
    from realign.intake.trained import find_trained, kept_in, lineage, model_place
    from realign.views.trained import kept_lines

    root = Path(words.root).expanduser().absolute() if words.root else kept_in()
    next_version(root, words.name)
    base, _ = lineage(find_trained(words.what, words.base))
    model_place(base)
    say(in_worker("keep", words, {"name": words.name, "root": str(root)}), words, kept_lines)
    return 0


# -- convert --------------------------------------------------------------------------------------------------------


def add_convert(command: argparse.ArgumentParser) -> None:
    """The words of `convert`."""
    command.add_argument("model", metavar="HF_FOLDER", help="a model's folder, or its name in the Hugging Face cache")
    command.add_argument("-o", "--output", required=True, metavar="DIR", help="a new folder for the model")
    command.add_argument("--bits", type=int, choices=BITS, help="quantize to so many bits a weight")
    command.add_argument("--group-size", type=int, choices=GROUPS, default=64, help="weights that share a scale (64)")
    command.add_argument("--dequantize", action="store_true", help="unpack a quantized model")
    command.add_argument("--dtype", choices=TYPES, help="of weights that are not packed (what config.json says)")
    command.add_argument("--quiet", action="store_true", help="no progress")


def convert(words: argparse.Namespace) -> int:
    """What mlx_lm.convert does, safetensors only and never with a folder's own code."""
    from realign.intake.trained import model_place
    from realign.views.trained import converted_lines

    if words.bits and words.dequantize:
        raise UsageError("--bits and --dequantize", "one of them", "--dequantize first, then --bits on the result")
    source = model_place(words.model, fix="its path, or `mlx_lm.convert --hf-path`, which downloads")
    found = in_worker("convert", words, {
        "source": str(source), "bits": words.bits, "group_size": words.group_size, "dtype": words.dtype,
        "dequantize": words.dequantize,
    })  # fmt: skip
    say({"folder": words.output, "source": str(source), **found}, words, converted_lines)
    return 0


# -- shared ---------------------------------------------------------------------------------------------------------


def in_worker(errand: str, words: argparse.Namespace, more: dict[str, Any]) -> dict[str, Any]:
    """Do it in a worker, with progress; where the words name an output, into that new folder."""
    from realign.job.errand import run_errand
    from realign.views.terminal import showing

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    output = getattr(words, "output", None)
    if output == "":
        raise UsageError("--output is empty", "a new folder")
    folder = Path(output).expanduser().absolute() if output else None
    what = {name: getattr(words, name) for name in ("what", "base") if hasattr(words, name)}
    with showing(words.quiet) as show:
        return run_errand(errand, {**what, **more}, show, folder)


def say(found: dict[str, Any], words: argparse.Namespace, lines: Any) -> None:
    """As JSON, or in lines."""
    say_json(found) if words.json else print("\n".join(lines(found)))
