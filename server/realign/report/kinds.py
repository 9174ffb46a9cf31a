"""What a report calls the rows of each data type, and which numbers of it are read first.

KINDS["dpo"].noun, KINDS["dpo"].highlights
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """noun: one row, in words; fields: what a trainer reads of it; tags: for the hub; highlights: gates shown first."""

    noun: str
    fields: str
    tags: tuple[str, ...]
    highlights: tuple[str, ...]


PAIRS = ("preference gap", "agreement", "length bias", "decontamination")
GROUNDED = ("calibration error", "citation accuracy", "factuality", "hallucination rate")
TASKS = ("verifiability", "verifier false positives", "verifier coverage", "pass rate")
CHATS = ("quality score", "IFD", "decontamination")
REWARDED = ("quality score", "IFD", "preference gap", "agreement")
KINDS: dict[str, Kind] = {
    "dpo": Kind("preference pair", "prompt, chosen, rejected", ("preference", "dpo", "trl"), PAIRS),
    "sft": Kind("chat", "messages", ("sft", "instruction-tuning"), CHATS),
    "srf": Kind("chat", "messages", ("sft", "preference", "reward-model"), REWARDED),
    "rlvr": Kind("task", "prompt, answer, verifier", ("rlvr", "verifiable-rewards"), TASKS),
    "anti_hallucination": Kind("chat", "messages", ("grounding", "factuality", "refusal"), GROUNDED),
}
