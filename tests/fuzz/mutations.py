"""Damage to a `.pcgs` file: valid bytes and a seed in, hostile bytes out; the same for a seed."""

import contextlib
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import replace

from hostile_file import HEADER_FIELDS, HostileChunk, HostileFile, resealed

INTERESTING = (
    0, 1, 2, 3, 7, 8, 15, 16, 17, 63, 64, 127, 128, 255, 256, 511, 1023, 1024, 4095, 4096,
    65535, 65536, 1 << 20, 1 << 24, (1 << 24) + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
)  # fmt: skip
NUMBERS = (*INTERESTING, -1, 0.0, 1e-9, 1e-30, 1e9, 1e300, 10**30, None, True, "x", [], {})
ZLIB_CHUNKS = (b"NETW", b"HEAD", b"GAIN", b"TNET")
SCALE_TOPS = (0x00, 0x21, 0x22, 0x30, 0x3F, 0x4B, 0x5D, 0xDD, 0xA1, 0x7F, 0xFF)
"""Upper bytes of bfloat16: smallest, largest, infinite, negative."""
Chance = random.Random


def mutate(data: bytes, others: list[bytes], chance: Chance, *, sealed: bool) -> tuple[str, bytes]:
    """Return the names of one to three mutations, and the damaged file.

    Args:
        data: a valid file.
        others: valid files to take foreign pieces from.
        chance: seeded.
        sealed: whether checksums are made right again, so that the damage reaches the decoders.
    """
    names = []
    structured = sealed and chance.random() < 0.8
    file = HostileFile.parse(data)
    if structured:
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            mutation = chance.choice(STRUCTURED)
            names.append(mutation.__name__)
            with contextlib.suppress(IndexError, StopIteration):  # what it damages is gone
                file = mutation(file, others, chance)
        data = file.build()
    if not structured or chance.random() < 0.1:
        for _ in range(chance.choice((1, 1, 2, 3))):
            mutation_of_bytes = chance.choice(RAW)
            names.append(mutation_of_bytes.__name__)
            data = mutation_of_bytes(data, others, chance)
        if sealed:
            data = resealed(data, chunks=True)
    return "+".join(names), data


# ---- bytes


def flip_bits(data: bytes, _: list[bytes], chance: Chance) -> bytes:
    result = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        result[_place(result, chance)] ^= 1 << chance.randrange(8)
    return bytes(result)


def set_bytes(data: bytes, _: list[bytes], chance: Chance) -> bytes:
    result = bytearray(data)
    for _ in range(chance.randint(1, 16)):
        result[_place(result, chance)] = chance.randrange(256)
    return bytes(result)


def fill_run(data: bytes, _: list[bytes], chance: Chance) -> bytes:
    begin, size = _place(data, chance), chance.randint(1, 64)
    value = chance.choice((0, 255, 127, 128, chance.randrange(256)))
    return data[:begin] + bytes([value]) * len(data[begin : begin + size]) + data[begin + size :]


def splice(data: bytes, others: list[bytes], chance: Chance) -> bytes:
    source = chance.choice([data, *others])
    size, begin, place = chance.randint(1, 256), _place(source, chance), _place(data, chance)
    piece = source[begin : begin + size]
    return data[:place] + piece + data[place + len(piece) :]


def insert(data: bytes, _: list[bytes], chance: Chance) -> bytes:
    place = _place(data, chance)
    return data[:place] + chance.randbytes(chance.randint(1, 32)) + data[place:]


def delete(data: bytes, _: list[bytes], chance: Chance) -> bytes:
    place = _place(data, chance)
    return data[:place] + data[place + chance.randint(1, 64) :] or b"\0"


def cut_tail(data: bytes, _: list[bytes], chance: Chance) -> bytes:
    return data[: max(_place(data, chance), 1)]


def set_integer(data: bytes, _: list[bytes], chance: Chance) -> bytes:
    width = chance.choice((1, 2, 4, 8))
    place = _place(data, chance) // 4 * 4
    old = int.from_bytes(data[place : place + width], "little")
    new = _number_near(old, chance) & (1 << 8 * width) - 1
    return data[:place] + new.to_bytes(width, "little") + data[place + width :]


