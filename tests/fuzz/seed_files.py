"""The small valid files that fuzzing starts from: different heads, laws, levels and lanes."""

from dataclasses import replace

from synthetic_model import small_config, synthetic_model

from pcgs_engine.codec import encode_chunks
from pcgs_engine.codec.encoded_scene import FileChunk
from pcgs_engine.codec.plan_refinements import RefinementPlan
from pcgs_engine.config import Head

THUMBNAIL = b"\xff\xd8\xff\xe0 not decoded here"
QUALITY = {"levels": [{"level": 1, "psnr": 20.0, "ssim": 0.5}]}


def seed_files() -> list[bytes]:
    """Return the files; the first ones are the quickest to decode."""
    two, neural = small_config(2), small_config(3, head=Head.NEURAL)
    return [
        _file(synthetic_model(10, config=two, mask_net=True, seed=1), 2),
        _file(synthetic_model(24, config=neural, ranks=1, seed=2), 1, unknown=True),
        _file(synthetic_model(280, config=two, seed=3), 3),
    ]


def _file(model, packages: int, *, unknown: bool = False) -> bytes:
    plan = RefinementPlan(packages=packages, first_worth=-1.0, last_worth=-1.0)
    scene = encode_chunks(model, plan=plan)
    if unknown:
        last = scene.chunks[-1]
        extra = FileChunk(code=b"xTRA", level=last.level, count=1, data=b"new", digest=last.digest)
        scene = replace(scene, chunks=(*scene.chunks, extra))
    return scene.to_bytes(QUALITY, THUMBNAIL)
