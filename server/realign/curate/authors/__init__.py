"""Authors make prompts and completions: the extractive one by rules, or any model through an engine.

`author_identity` says what an author's output depends on, so that a change of model makes the stages after it stale.
"""

from __future__ import annotations


def author_identity(spec: str) -> str:
    """What tells this author or judge from another: its name, or a hash of the model's files."""
    if spec == "extractive":
        return spec
    from realign.engine import identity_of

    return identity_of(spec)
