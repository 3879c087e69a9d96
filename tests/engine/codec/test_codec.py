"""Whole files: every level comes back bit for bit, with its networks and facts."""

from dataclasses import replace

import numpy as np
import pytest
from known_canvas import FIELDS, known_canvases
from synthetic_model import small_config, synthetic_model

from pcgs_engine.codec import EntropyBackend, ProgressiveDecoder, encode, encode_chunks
from pcgs_engine.config import Head
from pcgs_engine.entropy.mask_law import NetMaskLaw, StaticMaskLaw

METADATA = {"title": "test", "levels": [{"level": 1, "psnr": 21.5, "ssim": 0.8}]}
JPEG = b"\xff\xd8\xff" + bytes(40)


@pytest.fixture(scope="module")
def coded():
    return synthetic_model(60)


@pytest.fixture(scope="module")
def data(coded):
    return encode(coded, METADATA)


def decoded(data, **options):
    decoder = ProgressiveDecoder(**options)
    decoder.feed(data)
    decoder.finish()
    return decoder


@pytest.mark.parametrize("head", list(Head))
@pytest.mark.parametrize(("num_levels", "ranks"), [(1, 1), (1, 4), (2, 16), (4, 1), (6, 3)])
def test_codec_any_level_returns_the_encoders_integers(num_levels, ranks, head):
    config = small_config(num_levels, head)
    coded = synthetic_model(80, config=config, seed=num_levels, ranks=ranks, mask_net=ranks == 4)
    data = encode(coded, {})
    decoder = decoded(data)
    assert decoder.complete
    last = {known.level: known for known in known_canvases(data, coded)}
    assert list(last) == list(range(1, num_levels + 1))
    for level, known in last.items():
        canvas = decoder.canvas(level)
        for name in FIELDS:
            assert np.array_equal(getattr(canvas, name), getattr(known, name)), name
        assert canvas.num_gaussians == decoder.table.levels[level - 1].gaussians


def test_codec_of_sixteen_levels_and_ranks_returns_the_finest():
    config = replace(small_config(16), feature_step=1.0)
    coded = synthetic_model(24, config=config, seed=4, ranks=16)
    scale = 3**15
    anchors = replace(  # symbols stay below 2**24 at their finest
        coded.anchors,
        features=np.clip(coded.anchors.features, -scale, scale),
        scaling=np.clip(coded.anchors.scaling, 0, scale),
    )
    coded = replace(coded, anchors=anchors)
    data = encode(coded, {})
    decoder, known = decoded(data), known_canvases(data, coded)[-1]
    for name in FIELDS:
        assert np.array_equal(getattr(decoder.canvas(16), name), getattr(known, name)), name


def test_codec_networks_and_facts_come_back(coded, data):
    decoder = decoded(data)
    assert decoder.config == coded.config
    assert decoder.metadata == METADATA
    assert decoder.thumbnail == b""
    assert decoder.voxel_size == coded.voxel_size
    assert np.array_equal(decoder.camera_centres, coded.camera_centres)
    assert decoder.head.distance_unit == coded.head.distance_unit
    wanted = coded.head.weights()
    for name in ("opacity_hidden", "covariance_out", "color_out"):
        for part in ("weight", "bias"):
            found = getattr(getattr(decoder.head, name), part)
            assert np.array_equal(found, getattr(getattr(wanted, name), part))
    model = decoder._model
    for name in ("signs", "box_low", "box_size"):
        assert np.array_equal(getattr(model.hash_grid, name), getattr(coded.hash_grid, name))
    for name in ("feature_input", "parameter_input", "scaling_input"):
        assert np.array_equal(getattr(model.context, name), getattr(coded.context, name))
    own, stored = coded.context, model.context
    pairs = [(own.step, stored.step), (own.offset, stored.offset)]
    pairs += list(zip(own.channels, stored.channels, strict=True))
    pairs += [(own.first, stored.first)]
    for one, two in (*pairs, *trit_pairs(own, stored)):
        for name in ("hidden_weight", "hidden_bias", "multiplier", "out_weight", "out_bias"):
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
        assert np.array_equal(one.out_scale, two.out_scale)
        assert one.leaky == two.leaky


def trit_pairs(own, stored):
    """Row of level 1 is unused there and not stored."""
    for name in ("feature_trits", "scaling_trits"):
        net = getattr(own, name)
        multiplier = net.multiplier.copy()
        multiplier[0] = 0
        yield replace(net, multiplier=multiplier), getattr(stored, name)


def test_thumbnail_comes_back(coded):
    decoder = decoded(encode_chunks(coded).to_bytes({}, JPEG))
    assert decoder.thumbnail == JPEG


