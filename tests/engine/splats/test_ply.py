"""Splat files: round trip, real files of other programs, damaged and hostile files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import recfunctions
from plyfile import PlyData, PlyElement

from pcgs_engine.errors import OutputError, SplatFileError
from pcgs_engine.splats import SplatCloud
from pcgs_engine.splats.ply import read_ply, write_ply


def random_cloud(count, degree, seed=0):
    rng = np.random.default_rng(seed)
    quats = rng.normal(size=(count, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    return SplatCloud(
        means=rng.normal(size=(count, 3)).astype(np.float32),
        scales=np.exp(rng.uniform(-9, 3, size=(count, 3))).astype(np.float32),
        quats=quats.astype(np.float32),
        opacities=rng.uniform(0, 1, size=count).astype(np.float32),
        sh=rng.normal(size=(count, (degree + 1) ** 2, 3)).astype(np.float32),
    )


def table_of(path):
    return np.array(PlyData.read(path)["vertex"].data)


def rewrite(path, table, *, text=False, element="vertex"):
    PlyData([PlyElement.describe(table, element)], text=text).write(path)


def without(table, name):
    names = [other for other in table.dtype.names if other != name]
    return recfunctions.repack_fields(table[names])


def with_value(path, name, value, row=1):
    table = table_of(path)
    table[name][row] = value
    rewrite(path, table)


@pytest.fixture
def sample_file(tmp_path):
    path = tmp_path / "sample.ply"
    write_ply(path, random_cloud(3, 1))
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(0, 20), degree=st.integers(0, 3), seed=st.integers(0, 999))
def test_ply_written_and_read_gives_same_cloud(tmp_path_factory, count, degree, seed):
    cloud = random_cloud(count, degree, seed)
    path = tmp_path_factory.mktemp("ply") / "cloud.ply"
    write_ply(path, cloud)
    back = read_ply(path)
    assert back.sh_degree == degree
    assert len(back) == count
    np.testing.assert_array_equal(back.means, cloud.means)
    np.testing.assert_array_equal(back.sh, cloud.sh)
    # log and exp in float32 cost a few units in the last place of a logarithm of up to 9
    np.testing.assert_allclose(back.scales, cloud.scales, rtol=3e-6)
    np.testing.assert_allclose(back.opacities, cloud.opacities, atol=2e-7)
    np.testing.assert_allclose(back.quats, cloud.quats, atol=2e-7)


def test_ply_properties_are_in_order_of_the_original_layout(sample_file):
    names = table_of(sample_file).dtype.names
    rest = [f"f_rest_{i}" for i in range(9)]
    assert list(names) == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"),
        *rest,
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]


def test_ply_higher_coefficients_are_stored_channel_by_channel(tmp_path):
    cloud = random_cloud(2, 2)
    write_ply(tmp_path / "c.ply", cloud)
    table = table_of(tmp_path / "c.ply")
    for channel in range(3):
        for k in range(8):
            np.testing.assert_array_equal(
                table[f"f_rest_{8 * channel + k}"], cloud.sh[:, 1 + k, channel]
            )


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_ply_extreme_opacity_is_written_finite(tmp_path, value):
    cloud = random_cloud(2, 0)
    cloud.opacities[:] = value
    write_ply(tmp_path / "c.ply", cloud)
    assert np.isfinite(table_of(tmp_path / "c.ply")["opacity"]).all()
    np.testing.assert_allclose(read_ply(tmp_path / "c.ply").opacities, value, atol=2e-7)


def test_ply_of_shuffled_double_text_columns_reads_the_same(sample_file, tmp_path):
    wanted = read_ply(sample_file)
    table = table_of(sample_file)
    names = [name for name in reversed(table.dtype.names) if not name.startswith("n")]
    shuffled = np.empty(len(table), dtype=[*((name, "f8") for name in names), ("label", "u1")])
    for name in names:
        shuffled[name] = table[name]
    shuffled["label"] = 7
    rewrite(tmp_path / "other.ply", shuffled, text=True)
    back = read_ply(tmp_path / "other.ply")
    np.testing.assert_allclose(back.means, wanted.means, rtol=1e-6)
    np.testing.assert_allclose(back.sh, wanted.sh, rtol=1e-6)
    np.testing.assert_allclose(back.quats, wanted.quats, atol=1e-6)


@pytest.mark.parametrize(("logit", "opacity"), [(np.inf, 1.0), (-np.inf, 0.0), (300.0, 1.0)])
def test_ply_infinite_opacity_is_clamped(sample_file, logit, opacity):
    with_value(sample_file, "opacity", logit)
    assert read_ply(sample_file).opacities[1] == pytest.approx(opacity, abs=2e-7)


def test_ply_zero_quaternion_and_zero_scale_become_valid(sample_file):
    for name in ("rot_0", "rot_1", "rot_2", "rot_3"):
        with_value(sample_file, name, 0.0)
    with_value(sample_file, "scale_1", -np.inf)
    cloud = read_ply(sample_file)
    np.testing.assert_array_equal(cloud.quats[1], [1, 0, 0, 0])
    assert cloud.scales[1, 1] > 0


@pytest.mark.parametrize("name", ["x", "f_dc_1", "f_rest_4", "opacity", "scale_2", "rot_3"])
def test_ply_nan_is_refused_by_property_name(sample_file, name):
    with_value(sample_file, name, np.nan)
    with pytest.raises(SplatFileError, match=f"property {name} of splat 1 is nan"):
        read_ply(sample_file)


def test_ply_overflowing_scale_is_refused_by_property_name(sample_file):
    with_value(sample_file, "scale_1", 1000.0)
    with pytest.raises(SplatFileError, match="property scale_1 is 1000"):
        read_ply(sample_file)


@pytest.mark.parametrize("name", ["z", "f_dc_0", "opacity", "scale_0", "rot_2"])
def test_ply_missing_property_is_named(sample_file, name):
    table = table_of(sample_file)
    rewrite(sample_file, without(table, name))
    with pytest.raises(SplatFileError, match=f"property {name} is missing"):
        read_ply(sample_file)


def test_ply_wrong_number_of_coefficients_is_refused(sample_file):
    table = table_of(sample_file)
    rewrite(sample_file, without(table, "f_rest_8"))
    with pytest.raises(SplatFileError, match="8 properties f_rest_"):
        read_ply(sample_file)


def test_ply_list_property_is_refused(tmp_path):
    table = np.zeros(1, dtype=[("x", object), ("y", "f4")])
    table["x"][0] = np.zeros(2, dtype=np.float32)
    rewrite(tmp_path / "list.ply", table)
    with pytest.raises(SplatFileError, match="property x is a list"):
        read_ply(tmp_path / "list.ply")


def test_ply_without_vertices_is_refused(sample_file):
    rewrite(sample_file, table_of(sample_file), element="face")
    with pytest.raises(SplatFileError, match="elements found: face, wanted vertex"):
        read_ply(sample_file)


def test_ply_cut_at_any_byte_is_refused(sample_file, tmp_path):
    data = sample_file.read_bytes()
    cut = tmp_path / "cut.ply"
    for length in range(0, len(data), 7):
        cut.write_bytes(data[:length])
        with pytest.raises(SplatFileError, match=r"cut\.ply"):
            read_ply(cut)


def test_ply_with_flipped_header_bytes_never_fails_otherwise(sample_file, tmp_path):
    data = bytearray(sample_file.read_bytes())
    end = data.index(b"end_header") + 11
    rng = np.random.default_rng(3)
    path = tmp_path / "flipped.ply"
    refused = 0
    for place in range(end):
        broken = data.copy()
        broken[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(broken))
        try:
            cloud = read_ply(path)
        except SplatFileError:
            refused += 1
        else:
            assert np.isfinite(cloud.means).all()
    assert refused > end // 3


@pytest.mark.parametrize("text", ["ascii", "binary_little_endian"])
def test_ply_with_absurd_count_is_refused_without_allocating(tmp_path, text):
    path = tmp_path / "huge.ply"
    header = f"ply\nformat {text} 1.0\nelement vertex 99999999999\nproperty float x\nend_header\n"
    path.write_bytes(header.encode() + bytes(12))
    with pytest.raises(SplatFileError, match="not a complete PLY"):
        read_ply(path)


def test_ply_with_carriage_returns_and_absurd_count_is_refused(tmp_path):
    path = tmp_path / "huge.ply"
    path.write_bytes(
        b"ply\rformat ascii 1.0\relement vertex 99999999999\rproperty float x\rend_header\r1\r"
    )
    with pytest.raises(SplatFileError, match="99999999999 elements declared"):
        read_ply(path)


def test_ply_list_of_absurd_length_is_refused_without_allocating(tmp_path):
    path = tmp_path / "list.ply"
    header = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 1\n"
        "property list uint float x\nend_header\n"
    )
    path.write_bytes(header.encode() + b"\xff" * 8)
    with pytest.raises(SplatFileError, match="property x is a list"):
        read_ply(path)


def test_ply_of_missing_file_is_refused(tmp_path):
    with pytest.raises(SplatFileError, match="cannot be read"):
        read_ply(tmp_path / "nothing.ply")


def test_write_ply_where_a_file_is_in_the_way_leaves_nothing(tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(OutputError):
        write_ply(tmp_path / "taken" / "c.ply", random_cloud(1, 0))
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "degree"), [("inria_sh3_9k.ply", 9_080, 3), ("playbot_lod4.ply", 8_406, 2)]
)
def test_ply_of_another_program_is_read_and_rewritten(shared_data, tmp_path, name, count, degree):
    path = shared_data / "ply_samples" / name
    cloud = read_ply(path)
    raw = table_of(path)
    assert (len(cloud), cloud.sh_degree) == (count, degree)
    np.testing.assert_array_equal(cloud.sh[:, 0, 2], raw["f_dc_2"])
    np.testing.assert_array_equal(cloud.sh[:, 1, 0], raw["f_rest_0"])
    np.testing.assert_array_equal(cloud.sh[:, 1, 1], raw[f"f_rest_{(degree + 1) ** 2 - 1}"])
    np.testing.assert_allclose(np.log(cloud.scales[:, 1]), raw["scale_1"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(cloud.quats, axis=1), 1.0, atol=1e-6)
    write_ply(tmp_path / "again.ply", cloud)
    again = read_ply(tmp_path / "again.ply")
    np.testing.assert_array_equal(again.sh, cloud.sh)
    np.testing.assert_allclose(again.opacities, cloud.opacities, atol=2e-7)


@pytest.mark.data
def test_ply_compressed_is_refused_with_its_name(shared_data):
    with pytest.raises(SplatFileError, match=r"packed_position.*compressed PLY"):
        read_ply(shared_data / "ply_samples" / "guitar.compressed.ply")


@pytest.mark.data
def test_ply_reader_is_not_fooled_by_other_splat_files(shared_data):
    folder: Path = shared_data / "ply_samples"
    for name in ("biker.spz", "inria_22k.splat"):
        with pytest.raises(SplatFileError, match="not a complete PLY"):
            read_ply(folder / name)
