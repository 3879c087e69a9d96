"""Time by stage of a decoder: wraps its functions from outside, for this process only.

Time belongs to the innermost stage; what a stage marked as whole calls counts to that stage.
"""

import functools
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pcgs_engine.bitstream import ChunkType
from pcgs_engine.codec import coding_order, decode_level, decoder
from pcgs_engine.entropy import context_model, level_distributions

__all__ = ["Stopwatch", "watch_decoder"]

DECODED = {
    ChunkType.FEATURES: "features, entropy decoding",
    ChunkType.SCALING: "scaling, entropy decoding",
    ChunkType.OFFSETS: "offsets, entropy decoding",
}


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._stack: list[str] = []
        self._whole = ""
        self._since = 0.0

    def measure(self, stage: str, work: Callable[[], Any], *, whole: bool = False) -> Any:  # noqa: ANN401
        """Do `work` as `stage`; returns its result."""
        if self._whole:
            return work()
        self._settle()
        self._stack.append(stage)
        self._whole = stage if whole else ""
        try:
            return work()
        finally:
            self._settle()
            self._stack.pop()
            self._whole = ""

    def _settle(self) -> None:
        now = time.perf_counter()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def wrap(self, owner: object, name: str, stage: str, *, whole: bool = False) -> None:
        """Replace `owner.name` by itself, measured."""
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def measured(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            return self.measure(stage, lambda: inner(*arguments, **named), whole=whole)

        setattr(owner, name, measured)


def watch_decoder(watch: Stopwatch) -> None:
    """Wrap what `ProgressiveDecoder` calls."""
    watch.wrap(decode_level, "decode_positions", "positions", whole=True)
    watch.wrap(context_model, "hash_features", "hash features", whole=True)
    watch.wrap(context_model.ContextModel, "anchor_context", "networks")
    laws = level_distributions.FeatureLaws
    for owner, name in (
        (laws, "__init__"), (laws, "group"), (laws, "know"),
        (level_distributions.LevelDistributions, "offsets"),
    ):  # fmt: skip
        watch.wrap(owner, name, "networks")
    watch.wrap(coding_order, "mask_inputs", "masks", whole=True)
    watch.wrap(coding_order, "_masks", "masks", whole=True)
    watch.wrap(decoder, "decode_scene", "shared chunks", whole=True)
    watch.wrap(decoder, "refinement_laws", "refinement", whole=True)
    watch.wrap(decoder, "decode_refinement", "refinement", whole=True)
    watch.wrap(coding_order, "_sealed", "digests", whole=True)
    opened = decode_level._DecoderPort.open

    def open_measured(
        port: decode_level._DecoderPort,
        kind: ChunkType,
        rows: int,
        symbols_per_row: int,
    ) -> coding_order.SymbolStream:
        stream = opened(port, kind, rows, symbols_per_row)
        watch.wrap(stream, "code", DECODED.get(kind, kind.name.lower()), whole=True)
        return stream

    decode_level._DecoderPort.open = open_measured  # type: ignore[method-assign]
