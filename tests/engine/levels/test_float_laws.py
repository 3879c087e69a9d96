"""Integer laws against the float networks that were trained: nearly the same bits.

Symbol by symbol, on a real small training, with the decoder's steps and values.
"""

import sys

import numpy as np
import pytest
import torch
from tiny_training import tiny_config, train_tiny

from pcgs_engine.entropy.context_model import ContextModel
from pcgs_engine.entropy.ideal_bits import ideal_bits
from pcgs_engine.entropy.level_distributions import LevelDistributions
from pcgs_engine.entropy.refinement_laws import Block, CoarseAnchors, RefinementLaws
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.levels import split_levels
from pcgs_engine.model.distributions import gaussian_bits, mixture_bits, trinomial_bits

SPLITTING = sys.modules["pcgs_engine.levels.split_levels"]
DEPTH = 2
"""Of the finest symbols: three levels."""


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A run whose anchors are many: of few, its networks learn too little to price most symbols."""
    config = tiny_config(pruning={"moments": []})
    tiny_run = train_tiny(tmp_path_factory.mktemp("float_laws"), config=config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SPLITTING, "fit_mask_net", lambda *_, **__: None)
        coded = split_levels(tiny_run.model)
    model = ContextModel(
        config=coded.config, voxel_size=coded.voxel_size, hash_grid=coded.hash_grid,
        context=coded.context, tables=load_tables(),
    )  # fmt: skip
    return tiny_run.model.context, coded, model, model.anchor_context(coded.anchors.positions)


def coarse(symbols, times):
    for _ in range(times):
        symbols = (symbols + 1) // 3
    return symbols


def tensor(values):
    return torch.from_numpy(np.asarray(values, dtype=np.float64)).float()


def bits_of(law, symbols):
    """Bits of each symbol; outside its window those of the end of it."""
    ends = law.intervals(symbols.ravel())
    return -np.log2((ends.last.astype(float) + 1 - ends.low) / 65536)


def assert_near(found, wanted):
    """Totals within 2 %, probabilities of symbols close; far tails end in windows and floors."""
    wanted = wanted.detach().numpy().ravel()
    assert found.shape == wanted.shape
    typical = wanted < 12
    assert typical.mean() > 0.5
    tail = found[~typical]
    # but for sigmas near 0 at the edge of a symbol
    assert not len(tail) or (tail > 10).mean() > 0.97
    found, wanted = found[typical], wanted[typical]
    assert found.sum() == pytest.approx(wanted.sum(), rel=0.02)
    difference = np.abs(2.0**-found - 2.0**-wanted)
    assert np.median(difference) < 0.01
    assert np.quantile(difference, 0.99) < 0.08


@torch.no_grad()
def test_steps_are_those_of_the_float_head(case):
    network, _, _, context = case
    steps = network.steps(tensor(context.hash_features) / 512)
    for name in ("feature", "scaling", "offset"):
        found, wanted = getattr(context.steps, name), getattr(steps, name)[:, 0].numpy()
        np.testing.assert_allclose(found, wanted, rtol=0.03)


@torch.no_grad()
@pytest.mark.parametrize("level", [1, 2, 3])
def test_first_decodes_cost_what_the_float_networks_say(case, level):
    network, coded, model, context = case
    F, C = coded.config.feature_dim, coded.config.chunk_dim
    grid, thirds = tensor(context.hash_features) / 512, 3.0 ** (level - 1)
    features = coarse(coded.anchors.features, DEPTH + 1 - level)
    scaling = coarse(coded.anchors.scaling, DEPTH + 1 - level)
    laws, found = LevelDistributions(model=model, level=level).features(context), []
    for chunk in range(coded.config.context.feature_chunks):
        own = features[:, chunk * C : (chunk + 1) * C]
        found.append(bits_of(laws.group(chunk), own).reshape(-1, C))
        laws.know(chunk, own)
    step = tensor(context.steps.feature[:, None]) / thirds
    out = network.first(grid, level)
    mean, scale, logit = out[:, : 3 * F].split(F, dim=1)
    values = tensor(features) * step
    own_mean, own_scale, own_logit = network.channels(values, out[:, : 3 * F])
    wanted = mixture_bits(values, (mean, own_mean), (scale, own_scale), (logit, own_logit), step)
    assert_near(np.concatenate(found, axis=1).ravel(), wanted)
    step = tensor(context.steps.scaling[:, None]) / thirds
    mean, scale = (out[:, 3 * F :] * network.length_unit).split(6, dim=1)
    wanted = gaussian_bits(tensor(scaling) * step, mean, scale, step)
    assert_near(bits_of(laws.scaling_law, scaling), wanted)


@torch.no_grad()
def test_offsets_cost_what_the_float_network_says(case):
    network, coded, model, context = case
    shown = coded.anchors.mask_level > 0
    law = LevelDistributions(model=model, level=1).offsets(context, shown)
    step = tensor(context.steps.offset[:, None])
    values = tensor(coded.anchors.offsets) * step[:, :, None]
    count = coded.config.num_offsets
    out = network.offset_out(
        torch.nn.functional.leaky_relu(network.offset_hidden(tensor(context.hash_features) / 512))
    )
    mean, scale = out.view(-1, 2, count, 3).unbind(dim=1)
    wanted = gaussian_bits(values, mean, scale, step[:, None])
    assert_near(bits_of(law, coded.anchors.offsets[shown]), wanted[torch.from_numpy(shown)])


@torch.no_grad()
@pytest.mark.parametrize("depth", [0, 1])
def test_trits_cost_what_the_float_networks_say(case, depth):
    network, coded, model, context = case
    F, N = coded.config.feature_dim, len(coded.anchors.positions)
    grid = tensor(context.hash_features) / 512
    values, trits = {}, {}
    for name in ("features", "scaling"):
        fine = coarse(getattr(coded.anchors, name), DEPTH - 1 - depth)
        before = coarse(fine, 1)
        trits[name] = fine - 3 * before + 1
        step = context.steps.feature if name == "features" else context.steps.scaling
        size = np.maximum(before, 0.25) if name == "scaling" else before
        values[name] = (size * (step[:, None] / np.float32(3**depth))).astype(np.float32)
    laws = RefinementLaws(
        model,
        CoarseAnchors(hash_features=context.hash_features, groups=np.zeros(N, np.uint8), **values),
    )
    for name, net, unit in (
        ("features", network.feature_trits, 1.0),
        ("scaling", network.scaling_trits, network.length_unit),
    ):
        inputs = torch.cat([grid, tensor(values[name]) / unit], dim=1)
        wanted = trinomial_bits(
            net(inputs, depth + 2).view(N, -1, 3), torch.from_numpy(trits[name]).long()
        )
        first = F if name == "scaling" else 0
        total = 0.0
        for channel in range(wanted.shape[1]):
            law = laws.law([(Block(group=0, channel=first + channel), depth)])
            total += ideal_bits(law, trits[name][:, channel])
        assert total == pytest.approx(float(wanted.sum()), rel=0.02)
