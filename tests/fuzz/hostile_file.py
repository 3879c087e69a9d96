"""A `.pcgs` file taken apart, so that tests can lie in one place and seal the rest correctly."""

import struct
import zlib
from dataclasses import dataclass, field, replace

HEADER_SIZE, LEVEL_RECORD, CHUNK_RECORD = 64, 16, 32
HEADER_FIELDS = {
    "major": (8, "<H"), "minor": (10, "<H"), "flags": (12, "<I"), "levels": (16, "<I"),
    "anchors": (20, "<I"), "file_size": (24, "<Q"), "chunks": (32, "<I"), "table": (36, "<I"),
    "profile": (40, "<I"), "bank": (44, "<I"),
}  # fmt: skip


@dataclass(frozen=True)
class HostileChunk:
    """One chunk; sizes and CRC follow from the data unless told otherwise."""

    code: bytes
    level: int
    part: int
    count: int
    data: bytes
    decoded_size: int
    digest: bytes


@dataclass(frozen=True)
class HostileFile:
    """Everything a file says; `build` makes it consistent."""

    levels: tuple[tuple[int, int, int], ...]  # level, anchors, gaussians
    chunks: tuple[HostileChunk, ...]
    header: dict[str, int] = field(default_factory=dict)
    """Header fields that lie."""

    @classmethod
    def parse(cls, data: bytes) -> "HostileFile":
        """Take a valid file apart."""
        levels, chunks = (int.from_bytes(data[at : at + 4], "little") for at in (16, 32))
        first = HEADER_SIZE + levels * LEVEL_RECORD
        at, found = first + chunks * CHUNK_RECORD + 8, []
        for place in range(first, first + chunks * CHUNK_RECORD, CHUNK_RECORD):
            record = struct.unpack_from("<4sHHIIII8s", data, place)
            code, level, part, count, size, decoded, _, digest = record
            at += -at % 8
            content = data[at : at + size]
            found.append(HostileChunk(code, level, part, count, content, decoded, digest))
            at += size
        records = []
        for place in range(HEADER_SIZE, first, LEVEL_RECORD):
            level, _, anchors, gaussians, _ = struct.unpack_from("<HHIII", data, place)
            records.append((level, anchors, gaussians))
        return cls(levels=tuple(records), chunks=tuple(found))

    def index(self, code: bytes, level: int = 0) -> int:
        """Return where the first chunk of a type stands."""
        return next(
            i for i, c in enumerate(self.chunks) if c.code == code and c.level in (level, c.level)
        )

    def data(self, code: bytes) -> bytes:
        """Return the bytes of the first chunk of a type."""
        return self.chunks[self.index(code)].data

    def with_data(self, at: int | bytes, data: bytes) -> "HostileFile":
        """Return a copy where a chunk (index, or first of a type) holds other bytes."""
        place = at if isinstance(at, int) else self.index(at)
        chunks = list(self.chunks)
        chunks[place] = replace(chunks[place], data=data)
        return replace(self, chunks=tuple(chunks))

    def build(self) -> bytes:
        """Return the bytes: right offsets, sizes and checksums around what is there."""
        size = HEADER_SIZE + len(self.levels) * LEVEL_RECORD + len(self.chunks) * CHUNK_RECORD + 8
        body, records = bytearray(), []
        for c in self.chunks:
            body += bytes(-(size + len(body)) % 8) + c.data
            records.append(
                struct.pack(
                    "<4sHHIIII8s", c.code, c.level, c.part, c.count, len(c.data), c.decoded_size,
                    zlib.crc32(c.data), c.digest,
                )
            )  # fmt: skip
        levels = [struct.pack("<HHIII", level, 0, a, g, 0) for level, a, g in self.levels]
        anchors = self.levels[-1][1] if self.levels else 0
        header = struct.pack(
            "<8sHHIIIQIIII12x", b"\x89PCGS\r\n\x1a", 1, 0, 0, len(self.levels), anchors,
            size + len(body), len(self.chunks), size - HEADER_SIZE, 2, 2,
        )  # fmt: skip
        whole = bytearray(header + bytes(4) + b"".join([*levels, *records]) + bytes(8) + body)
        for name, value in self.header.items():
            at, form = HEADER_FIELDS[name]
            mask = (1 << 8 * struct.calcsize(form)) - 1
            struct.pack_into(form, whole, at, value & mask)
        return resealed(bytes(whole), table_size=size - HEADER_SIZE)


def resealed(data: bytes, *, chunks: bool = False, table_size: int | None = None) -> bytes:
    """Correct the CRCs of header and table (and chunks) as far as the sizes make sense."""
    result = bytearray(data)
    if len(result) < HEADER_SIZE:
        return data
    size = int.from_bytes(result[36:40], "little") if table_size is None else table_size
    end = HEADER_SIZE + size
    if size >= 8 and end <= len(result):
        if chunks:
            _reseal_chunks(result, end)
        struct.pack_into("<I", result, end - 4, zlib.crc32(result[HEADER_SIZE : end - 4]))
    struct.pack_into("<I", result, 60, zlib.crc32(result[:60]))
    return bytes(result)


def _reseal_chunks(result: bytearray, end: int) -> None:
    levels = int.from_bytes(result[16:20], "little")
    at = end
    for place in range(HEADER_SIZE + levels * LEVEL_RECORD, end - 8, CHUNK_RECORD):
        if place + CHUNK_RECORD > end:
            break
        size = int.from_bytes(result[place + 12 : place + 16], "little")
        at += -at % 8
        struct.pack_into("<I", result, place + 20, zlib.crc32(result[at : at + size]))
        at += size
