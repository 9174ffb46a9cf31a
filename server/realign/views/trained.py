"""What alignments trained, in words: the list, a fused model, a comparison with the base, a conversion."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realign.intake.trained import Trained

Found = dict[str, Any]
WIDE = 160  # characters of an answer that is shown on a terminal
EXACT = 1e-3  # nats a token below which rounding alone is told of


def list_lines(found: Sequence[Trained]) -> list[str]:
    """Each by its name, with what became of it, and the words that make it write."""
    lines = []
    for each in found:
        facts = ", ".join(filter(None, (each.kind, each.status, each.made)))
        lines += [printable(f"{each.name}  ({facts})"), printable(f"    {how_to_try(each)}")]
    return lines


def printable(text: str) -> str:
    """Text that only shows itself: an adapter's config and a model's answer may hold anything, for example what colors
    or clears a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def how_to_try(trained: Trained) -> str:
    """The words of mlx_lm.generate that load it; a reward model writes nothing."""
    folder = shlex.quote(trained.folder)
    if trained.kind == "reward":
        return trained.folder
    if trained.adapter:
        return f"mlx_lm.generate --model {shlex.quote(trained.base or 'ITS_BASE')} --adapter-path {folder}"
    return f"mlx_lm.generate --model {folder}"


def fused_lines(found: Found) -> list[str]:
    """Where it lies, whether it is the same function, and how to try it."""
    lines = [f"{found['trained']} as one model: {found['folder']}"]
    kl = found.get("kl", {"value": 0.0})
    if found.get("copied"):
        lines.append("Every weight of it was trained, so there was nothing to fuse: it is a copy.")
    elif kl["value"] is None:
        lines.append(f"How far it is from base and adapter: not measured ({kl['reason']}).")
    elif kl["value"] < EXACT:
        lines.append(f"The same function as base and adapter: KL {kl['value']:.1e} nats a token on a fixed text.")
    else:
        lines.append(f"Not quite base and adapter: KL {kl['value']:.4f} nats a token on a fixed text.")
    if found.get("quantized"):
        lines.append("The fused weights were quantized again, which rounds them; --dequantize keeps them exact.")
    lines += [f"note: {note}" for note in found["notes"]]
    return [*lines, f'Try it: mlx_lm.generate --model {shlex.quote(found["folder"])} --prompt "..."']


def kept_lines(found: Found) -> list[str]:
    """The name that was given, what it came from, and how to try it."""
    sum_of = f", the sum of {found['adapters']} adapters" if found["adapters"] > 1 else ""
    words = f"--model {shlex.quote(found['base'])} --adapter-path {shlex.quote(found['folder'])}"
    return [
        f"{found['name']}@{found['version']}: {found['from']}{sum_of}, on {found['base']}",
        f'Try it: mlx_lm.generate {words} --prompt "..."',
    ]


def converted_lines(found: Found) -> list[str]:
    """Where it lies, and how large it is."""
    bits = found["bits_a_weight"]
    size = f"{in_gb(found['gb_before'])} before, {in_gb(found['gb_after'])} now"
    return [f"{found['folder']}: {size}" + (f", {bits:.2f} bits a weight" if bits else "")]


def in_gb(size: float) -> str:
    """A size in GB as people write it."""
    return f"{size:.1f} GB" if size >= 1 else f"{1000 * size:.1f} MB"


# -- the comparison -------------------------------------------------------------------------------------------------


def comparison_lines(found: Found) -> list[str]:
    """The table, then the answers side by side."""
    loss, perplexity, capability = found["loss"], found["perplexity"], found["capability"]
    lines = [
        f"{found['trained']} ({found['kind']}) beside {found['start']}",
        f"on {found['rows']:,} held-out rows, {found['tokens']:,} answer tokens; mean (95 % interval)",
        "",
        row("", "before", "after"),
        row("loss, nats a token", shown(loss["before"]), shown(loss["after"])),
        row("perplexity", shown(perplexity["before"]), shown(perplexity["after"])),
        row("loss that a row lost", "", f"{shown(loss['gain'], '+')}: {verdict(loss['gain'])}"),
        row("KL, nats a token", "", shown(found["kl"])),
        row("entropy, nats a token", "", shown(found["entropy"])),
    ]
    if preferences := found["preferences"]:
        likelier = preferences["likelier"]
        lines += [
            row("chosen is likelier", shown(likelier["before"]), shown(likelier["after"])),
            row("preference accuracy", "", f"{shown(preferences['accuracy'])}, n = {preferences['accuracy']['n']}"),
            row("margin, nats", "", shown(preferences["margin"], "+")),
        ]
    for name, scores in capability["benchmarks"].items():
        difference = scores["difference"]
        after = f"{scores['after']:.3f}, {shown(difference, '+')}: {verdict(difference)}, n = {difference['n']}"
        lines.append(row(name, f"{scores['before']:.3f}", after))
    if capability["benchmarks"]:
        lines.append(row("capability retention", "", shown(capability["retention"])))
    lines += [f"note: {note}" for note in found["notes"]]
    lines += [f"left out: {reason}" for reason in found["left_out"][:5]]
    if more := found["left_out"][5:]:
        lines.append(f"left out: {len(more)} more")
    return [*lines, *answer_lines(found["answers"])]


def row(name: str, before: str, after: str) -> str:
    """A line of the table: what is measured, before, after."""
    return f"  {name:<24}{before:<32}{after}".rstrip()


def shown(measure: Found, sign: str = "") -> str:
    """A value with its interval, or why there is none."""
    if measure["value"] is None:
        return f"not measured ({measure['reason']})"
    ends = f" ({measure['low']:{sign}.3f} to {measure['high']:{sign}.3f})" if measure["low"] is not None else ""
    return f"{measure['value']:{sign}.3f}{ends}"


def verdict(gain: Found) -> str:
    """Better, worse, or no difference that these rows show: what the paired interval says."""
    if gain["value"] is None:
        return "not measured"
    return "better" if gain["low"] > 0 else "worse" if gain["high"] < 0 else "no difference shown"


def answer_lines(answers: Sequence[Found]) -> list[str]:
    """Each prompt with both answers, and whether they are right where something checks that."""
    lines = []
    for each in answers:
        lines += ["", printable(f"> {shorten(each['prompt'], WIDE)}")]
        for when in ("before", "after"):
            right = {True: " (right)", False: " (wrong)", None: ""}[each[f"{when}_right"]]
            lines.append(printable(f"  {when + right:<16}{shorten(each[when], WIDE) or '(nothing)'}"))
    return lines
