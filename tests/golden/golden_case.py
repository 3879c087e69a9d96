"""The golden files: names, how each is encoded, and the facts that `golden.json` holds of one."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from stored_model import load_model

from pcgs_engine.bitstream import Header
from pcgs_engine.codec import ProgressiveDecoder, encode_chunks
from pcgs_engine.codec.plan_refinements import RefinementPlan
from pcgs_engine.entropy.backend import EntropyBackend

FOLDER = Path(__file__).resolve().parent
FACTS = FOLDER / "golden.json"
ARRAYS = ("positions", "features", "scaling", "offsets", "gaussian_mask")
HEAD = (
    "opacity_hidden", "opacity_out", "covariance_hidden", "covariance_out", "color_hidden",
    "color_out",
)  # fmt: skip
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060"
    "0000000400012d4b55e70000000049454e44ae426082"
)
"""A PNG of one black pixel."""


@dataclass(frozen=True)
class GoldenCase:
    """One file and the model it was encoded from."""

    name: str
    plan: RefinementPlan
    metadata: dict[str, object]
    thumbnail: bytes = b""

    @property
    def file(self) -> Path:
        """Return where the `.pcgs` file is."""
        return FOLDER / f"{self.name}.pcgs"

    @property
    def model(self) -> Path:
        """Return where the stored model is."""
        return FOLDER / f"{self.name}.npz"

    def encoded(self, backend: EntropyBackend) -> bytes:
        """Encode the stored model again."""
        scene = encode_chunks(load_model(self.model), backend=backend, plan=self.plan)
        return scene.to_bytes(self.metadata, self.thumbnail)


CASES = (
    GoldenCase("explicit", RefinementPlan(packages=4), {"title": "golden"}),
    GoldenCase(
        "neural",
        RefinementPlan(packages=6, first_worth=-1.0, last_worth=-1.0),
        {"levels": [{"level": 1, "psnr": 20.5, "ssim": 0.5}, {"level": 3, "psnr": 24.0}]},
        PIXEL,
    ),
    GoldenCase("trained", RefinementPlan(), {"levels": []}),
)


def decoded(data: bytes, backend: EntropyBackend) -> ProgressiveDecoder:
    """Decode all levels."""
    decoder = ProgressiveDecoder(backend=backend)
    decoder.feed(data)
    decoder.finish()
    return decoder


def facts_of(data: bytes, backend: EntropyBackend) -> dict[str, object]:
    """Return what a reader must find in a file."""
    decoder = decoded(data, backend)
    header, table = decoder.header, decoder.table
    assert isinstance(header, Header)
    assert decoder.complete
    return {
        "format": header.format_version,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "chunks": [f"{c.name}: {c.size} bytes, digest {c.digest.hex()}" for c in table.chunks],
        "levels": [_level(decoder, level) for level in range(1, header.levels + 1)],
        "cameras": _sha256(decoder.camera_centres),
        "head": {name: _sha256(getattr(decoder.head, name).weight) for name in HEAD},
        "biases": {name: _sha256(getattr(decoder.head, name).bias) for name in HEAD},
        "metadata": decoder.metadata,
        "thumbnail_bytes": len(decoder.thumbnail),
    }


def stored_facts() -> dict[str, dict[str, object]]:
    """Return the facts of every golden file."""
    facts: dict[str, dict[str, object]] = json.loads(FACTS.read_text(encoding="utf-8"))
    return facts


def _level(decoder: ProgressiveDecoder, level: int) -> dict[str, object]:
    anchors = decoder.anchors(level)
    digest = decoder.digest(level).hex()
    found = {name: _sha256(getattr(anchors, name)) for name in ARRAYS}
    return {"anchors": len(anchors), "gaussians": anchors.num_gaussians, "digest": digest, **found}


def _sha256(array: np.ndarray) -> str:
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return f"{little.dtype.str} {list(array.shape)} {hashlib.sha256(little.tobytes()).hexdigest()}"
