"""The reference model's log-probabilities of both answers of each pair: computed once, and kept on disk.

    reference = reference_logps(loaded, pairs, Path("run/reference"), identity)     (n, 2) float32, nats

They never change during preference training, so no second model is held or run. The file is named by the model and the
pairs' tokens; killed half way, the pairs that were done are not done again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import mlx.core as mx
import numpy as np

from realign.align.forward import make_scorer
from realign.align.pairs import PairTokens, answer_logps, both, in_batches
from realign.align.stores import open_store
from realign.align.tensors import freeze, read_tensors, write_tensors
from realign.engine.mlx import Loaded
from realign.errors import Interrupted, StorageError
from realign.records import make_id

SECONDS = 20.0  # between two writes


def reference_logps(
    loaded: Loaded,
    pairs: Sequence[PairTokens],
    folder: Path,
    identity: str,
    *,
    tokens: int = 4096,
    progress: Callable[[int, int], None] = lambda done, all_of_them: None,
    stopping: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """Summed log p of each pair's chosen and rejected answer under the model as it is now: (n, 2) float32.

    identity: of the model (engine/folders.py). Raises Interrupted, with what is done kept, and StorageError.
    """
    store = open_store(folder)
    data = make_id(*((pair.prompt, pair.chosen, pair.rejected) for pair in pairs))
    name = f"reference-{make_id(identity, data)}.safetensors"
    found = np.full((len(pairs), 2), math.nan, np.float32)
    if name in store.names():
        with store.open(name) as file:
            found = np.array(read_tensors(file)[0]["logps"])

    def write() -> None:
        frozen = freeze({"logps": mx.array(found)})
        try:
            store.write(name, lambda file: write_tensors(file, frozen, {"model": identity}))
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"{folder / name} can't be written ({reason})", "a folder with room") from error

    left = np.flatnonzero(np.isnan(found).any(axis=1)).tolist()
    written = time.monotonic()
    scorer = make_scorer(loaded.model, 0)
    for rows, arrays in in_batches(scorer, [pairs[row] for row in left], tokens) if left else ():
        if stopping():
            write()
            raise Interrupted("Reading the reference was stopped", fix="the same command goes on where it stopped")
        found[[left[row] for row in rows]] = both(answer_logps(scorer, arrays)[0])
        progress(int(np.isfinite(found[:, 0]).sum()), len(pairs))
        if time.monotonic() - written > SECONDS:
            write()
            written = time.monotonic()
    if left:
        write()
    return found