# ---- structure: the file around the damage is consistent


def edit_chunk(file: HostileFile, others: list[bytes], chance: Chance) -> HostileFile:
    at = chance.randrange(len(file.chunks))
    mutation = chance.choice(RAW)
    return file.with_data(at, mutation(file.chunks[at].data or b"\0", others, chance))


def edit_chunk_head(file: HostileFile, others: list[bytes], chance: Chance) -> HostileFile:
    at = chance.randrange(len(file.chunks))
    data, place = bytearray(file.chunks[at].data or b"\0"), chance.randrange(12)
    if place < len(data):
        data[place] = chance.choice((0, 1, 127, 128, 255, data[place] ^ 1, data[place] + 1 & 255))
    return file.with_data(at, bytes(data))


def edit_inflated(file: HostileFile, others: list[bytes], chance: Chance) -> HostileFile:
    at = chance.choice([i for i, c in enumerate(file.chunks) if c.code in ZLIB_CHUNKS])
    try:
        raw = zlib.decompress(file.chunks[at].data)
    except zlib.error:
        return file
    edit = chance.choice((*RAW, *SAME_SIZE, *SAME_SIZE))
    return file.with_data(at, zlib.compress(edit(raw or b"\0", others, chance), 1))


def extreme_scales(file: HostileFile, others: list[bytes], chance: Chance) -> HostileFile:
    """Give scales of networks, which stand last as two byte planes, the ends of their range."""
    at = chance.choice([i for i, c in enumerate(file.chunks) if c.code in ZLIB_CHUNKS])
    try:
        raw = bytearray(zlib.decompress(file.chunks[at].data))
    except zlib.error:
        return file
    for _ in range(chance.randint(1, 40)):
        raw[-1 - chance.randrange(len(raw) // 6 + 1)] = chance.choice(SCALE_TOPS)
    return file.with_data(at, zlib.compress(bytes(raw), 1))


def edit_mask_law(file: HostileFile, others: list[bytes], chance: Chance) -> HostileFile:
    """Damage the law in front of the mask bits, its size kept."""
    at = chance.choice([i for i, c in enumerate(file.chunks) if c.code == b"MASK"])
    data = file.chunks[at].data
    end = 4 + int.from_bytes(data[:4], "little")
    law = chance.choice(SAME_SIZE)(data[4:end] or b"\0", others, chance)
    return file.with_data(at, data[:4] + law + data[end:])


def edit_stream(file: HostileFile, others: list[bytes], chance: Chance) -> HostileFile:
    """Damage the symbols behind the heads, sizes kept: decoders run on."""
    coded = [i for i, c in enumerate(file.chunks) if c.level and c.code not in ZLIB_CHUNKS]
    at = chance.choice(coded)
    data = file.chunks[at].data
    keep = min(chance.choice((2, 3, 8, 12)), len(data) - 1) if data else 0
    tail = chance.choice(SAME_SIZE)(data[keep:] or b"\0", others, chance)
    return file.with_data(at, data[:keep] + tail)


def swap_chunks(file: HostileFile, _: list[bytes], chance: Chance) -> HostileFile:
    one, two = (chance.randrange(len(file.chunks)) for _ in range(2))
    first = file.chunks[one].data
    return file.with_data(one, file.chunks[two].data).with_data(two, first)


def foreign_chunk(file: HostileFile, others: list[bytes], chance: Chance) -> HostileFile:
    other = HostileFile.parse(chance.choice(others))
    at = chance.randrange(len(file.chunks))
    same = [c for c in other.chunks if c.code == file.chunks[at].code]
    return file.with_data(at, chance.choice(same or list(other.chunks)).data)


def list_chunks_anew(file: HostileFile, _: list[bytes], chance: Chance) -> HostileFile:
    chunks = list(file.chunks)
    at = chance.randrange(len(chunks))
    kind = chance.randrange(5)
    if kind == 0 and len(chunks) > 1:
        del chunks[at]
    elif kind == 1:
        chunks.insert(at, chunks[chance.randrange(len(chunks))])
    elif kind == 2:
        to = chance.randrange(len(chunks))
        chunks[at], chunks[to] = chunks[to], chunks[at]
    elif kind == 3:
        code = chance.choice((b"zzzz", b"ZZZZ", b"mETA", b"REFN", b"\0\0\0\0"))
        unknown = HostileChunk(code, chunks[at].level, 0, 1, b"unknown", 0, chunks[at].digest)
        chunks.insert(at, unknown)
    else:
        chunks = chunks[: at + 1]
    return replace(file, chunks=tuple(chunks))


def edit_record(file: HostileFile, _: list[bytes], chance: Chance) -> HostileFile:
    chunks = list(file.chunks)
    at = chance.randrange(len(chunks))
    name, limit = chance.choice(
        (("level", 16), ("part", 16), ("count", 32), ("decoded_size", 32), ("digest", 0))
    )
    value = _number_near(getattr(chunks[at], name), chance) & (1 << limit) - 1 if limit else 0
    new = chance.randbytes(8) if name == "digest" else value
    chunks[at] = replace(chunks[at], **{name: new})
    return replace(file, chunks=tuple(chunks))


def edit_levels(file: HostileFile, _: list[bytes], chance: Chance) -> HostileFile:
    levels = [list(record) for record in file.levels]
    kind = chance.randrange(8)
    if kind == 0:
        levels.append(list(chance.choice(levels)))
    elif kind == 1 and len(levels) > 1:
        del levels[chance.randrange(len(levels))]
    else:
        at = chance.randrange(len(levels))
        column = chance.randrange(3)
        levels[at][column] = _number_near(levels[at][column], chance) & 0xFFFFFFFF
        if column == 0:
            levels[at][0] &= 0xFFFF
        if column and chance.random() < 0.5:  # counts that rise, as they must
            for record in levels[at + 1 :]:
                record[column] = max(record[column], levels[at][column])
    return replace(file, levels=tuple((a, b, c) for a, b, c in levels))


def edit_header(file: HostileFile, _: list[bytes], chance: Chance) -> HostileFile:
    name = chance.choice(list(HEADER_FIELDS))
    value = chance.choice(INTERESTING)
    return replace(file, header={**file.header, name: value})


def edit_model(file: HostileFile, _: list[bytes], chance: Chance) -> HostileFile:
    at = file.index(b"MODL")
    try:
        values = json.loads(file.chunks[at].data)
        _edit_json(values, chance)
        text = json.dumps(values)
    except (ValueError, RecursionError, TypeError):
        return file
    return file.with_data(at, text.encode())


def _edit_json(values: object, chance: Chance) -> None:
    while isinstance(values, (dict, list)) and values:
        key = chance.choice(list(values) if isinstance(values, dict) else range(len(values)))
        inner = values[key]
        if isinstance(inner, (dict, list)) and inner and chance.random() < 0.9:
            values = inner
            continue
        if isinstance(inner, (int, float)) and chance.random() < 0.5:
            values[key] = inner * chance.choice((2, 0.5, -1, 1000)) + chance.choice((0, 1, -1))
            if isinstance(inner, int):
                values[key] = int(values[key])
        else:
            values[key] = chance.choice(NUMBERS)
        return


def _place(data: bytes | bytearray, chance: Chance) -> int:
    """Return a byte; a third of them among the first 400 (header and table)."""
    size = max(len(data), 1)
    return chance.randrange(min(size, 400) if chance.random() < 1 / 3 else size)


def _number_near(old: int, chance: Chance) -> int:
    if chance.random() < 0.5:
        return chance.choice(INTERESTING)
    return max(old + chance.choice((-1, 1, -8, 8, old, -(old // 2), 100, 1000, 30000)), 0)


Mutation = Callable[[bytes, list[bytes], Chance], bytes]
SAME_SIZE: tuple[Mutation, ...] = (flip_bits, set_bytes, fill_run, set_integer)
RAW: tuple[Mutation, ...] = (*SAME_SIZE, splice, insert, delete, cut_tail)
STRUCTURED = (
    edit_chunk, edit_chunk_head, edit_inflated, extreme_scales, extreme_scales, edit_mask_law,
    *(edit_stream,) * 8, swap_chunks, foreign_chunk, list_chunks_anew, edit_record, edit_levels,
    edit_header, edit_model,
)  # fmt: skip
