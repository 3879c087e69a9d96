"""Files that a forger would write: one lie each, all checksums right. A valid file in, bytes out.

Each entry: what the lie is, which error readers raise, a piece of the message that names the place.
`python tests/fuzz/crafted_files.py` writes those that once broke a reader to `findings/`.
"""

import json
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
sys.path[:0] = [str(p) for p in (FUZZ.parents[1], FUZZ, FUZZ.parent / "engine" / "codec")]

import numpy as np  # noqa: E402
from hostile_file import HostileFile  # noqa: E402

from pcgs_engine.bitstream import NO_DIGEST, chained_digest  # noqa: E402
from pcgs_engine.entropy.backend import EntropyBackend  # noqa: E402
from pcgs_engine.entropy.octree import encode_positions  # noqa: E402
from pcgs_engine.entropy.positions import coding_order  # noqa: E402

FINDINGS = FUZZ / "findings"
CUBE = 21
"""Points a side: 9261 rows in one lane."""
MALFORMED, LIMIT = "MalformedError", "LimitExceededError"
VERSION, DIGEST = "UnsupportedVersionError", "ChecksumError"
Change = Callable[[HostileFile], HostileFile | bytes]


@dataclass(frozen=True)
class Crafted:
    """One lie."""

    change: Change
    error: str
    place: str
    """Regular expression that the message holds."""

    def bytes_of(self, valid: bytes) -> bytes:
        """Return the hostile file."""
        made = self.change(HostileFile.parse(valid))
        return made if isinstance(made, bytes) else made.build()


