"""Files of hand-made chunks: right in everything but the content, which nobody decodes here."""

import numpy as np

from pcgs_engine.bitstream import NO_DIGEST, ChunkType, chained_digest, holds_integers, level_chunks
from pcgs_engine.codec.encoded_scene import EncodedLevel, EncodedScene, FileChunk

METADATA = {
    "title": "sample",
    "levels": [{"level": s, "psnr": 20.0 + s, "ssim": 0.5 + s / 10} for s in (1, 2, 3)],
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(100))
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(100))


def sample_scene(packages=(0, 3, 2), *, seed=0, mean_size=40):
    """Return a scene with that many refinement packages per level; chunk sizes are random."""
    rng = np.random.default_rng(seed)
    scene = (ChunkType.MODEL, ChunkType.CAMERAS, ChunkType.NETWORKS, ChunkType.HEAD)
    order = [(0, kind, 0) for kind in (*scene, ChunkType.HASH_GRID)]
    for level, parts in enumerate(packages, start=1):
        order += [(level, kind, 0) for kind in level_chunks(level)]
        order += [(level, ChunkType.REFINEMENTS, part) for part in range(1, parts + 1)]
    chunks, digest = [], NO_DIGEST
    for level, kind, part in order:
        data = rng.bytes(int(rng.integers(1, 2 * mean_size)))
        if level and holds_integers(kind):
            digest = chained_digest(digest, data)
        chunks.append(
            FileChunk(
                code=kind.value, level=level, part=part, count=len(data), data=data, digest=digest
            )
        )
    levels = tuple(
        EncodedLevel(anchors=10 * level, gaussians=25 * level)
        for level in range(1, len(packages) + 1)
    )
    return EncodedScene(chunks=tuple(chunks), levels=levels)


def sample_file(packages=(0, 3, 2), *, metadata=METADATA, thumbnail=PNG, seed=0, mean_size=40):
    """Return the bytes of such a file."""
    scene = sample_scene(packages, seed=seed, mean_size=mean_size)
    return scene.to_bytes(metadata, thumbnail)


def ancillary(level, digest=NO_DIGEST, data=b"anything"):
    """Return a chunk of unknown type that readers skip."""
    return FileChunk(code=b"xTRA", level=level, count=1, data=data, digest=digest)
