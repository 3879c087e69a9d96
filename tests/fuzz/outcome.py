"""What a reader makes of some bytes: hostile file in, one word out; the unplanned is a finding."""

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from unittest import mock

import numpy as np

from pcgs_engine.codec import ProgressiveDecoder, decode_level
from pcgs_engine.codec.anchor_canvas import AnchorCanvas
from pcgs_engine.codec.inspect import inspect_stream
from pcgs_engine.entropy.backend import EntropyBackend
from pcgs_engine.entropy.lane_stream import LaneDecoder
from pcgs_engine.errors import BitstreamError, MalformedError

ARRAYS = ("positions", "features", "scaling", "offsets", "gaussian_mask")
PLACE = re.compile(
    r"header|table|record \d|level \d|of level|\bbyte \d|written by format"
    r"|mETA|tHMB|MODL|CAMC|NETW|HEAD|HASH|chunk type"
)
"""What a refusal names at least."""
APPLY_ESCAPES = LaneDecoder._apply_escapes


@dataclass(frozen=True)
class Outcome:
    """`same`, `fewer levels`, `other`, or the class of the refusal."""

    word: str
    message: str = ""
    digests: tuple[bytes, ...] = ()
    content: str = ""
    """SHA-256 of everything the last ready level gives."""


def examine(
    data: bytes,
    backend: EntropyBackend,
    *,
    check_crcs: bool = True,
    reference: Outcome | None = None,
) -> Outcome:
    """Decode as far as the bytes go; every level that is ready is read.

    Any exception but BitstreamError, and any warning, leaves this function: a finding.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _inspect(data)
        decoder = ProgressiveDecoder(backend=backend, check_crcs=check_crcs)
        message, word = "", ""
        try:
            half = len(data) // 2
            decoder.feed(data[:half])
            decoder.feed(data[half:])
            decoder.finish()
        except BitstreamError as error:
            message, word = str(error), type(error).__name__
        levels = decoder.levels_ready
        digests = tuple(decoder.digest(level) for level in range(1, levels + 1))
        content = _content(decoder) if levels else ""
    if word:
        if not PLACE.search(message) or "\n" in message:
            raise AssertionError(f"message names no place or is not one line: {message!r}")
        return Outcome(word, message, digests, content)
    if reference is None or (digests, content) == (reference.digests, reference.content):
        return Outcome("same", digests=digests, content=content)
    fewer = digests == reference.digests[:levels] and levels < len(reference.digests)
    return Outcome("fewer levels" if fewer else "other", decoder.shortage, digests, content)


def check_truth(found: Outcome, reference: Outcome) -> None:
    """Raise AssertionError where levels came out that the sender did not encode."""
    if found.digests != reference.digests[: len(found.digests)]:
        raise AssertionError("damaged levels passed for good ones")
    if found.word == "other" or (
        found.digests == reference.digests and found.content != reference.content
    ):
        raise AssertionError("damage beside the levels went unnoticed")


@contextmanager
def no_digests(*, lenient: bool) -> Iterator[None]:
    """Let wrong symbols through, so that decoders run to the end.

    Args:
        lenient: whether lanes of another length than their symbols take, missing escapes and
            other counts of Gaussians pass as well.
    """
    patch = mock.patch.object
    with ExitStack() as patches:
        patches.enter_context(patch(decode_level._DecoderPort, "seal", _seal_anything))
        if lenient:
            patches.enter_context(patch(LaneDecoder, "finish", lambda _: None))
            patches.enter_context(patch(LaneDecoder, "_apply_escapes", _apply_what_is_there))
            patches.enter_context(patch(AnchorCanvas, "num_gaussians", mock.ANY))
        yield


def _seal_anything(port, kind, digest):
    if port._stream is not None:
        port._stream.decoder.finish()
        port._stream = None


def _apply_what_is_there(decoder, symbols, edges):
    with suppress(MalformedError):
        APPLY_ESCAPES(decoder, symbols, edges)


def _content(decoder: ProgressiveDecoder) -> str:
    state = hashlib.sha256()
    levels = decoder.levels_ready
    for anchors in (*map(decoder.anchors, range(1, levels + 1)), decoder.newest_anchors()):
        for name in ARRAYS:
            state.update(np.ascontiguousarray(getattr(anchors, name)).tobytes())
    state.update(repr(decoder.metadata).encode("utf-8", "replace") + decoder.thumbnail)
    state.update(decoder.camera_centres.tobytes())
    head = decoder.head
    for layer in (head.opacity_hidden, head.opacity_out, head.covariance_hidden,
                  head.covariance_out, head.color_hidden, head.color_out):  # fmt: skip
        state.update(layer.weight.tobytes() + layer.bias.tobytes())
    return state.hexdigest()


def _inspect(data: bytes) -> None:
    try:
        inspect_stream(io.BytesIO(data))
    except BitstreamError:
        return