def varint(value: int) -> bytes:
    """Return LEB128."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def joined(*streams: bytes) -> bytes:
    """Return a stream list."""
    return b"".join(struct.pack("<I", len(s)) + s for s in streams)


def header(**fields: int) -> Change:
    """Lie in the header."""
    return lambda f: replace(f, header=fields)


def level(at: int, **fields: int) -> Change:
    """Lie in a level record; `all` raises the later levels as well."""
    names = ("level", "anchors", "gaussians")

    def change(f: HostileFile) -> HostileFile:
        records = list(f.levels)
        records[at] = tuple(fields.get(n, v) for n, v in zip(names, records[at], strict=True))
        return replace(f, levels=tuple(records))

    return change


def anchors(count: int) -> Change:
    """Claim many anchors at every level."""
    return lambda f: replace(f, levels=tuple((s, count, count) for s, _, _ in f.levels))


def record(kind: bytes, **fields: object) -> Change:
    """Lie in a chunk record."""

    def change(f: HostileFile) -> HostileFile:
        chunks, at = list(f.chunks), f.index(kind)
        chunks[at] = replace(chunks[at], **fields)
        return replace(f, chunks=tuple(chunks))

    return change


def listed(change: Callable[[list], list]) -> Change:
    """Change the list of chunks."""
    return lambda f: replace(f, chunks=tuple(change(list(f.chunks))))


def chunk(code: bytes, change: bytes | Callable[[bytes], bytes]) -> Change:
    """Replace the bytes of the first chunk of a type."""
    return lambda f: f.with_data(
        code, change if isinstance(change, bytes) else change(f.data(code))
    )


def inflated(code: bytes, change: Callable[[bytearray], bytes | bytearray]) -> Change:
    """Change what a zlib chunk holds."""
    return chunk(code, lambda d: zlib.compress(bytes(change(bytearray(zlib.decompress(d))))))


def model(**fields: object) -> Change:
    """Lie in MODL; keys of its inner objects are found by name."""

    def change(data: bytes) -> bytes:
        values = json.loads(data)
        inner = values["model"]
        for key, value in fields.items():
            places = (values, inner, inner["hash_grid"], inner["context"])
            place = next((p for p in places if key in p), values)
            place[key] = value
        return json.dumps(values).encode()

    return chunk(b"MODL", change)


def put(at: int, value: bytes) -> Callable[[bytearray], bytearray]:
    """Overwrite bytes; negative places count from the end."""

    def change(raw: bytearray) -> bytearray:
        begin = at % len(raw)
        raw[begin : begin + len(value)] = value
        return raw

    return change


def hash_streams(box: bytes, probability: bytes, stream: bytes) -> bytes:
    """Return a HASH chunk."""
    return joined(box, joined(probability, stream))


def repeated_block(f: HostileFile) -> HostileFile:
    """Name the blocks of the first package in the second one again."""
    first, second = (i for i, c in enumerate(f.chunks) if c.code == b"REFN")
    return f.with_data(second, f.chunks[first].data)


def many_anchors_in_a_lane(f: HostileFile) -> HostileFile:
    """Pack a cube of points into a few bytes, and all their features into one lane of none."""
    axis = np.arange(CUBE, dtype=np.int32)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    points = points[coding_order(points)]
    f = anchors(len(points))(f)
    f = f.with_data(b"POSN", encode_positions(points, EntropyBackend.NUMPY))
    digest = chained_digest(NO_DIGEST, points.astype("<i4").tobytes())
    f = record(b"POSN", digest=digest)(f)
    return f.with_data(b"FEAT", varint(65536) + b"\1\0")


BOX = struct.pack("<6q", 0, 0, 0, 4096, 4096, 4096)
HEADERS = {
    "header-levels-zero": Crafted(header(levels=0), MALFORMED, "table|levels"),
    "header-levels-17": Crafted(header(levels=17), LIMIT, "level count is 17"),
    "header-levels-most": Crafted(header(levels=2**32 - 1), LIMIT, "level count"),
    "header-anchors-most": Crafted(header(anchors=2**32 - 1), LIMIT, "anchor count"),
    "header-anchors-per-byte": Crafted(header(anchors=1 << 24), LIMIT, "anchor count"),
    "header-anchors-other": Crafted(header(anchors=9), MALFORMED, "last level has"),
    "header-chunks-most": Crafted(header(chunks=2**32 - 1), LIMIT, "chunk count"),
    "header-chunks-zero": Crafted(header(chunks=0), MALFORMED, "table of"),
    "header-table-most": Crafted(header(table=2**32 - 1), LIMIT, "table size"),
    "header-table-zero": Crafted(header(table=0), MALFORMED, "table of 0 bytes"),
    "header-size-zero": Crafted(header(file_size=0), "LimitExceededError", "anchor count"),
    "header-size-most": Crafted(header(file_size=2**64 - 1), MALFORMED, "chunks end at byte"),
    "header-version-draft": Crafted(header(major=0, minor=2), VERSION, "format 0.2"),
    "header-version-most": Crafted(header(major=65535, minor=65535), VERSION, "65535.65535"),
    "header-version-next": Crafted(header(minor=1), VERSION, "format 1.1"),
    "header-flags": Crafted(header(flags=1), VERSION, "flags 1"),
    "header-profile": Crafted(header(profile=1), VERSION, "profile 1"),
    "header-bank": Crafted(header(bank=2**32 - 1), VERSION, "table bank"),
}
TABLE = {
    "level-falls": Crafted(level(0, anchors=1000), MALFORMED, "level 2 has|anchors"),
    "level-gaussians-fall": Crafted(level(0, gaussians=2**32 - 1), MALFORMED, "level 2 has"),
    "level-twice": Crafted(level(1, level=1), MALFORMED, "record 2 is of level 1"),
    "level-number-most": Crafted(level(0, level=65535), MALFORMED, "record 1|level"),
    "level-gaussians-other": Crafted(level(1, gaussians=9999), MALFORMED, "level 2: .* Gaussians"),
    "level-anchors-beyond-positions": Crafted(anchors(1 << 18), LIMIT, "level 1: anchors"),
    "level-anchors-zero": Crafted(anchors(0), MALFORMED, "positions of no anchors"),
    "chunk-type-no-letters": Crafted(record(b"FEAT", code=b"\0\xff\n1"), MALFORMED, "four letters"),
    "chunk-type-unknown": Crafted(record(b"FEAT", code=b"QQQQ"), VERSION, "QQQQ"),
    "chunk-type-unknown-skipped": Crafted(
        record(b"FEAT", code=b"qQQQ"), MALFORMED, "level 1: chunk"
    ),
    "chunk-level-most": Crafted(record(b"OFFS", level=65535), MALFORMED, "OFFS of level 65535"),
    "chunk-level-falls": Crafted(record(b"OFFS", level=0), MALFORMED, "OFFS of level 0"),
    "chunk-part": Crafted(record(b"REFN", part=0), MALFORMED, "wanted REFN part 1"),
    "chunk-part-most": Crafted(record(b"REFN", part=65535), MALFORMED, "REFN part 65535"),
    "chunk-missing": Crafted(listed(lambda c: c[:4] + c[5:]), MALFORMED, "level 0: chunk"),
    "chunk-last-missing": Crafted(
        listed(lambda c: [x for x in c if x.code != b"OFFS"]), MALFORMED, "level 1: chunk"
    ),
    "chunk-twice": Crafted(listed(lambda c: [*c[:3], c[2], *c[3:]]), MALFORMED, "level 0: chunk"),
    "chunk-order": Crafted(listed(lambda c: [c[1], c[0], *c[2:]]), MALFORMED, "level 0: chunk"),
    "chunk-digest-of-none": Crafted(
        record(b"GAIN", digest=b"x" * 8), MALFORMED, "holds no integers"
    ),
    "chunk-digest-of-scene": Crafted(record(b"MODL", digest=b"x" * 8), MALFORMED, "no integers"),
    "chunk-digest": Crafted(record(b"SCAL", digest=b"x" * 8), DIGEST, "SCAL of level 1"),
    "chunks-none": Crafted(listed(lambda _: []), MALFORMED, "level 0|chunk"),
}
MODELS = {
    "model-voxel-size-infinite": Crafted(
        chunk(b"MODL", lambda d: d.replace(b'"voxel_size":0.00390625', b'"voxel_size":1e400')),
        MALFORMED,
        "MODL",
    ),
    "model-json-nested-deeply": Crafted(
        chunk(b"MODL", b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), MALFORMED, "MODL"
    ),
    "model-hash-grid-oversized": Crafted(
        model(resolutions_3d=[512] * 63, log2_table_3d=20, features_per_level=8),
        LIMIT,
        "MODL: hash grid signs",
    ),
    "model-networks-oversized": Crafted(
        model(feature_dim=256, feature_chunks=256, channel_hidden=1024, hash_hidden=1024),
        LIMIT,
        "NETW: weights",
    ),
    "model-resolutions": Crafted(model(resolutions_3d=[65537]), MALFORMED, "resolutions"),
    "model-resolutions-none": Crafted(
        model(resolutions_3d=[], resolutions_2d=[]), MALFORMED, "resolutions"
    ),
    "model-resolutions-many": Crafted(model(resolutions_2d=[4] * 65), MALFORMED, "resolutions"),
    "model-levels-fewer": Crafted(model(num_levels=1), MALFORMED, "levels"),
    "model-levels-17": Crafted(model(num_levels=17), MALFORMED, "num_levels"),
    "model-step-zero": Crafted(model(feature_step=0.0), MALFORMED, "feature_step"),
    "model-step-tiny": Crafted(model(offset_step=1e-12), MALFORMED, "quantization step"),
    "model-voxel-size-negative": Crafted(model(voxel_size=-1.0), MALFORMED, "MODL"),
    "model-voxel-size-integer": Crafted(model(voxel_size=1), MALFORMED, "MODL"),
    "model-ranks-zero": Crafted(model(ranks=0), MALFORMED, "ranks is 0"),
    "model-ranks-17": Crafted(model(ranks=17), MALFORMED, "ranks is 17"),
    "model-ranks-true": Crafted(model(ranks=True), MALFORMED, "ranks is True"),
    "model-key-unknown": Crafted(model(surprise=1), MALFORMED, "surprise"),
    "model-is-a-list": Crafted(model(model=[]), MALFORMED, "MODL"),
    "model-head-unknown": Crafted(model(head="other"), MALFORMED, "head"),
    "model-dimension-boolean": Crafted(model(feature_dim=True), MALFORMED, "feature_dim"),
    "model-dimension-huge": Crafted(model(feature_dim=10**4000), MALFORMED, "feature_dim"),
    "model-offsets-zero": Crafted(model(num_offsets=0), MALFORMED, "num_offsets"),
    "model-chunks-do-not-divide": Crafted(model(feature_chunks=5), MALFORMED, "feature_dim"),
    "model-is-text": Crafted(chunk(b"MODL", b"\xff\xfe"), MALFORMED, "MODL"),
    "metadata-integer-no-float-holds": Crafted(
        chunk(b"mETA", b'{"levels":[{"level":1,"psnr":1' + b"0" * 400 + b"}]}"), "", ""
    ),
    "metadata-is-too-large": Crafted(chunk(b"mETA", b" " * ((4 << 20) + 1)), LIMIT, "mETA"),
    "metadata-infinite": Crafted(chunk(b"mETA", b'{"a": 1e999}'), MALFORMED, "mETA"),
    "thumbnail-is-too-large": Crafted(chunk(b"tHMB", bytes(65537)), LIMIT, "tHMB"),
}
NETS = {
    "cameras-size": Crafted(chunk(b"CAMC", bytes(13)), MALFORMED, "CAMC"),
    "cameras-nan": Crafted(chunk(b"CAMC", b"\xff" * 12), MALFORMED, "CAMC: a camera"),
    "weights-zlib-bomb": Crafted(chunk(b"NETW", zlib.compress(bytes(1 << 26))), MALFORMED, "NETW"),
    "weights-no-zlib": Crafted(chunk(b"NETW", b"\0" * 99), MALFORMED, "NETW: damaged zlib"),
    "weights-minus-128": Crafted(inflated(b"NETW", put(0, b"\x80")), MALFORMED, "NETW"),
    "weights-sum": Crafted(inflated(b"NETW", lambda r: b"\x7f" * len(r)), MALFORMED, "NETW"),
    "scale-infinite": Crafted(inflated(b"NETW", put(-1, b"\x7f")), MALFORMED, "NETW: a scale"),
    "scale-negative": Crafted(inflated(b"TNET", put(-1, b"\xbf")), MALFORMED, "TNET: a scale"),
    "scale-zero": Crafted(
        inflated(b"TNET", lambda r: r[:-12] + bytes(12)), MALFORMED, "TNET: a scale"
    ),
    "scales-huge": Crafted(
        inflated(b"NETW", lambda r: r[:-160] + b"\x7e" * 160),
        MALFORMED, "NETW: a scale",
    ),
    "gain-nan": Crafted(inflated(b"GAIN", lambda r: b"\xff" * len(r)), MALFORMED, "level 1: GAIN"),
    "gain-size": Crafted(inflated(b"GAIN", lambda r: r + b"\0"), MALFORMED, "level 1: GAIN"),
    "head-bias-infinite": Crafted(inflated(b"HEAD", put(-1, b"\x7c")), MALFORMED, "HEAD: a bias"),
    "head-size": Crafted(inflated(b"HEAD", lambda r: r[:-1]), MALFORMED, "HEAD"),
    "hash-chunk-empty": Crafted(chunk(b"HASH", b""), MALFORMED, "HASH: chunk ends"),
    "hash-box-negative": Crafted(
        chunk(b"HASH", lambda d: joined(struct.pack("<6q", 0, 0, 0, -1, 0, 0), d[56:])),
        MALFORMED, "HASH: box",
    ),
    "hash-box-most": Crafted(
        chunk(b"HASH", lambda d: joined(b"\0\0\0\0\0\0\0\x80" * 6, d[56:])),
        MALFORMED, "HASH: box",
    ),
    "hash-box-short": Crafted(chunk(b"HASH", joined(b"box", b"")), MALFORMED, "HASH: box"),
    "hash-probability-zero": Crafted(
        chunk(b"HASH", hash_streams(BOX, b"\0\0", b"\x01\0")), MALFORMED, "HASH: bit probability"
    ),
}  # fmt: skip
STREAMS = {
    "positions-depth": Crafted(
        chunk(b"POSN", b"\0\0\0\x16\0"), MALFORMED, "POSN of level 1: octree has depth 22"
    ),
    "positions-lattices": Crafted(
        chunk(b"POSN", b"\0\0\0\x05\xff"), MALFORMED, "POSN of level 1: .*lattices"
    ),
    "positions-corner": Crafted(
        chunk(b"POSN", b"\xff\xff\xff\xff\x7f" * 3 + b"\x05\0"),
        MALFORMED,
        "POSN of level 1: .*32-bit",
    ),
    "positions-too-many": Crafted(
        chunk(b"POSN", b"\0\0\0\0\0"), MALFORMED, "POSN of level 1: .* cannot hold"
    ),
    "positions-lane-most": Crafted(
        chunk(b"POSN", b"\0\0\0\x05\0\xff\xff\xff\xff\x7f"),
        MALFORMED,
        "POSN of level 1: octree lane",
    ),
    "positions-empty": Crafted(chunk(b"POSN", b""), LIMIT, "level 1: anchors"),
    "ranks-empty": Crafted(chunk(b"RANK", b""), MALFORMED, "RANK of level 2: chunk ends"),
    "ranks-never": Crafted(chunk(b"RANK", joined(bytes(4), b"\x01\0")), MALFORMED, "RANK: table"),
    "ranks-table": Crafted(chunk(b"RANK", joined(bytes(5), b"")), MALFORMED, "RANK: table"),
    "mask-law-unknown": Crafted(chunk(b"MASK", joined(b"\x02", b"")), MALFORMED, "MASK: law"),
    "mask-law-none": Crafted(chunk(b"MASK", joined(b"", b"")), MALFORMED, "MASK: law"),
    "mask-probability-zero": Crafted(
        chunk(b"MASK", joined(bytes(45), b"\x01\0")), MALFORMED, "MASK: bit probability"
    ),
    "mask-net-width": Crafted(
        chunk(b"MASK", joined(b"\x01\0\x01\x01" + bytes(9), b"")), MALFORMED, "MASK: net"
    ),
    "mask-net-flags": Crafted(
        chunk(b"MASK", joined(b"\x01\x04\x02\xff", b"")), MALFORMED, "MASK: net"
    ),
    "mask-net-empty": Crafted(
        chunk(b"MASK", joined(b"\x01\xff\x01\x01", b"")), MALFORMED, "MASK of level 1"
    ),
    "mask-net-spreads": Crafted(
        chunk(b"MASK", joined(b"\x01\x04\x01\x01" + b"\xff" * 99, b"")),
        MALFORMED,
        "MASK of level 1",
    ),
    "stream-length-most": Crafted(
        chunk(b"MASK", b"\xff\xff\xff\xff"), MALFORMED, "stream of 4294967295"
    ),
    "lane-rows-zero": Crafted(
        chunk(b"FEAT", b"\0\0"), MALFORMED, "FEAT of level 1: 0 rows per lane"
    ),
    "lane-rows-most": Crafted(
        chunk(b"FEAT", varint(2**35 - 1) + b"\0"), MALFORMED, "rows per lane"
    ),
    "lane-varint": Crafted(chunk(b"FEAT", b"\xff" * 9), MALFORMED, "FEAT of level 1: integer"),
    "lane-size-most": Crafted(
        chunk(b"FEAT", varint(65536) + varint(2**35 - 1)),
        MALFORMED,
        "FEAT of level 1: lanes end at byte",
    ),
    "lane-of-no-bytes": Crafted(chunk(b"FEAT", varint(65536) + b"\0"), MALFORMED, "integer|lane 0"),
    "lane-of-many-symbols": Crafted(
        many_anchors_in_a_lane, MALFORMED, "FEAT of level 1: a lane has"
    ),
    "refinement-blocks-none": Crafted(
        chunk(b"REFN", joined(b"\0", b"")), MALFORMED, "REFN refines 0"
    ),
    "refinement-blocks-most": Crafted(
        chunk(b"REFN", joined(varint(2**35 - 1), b"")), MALFORMED, "REFN refines 34359738367"
    ),
    "refinement-group": Crafted(
        chunk(b"REFN", joined(b"\x01\xff\x7f\0", b"")), MALFORMED, "REFN names block"
    ),
    "refinement-channel": Crafted(
        chunk(b"REFN", joined(b"\x01\0\xff\x7f", b"")), MALFORMED, "REFN names block"
    ),
    "refinement-block-twice": Crafted(
        chunk(b"REFN", joined(b"\x02\0\0\0\0", b"")), MALFORMED, "REFN refines a block twice"
    ),
    "refinement-twice-in-level": Crafted(
        repeated_block, MALFORMED, "REFN part 2 of level 2: .* is refined twice"
    ),
    "refinement-tail": Crafted(
        chunk(b"REFN", joined(b"\x01\0\0\0", b"")), MALFORMED, "after the last block of REFN"
    ),
}

CRAFTED = {**HEADERS, **TABLE, **MODELS, **NETS, **STREAMS}
ONCE_BROKE = (
    "hash-chunk-empty", "lane-of-many-symbols", "metadata-infinite",
    "metadata-integer-no-float-holds", "model-hash-grid-oversized", "model-json-nested-deeply",
    "model-networks-oversized", "model-voxel-size-infinite", "scales-huge", "weights-zlib-bomb",
)  # fmt: skip
"""Kept as files: what each did is in findings/README.md."""


def main() -> None:
    """Write the findings anew, after the format has changed."""
    from seed_files import seed_files

    valid = seed_files()[0]
    for name in ONCE_BROKE:
        (FINDINGS / f"{name}.bin").write_bytes(CRAFTED[name].bytes_of(valid))


if __name__ == "__main__":
    main()
