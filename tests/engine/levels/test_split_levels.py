"""Splitting a trained model into levels: rules of docs/design.md, Quantization."""

import sys

import numpy as np
import pytest
import torch

from pcgs_engine.codec import ProgressiveDecoder, encode_chunks
from pcgs_engine.codec.check_model import check_model
from pcgs_engine.codec.plan_refinements import RefinementPlan
from pcgs_engine.config import RunConfig, config_from_dict, config_to_dict, preset_config
from pcgs_engine.config.presets import Preset
from pcgs_engine.entropy.context_model import ContextModel
from pcgs_engine.entropy.positions import coding_order
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.errors import ModelMismatchError
from pcgs_engine.levels import quantize_level, split_levels
from pcgs_engine.model.anchors import Anchors
from pcgs_engine.model.attribute_head import AttributeHead
from pcgs_engine.model.context_network import ContextNetwork
from pcgs_engine.model.hash_grid import HashGrid
from pcgs_engine.model.masks import gaussian_mask
from pcgs_engine.model.trained_model import TrainedModel

COUNT = 300
SPLITTING = sys.modules["pcgs_engine.levels.split_levels"]


@pytest.fixture
def model() -> TrainedModel:
    data = config_to_dict(preset_config(Preset.PREVIEW))
    data["model"] |= {"feature_dim": 10, "num_offsets": 3}
    config = config_from_dict(RunConfig, data)
    torch.manual_seed(0)
    lattice = torch.unique(torch.randint(-200, 200, (COUNT, 3), dtype=torch.int32), dim=0)
    count = len(lattice)
    anchors = Anchors(
        lattice=lattice[torch.randperm(count)],
        voxel_size=0.0078125,
        feature=4.0 * torch.randn(count, 10),
        log_scaling=torch.randn(count, 6) - 3.0,
        offsets=torch.randn(count, 3, 3),
        mask_logits=6.0 * torch.randn(count, 3, 3) - 6.0,
    )
    box = torch.full((3,), 2.0)
    grid = HashGrid(
        config.model.hash_grid, -box, box, pool=None, generator=torch.Generator().manual_seed(0)
    )
    return TrainedModel(
        config=config,
        anchors=anchors,
        head=AttributeHead(config.model, distance_unit=2.0),
        hash_grid=grid,
        context=ContextNetwork(config.model, voxel_size=anchors.voxel_size),
        camera_centres=np.zeros((1, 3), np.float32),
    )


@pytest.fixture
def no_mask_net(monkeypatch):
    """Fitting a mask network takes a second and changes no symbol."""
    monkeypatch.setattr(SPLITTING, "fit_mask_net", lambda *_, **__: None)


def source_rows(model, coded):
    lookup = {tuple(p): i for i, p in enumerate(model.anchors.lattice.tolist())}
    return np.array([lookup[tuple(p)] for p in coded.anchors.positions.tolist()])


def steps_of(model, coded):
    """The steps as a decoder works them out."""
    twin = ContextModel(
        config=coded.config, voxel_size=coded.voxel_size, hash_grid=coded.hash_grid,
        context=coded.context, tables=load_tables(),
    )  # fmt: skip
    return twin.anchor_context(coded.anchors.positions).steps


def coarse(symbols, times):
    for _ in range(times):
        symbols = np.rint(symbols / 3)
    return symbols


def test_split_levels_keeps_each_used_anchor_once_in_coding_order(model, no_mask_net):
    coded = split_levels(model)
    check_model(coded)
    anchors, rows = coded.anchors, source_rows(model, coded)
    masks = [gaussian_mask(model.anchors.mask_logits, s).numpy() for s in (1, 2, 3)]
    used = np.flatnonzero(masks[-1].any(axis=1))
    assert np.array_equal(np.sort(rows), used)
    assert 0 < len(used) < len(model.anchors)
    for level, mask in enumerate(masks, start=1):
        shown = (anchors.mask_level > 0) & (anchors.mask_level <= level)
        assert np.array_equal(shown, mask[rows])
        members = anchors.positions[anchors.first_level == level]
        assert np.array_equal(coding_order(members), np.arange(len(members)))
        assert len(members) > 5
    assert anchors.positions.flags["C_CONTIGUOUS"]


