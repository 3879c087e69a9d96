"""Where files may be cut."""

import io

import pytest
from sample_chunks import ancillary, sample_file, sample_scene

from pcgs_engine.bitstream import DecodeLimits
from pcgs_engine.codec.cut_points import cut_points
from pcgs_engine.codec.encoded_scene import EncodedScene
from pcgs_engine.codec.file_front import read_front


def table_of(data):
    return read_front(io.BytesIO(data), DecodeLimits()).table


@pytest.mark.parametrize("packages", [(0,), (0, 0), (0, 3, 2), (0, 0, 5), (0, 17, 0, 1)])
def test_cut_points_are_after_each_core_and_each_package(packages):
    table = table_of(sample_file(packages))
    found = cut_points(table)
    wanted = [(s, p) for s, n in enumerate(packages, start=1) for p in range(n + 1)]
    assert [(cut.level, cut.part) for cut in found] == wanted
    assert [cut.partial for cut in found] == [p < packages[s - 1] for s, p in wanted]
    assert found[-1].end == table.end
    for cut in found:
        last = table.chunks[cut.chunks - 1]
        assert cut.end == last.end
        assert last.code == (b"REFN" if cut.part else b"OFFS")


def test_cut_points_chunk_of_unknown_type_belongs_to_the_place_before():
    scene = sample_scene((0, 2))
    chunks = []
    for chunk in scene.chunks:
        chunks.append(chunk)
        if chunk.level:
            chunks.append(ancillary(chunk.level, chunk.digest))
    table = table_of(EncodedScene(chunks=tuple(chunks), levels=scene.levels).to_bytes({}))
    found = cut_points(table)
    assert [(cut.level, cut.part) for cut in found] == [(1, 0), (2, 0), (2, 1), (2, 2)]
    assert all(table.chunks[cut.chunks - 1].code == b"xTRA" for cut in found)
    assert found[-1].end == table.end