def test_multipliers_of_later_levels_are_not_needed_earlier(coded):
    context, levels = coded.context, coded.config.num_levels
    multiplier = context.first.multiplier.copy()
    multiplier[levels - 1] *= 2
    other = replace(
        coded, context=replace(context, first=replace(context.first, multiplier=multiplier))
    )
    one, two = decoded(encode(coded, {})), decoded(encode(other, {}))
    assert one.digest(2) == two.digest(2)
    assert one.table.levels[1].end == two.table.levels[1].end


def test_numpy_writes_identical_file(coded, data):
    assert encode(coded, METADATA, backend=EntropyBackend.NUMPY) == data


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("torchac")
def test_torchac_writes_identical_file(coded, data):
    assert encode(coded, METADATA, backend=EntropyBackend.TORCHAC) == data


def test_encode_reports_progress_and_is_deterministic(coded, data):
    shares = []
    scene = encode_chunks(coded, on_progress=shares.append)
    assert shares == pytest.approx([1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0])
    assert scene.to_bytes(METADATA) == data


def test_zero_scaling_symbol_is_read_as_a_quarter_step(coded):
    scaling = coded.anchors.scaling.copy()
    scaling[0] = np.array([0, 1, 2, 3, 4, 5]) * 9
    decoder = decoded(encode(replace(coded, anchors=replace(coded.anchors, scaling=scaling)), {}))
    values = decoder.anchors(1).scaling[0]
    np.testing.assert_allclose(values / values[1], [0.25, 1, 2, 3, 4, 5], rtol=1e-6)


def without_new_anchors(coded, level):
    """Move the anchors of a level to the level before."""
    first = coded.anchors.first_level.copy()
    moved = first == level
    first[moved] = level - 1
    mask_level = coded.anchors.mask_level.copy()
    mask_level[moved] = np.where(mask_level[moved] == level, level - 1, mask_level[moved])
    kept = first < level
    anchors = {
        name: getattr(coded.anchors, name)[kept]
        for name in ("positions", "features", "scaling", "offsets")
    }
    order = np.lexsort((morton(anchors["positions"]), first[kept]))
    arrays = {name: values[order] for name, values in anchors.items()}
    arrays |= {"first_level": first[kept][order], "mask_level": mask_level[kept][order]}
    ranking = replace(coded.ranking, rank=coded.ranking.rank[kept][order])
    return replace(coded, anchors=type(coded.anchors)(**arrays), ranking=ranking)


def morton(positions):
    from pcgs_engine.entropy.positions import coding_order

    place = np.empty(len(positions), dtype=np.int64)
    place[coding_order(positions)] = np.arange(len(positions))
    return place


@pytest.mark.parametrize("levels", [2, 3])
def test_last_level_without_new_anchors_keeps_its_gaussians_and_refinements(levels):
    coded = without_new_anchors(synthetic_model(60, config=small_config(levels)), levels)
    assert coded.anchors.first_level.max() == levels - 1
    assert (coded.anchors.mask_level == levels).any()
    data = encode(coded, {})
    decoder = decoded(data)
    assert decoder.levels_ready == levels
    counts = decoder.canvas(levels).counts
    assert counts[-1] == counts[-2]
    known = known_canvases(data, coded)[-1]
    assert known.part > 0
    for name in FIELDS:
        assert np.array_equal(getattr(decoder.canvas(levels), name), getattr(known, name)), name


def test_single_anchor_of_single_gaussian_comes_back():
    config = replace(small_config(3), num_offsets=1)
    coded = synthetic_model(1, config=config, mask_net=True)
    decoder = decoded(encode(coded, {}))
    assert decoder.complete
    assert decoder.canvas(3).counts == (1, 1, 1)
    assert np.array_equal(decoder.canvas(1).offsets, coded.anchors.offsets)


def test_mask_law_of_a_file_is_the_net_at_level_one_only():
    laws = []

    class Spy(StaticMaskLaw):
        def begin(self, anchors):
            laws.append(("static", anchors.old))
            super().begin(anchors)

    class NetSpy(NetMaskLaw):
        def begin(self, anchors):
            laws.append(("net", anchors.old))
            super().begin(anchors)

    coded = synthetic_model(60, mask_net=True)
    data = encode(coded, {})
    with pytest.MonkeyPatch.context() as context:
        context.setattr("pcgs_engine.codec.mask_chunk.StaticMaskLaw", Spy)
        context.setattr("pcgs_engine.codec.mask_chunk.NetMaskLaw", NetSpy)
        counts = decoded(data).canvas(3).counts
    assert laws == [("net", 0), ("static", counts[0]), ("static", counts[1])]