def test_split_levels_symbols_are_the_nearest_at_their_finest(model, no_mask_net):
    coded = split_levels(model)
    rows, steps = source_rows(model, coded), steps_of(model, coded)
    for symbols, values, step, tie in (
        (coded.anchors.features, model.anchors.feature, steps.feature / 9, 1e-3),
        (coded.anchors.scaling, model.anchors.scaling, steps.scaling / 9, 1e-3),
        (coded.anchors.offsets, model.anchors.offsets, steps.offset, 1e-3),
    ):
        exact = values.detach().numpy()[rows].astype(float)
        exact /= step.reshape(-1, *(1,) * (exact.ndim - 1)).astype(float)
        assert symbols.dtype == np.int32
        assert np.abs(symbols - exact).max() <= 0.5 + tie
    assert coded.anchors.scaling.min() >= 0


def test_split_levels_error_falls_by_three_per_depth(model, no_mask_net):
    coded = split_levels(model)
    rows, steps = source_rows(model, coded), steps_of(model, coded)
    features = model.anchors.feature.detach().numpy()[rows]
    errors = []
    for depth in (0, 1, 2):
        step = steps.feature[:, None] / 3.0**depth
        error = np.abs(coarse(coded.anchors.features, 2 - depth) * step - features)
        assert (error <= 0.501 * step).all()  # trits nest: never off by more than half a step
        errors.append(error.mean())
    assert errors[0] / errors[1] == pytest.approx(3.0, rel=0.06)
    assert errors[1] / errors[2] == pytest.approx(3.0, rel=0.06)


def test_split_levels_tiny_scaling_stays_at_zero_at_every_depth(model, no_mask_net):
    with torch.no_grad():
        model.anchors.log_scaling[:] = -20.0
    coded = split_levels(model)
    assert (coded.anchors.scaling == 0).all()
    decoder = decoded(encode_chunks(coded, plan=EVERYTHING))
    for level in (1, 2, 3):
        assert (decoder.canvas(level).scaling == 0).all()
        assert (decoder.anchors(level).scaling > 0).all()


def test_split_levels_huge_values_are_clipped_to_what_float32_holds(model, no_mask_net):
    with torch.no_grad():
        model.anchors.feature[:20] = 1e12
        model.anchors.feature[20:40] = -1e12
        model.anchors.log_scaling[:20] = 30.0
    coded = split_levels(model)
    assert np.abs(coded.anchors.features).max() == 2**24 - 1
    assert coded.anchors.scaling.max() == 2**24 - 1
    assert decoded(encode_chunks(coded)).complete


def test_split_levels_is_deterministic_and_leaves_the_model(model, monkeypatch):
    monkeypatch.setattr("pcgs_engine.levels.fit_mask_net.STEPS", 20)
    before = model.anchors.feature.detach().clone()
    one, two = (encode_chunks(split_levels(model)).to_bytes({}) for _ in range(2))
    assert one == two
    assert torch.equal(model.anchors.feature, before)


EVERYTHING = RefinementPlan(first_worth=-1e9, last_worth=-1e9)


def decoded(scene):
    decoder = ProgressiveDecoder()
    decoder.feed(scene.to_bytes({}))
    decoder.finish()
    return decoder


@pytest.mark.parametrize("level", [1, 2, 3])
def test_quantize_level_is_what_a_decoder_sees_when_everything_is_refined(
    model, no_mask_net, level
):
    coded = split_levels(model)
    found = decoded(encode_chunks(coded, plan=EVERYTHING)).anchors(level)
    wanted = quantize_level(model, level, model.config.training.rate)
    assert len(found) == len(wanted) > 0
    voxel = model.anchors.voxel_size
    places = [np.rint(a.positions / voxel).astype(int) for a in (found, wanted)]
    one, two = (np.lexsort(place.T) for place in places)
    assert np.array_equal(places[0][one], places[1][two])
    assert np.array_equal(found.gaussian_mask[one], wanted.gaussian_mask[two])
    for name in ("features", "scaling", "offsets"):
        a, b = getattr(found, name)[one], getattr(wanted, name)[two]
        same = np.isclose(a, b, rtol=1e-5, atol=1e-7)
        assert same.mean() > 0.9995, name  # a value on a tie may fall to either side
    # Without refinements levels 2 and 3 differ: the plan matters.
    if level > 1:
        bare = RefinementPlan(first_worth=1e9, last_worth=1e9)
        other = decoded(encode_chunks(coded, plan=bare)).anchors(level)
        assert not np.allclose(other.features[one], wanted.features[two], atol=1e-3)


def test_split_levels_without_anchors_at_level_one_raises(model):
    model.anchors.mask_logits[..., 0] = -20.0
    with pytest.raises(ModelMismatchError, match="level 1"):
        split_levels(model)


def test_split_levels_of_a_diverged_training_raises(model):
    model.anchors.feature[3, :2] = float("nan")
    with pytest.raises(ModelMismatchError, match="2 values of feature are not finite"):
        split_levels(model)
