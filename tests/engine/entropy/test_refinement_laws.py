"""Laws of trits: groups, depths and order of blocks, in batches of any size."""

import numpy as np
import pytest
from synthetic_model import synthetic_model

from pcgs_engine.entropy import refinement_laws
from pcgs_engine.entropy.context_model import ContextModel
from pcgs_engine.entropy.quantization import trit_parameters
from pcgs_engine.entropy.refinement_laws import Block, CoarseAnchors, RefinementLaws
from pcgs_engine.entropy.tables import load_tables

COUNT = 90


@pytest.fixture(scope="module")
def model():
    coded = synthetic_model(COUNT)
    return ContextModel(
        config=coded.config,
        voxel_size=coded.voxel_size,
        hash_grid=coded.hash_grid,
        context=coded.context,
        tables=load_tables(),
    )


@pytest.fixture(scope="module")
def anchors(model):
    rng = np.random.default_rng(0)
    F, G = model.config.feature_dim, model.config.hash_grid.output_dim
    return CoarseAnchors(
        hash_features=rng.integers(-512, 513, (COUNT, G)).astype(np.int16),
        features=rng.normal(0, 2, (COUNT, F)).astype(np.float32),
        scaling=(rng.uniform(1, 9, (COUNT, 6)) * model.voxel_size).astype(np.float32),
        groups=rng.choice([0, 1, 3], COUNT).astype(np.uint8),
    )


def test_law_of_blocks_is_their_networks_rows_in_the_order_asked(model, anchors):
    F = model.config.feature_dim
    asked = [(Block(group=3, channel=F + 2), 0), (Block(group=0, channel=4), 1),
             (Block(group=3, channel=0), 1)]  # fmt: skip
    found = RefinementLaws(model, anchors).law(asked).below
    parts = []
    for block, depth in asked:
        rows = np.flatnonzero(anchors.groups == block.group)
        if block.channel >= F:
            logits = model.scaling_trit_logits(anchors.hash_features, anchors.scaling, depth + 2)[
                rows, block.channel - F
            ]
        else:
            logits = model.feature_trit_logits(anchors.hash_features, anchors.features, depth + 2)[
                rows, block.channel
            ]
        parts.append(trit_parameters(logits))
    assert np.array_equal(found, np.concatenate(parts))


@pytest.mark.parametrize("scaling", [False, True])
def test_depth_chooses_the_multipliers_of_its_level(model, anchors, scaling):
    laws = RefinementLaws(model, anchors)
    block = Block(group=0, channel=model.config.feature_dim + 1 if scaling else 1)
    one, two = laws.below(block, 0), laws.below(block, 1)
    assert not np.array_equal(one, two)
    assert np.array_equal(one, laws.below(block, 0))


def test_group_without_anchors_has_an_empty_law(model, anchors):
    laws = RefinementLaws(model, anchors)
    assert len(laws.rows(2)) == 0
    assert laws.law([(Block(group=2, channel=0), 0)]).count == 0


@pytest.mark.parametrize("block", [1, 13, 64])
def test_batches_change_nothing(model, anchors, monkeypatch, block):
    asked = [(Block(group=g, channel=c), 0) for g in (0, 1, 3) for c in range(12)]
    wanted = RefinementLaws(model, anchors).law(asked).below
    monkeypatch.setattr(refinement_laws, "BLOCK", block)
    assert np.array_equal(RefinementLaws(model, anchors).law(asked).below, wanted)


def test_networks_of_a_group_are_evaluated_once(model, anchors, monkeypatch):
    calls = []
    real = ContextModel.feature_trit_logits

    def counted(self, hash_features, coarse, level):
        calls.append(len(coarse))
        return real(self, hash_features, coarse, level)

    monkeypatch.setattr(ContextModel, "feature_trit_logits", counted)
    laws = RefinementLaws(model, anchors)
    for channel in range(6):
        laws.law([(Block(group=0, channel=channel), 0)])
    assert calls == [len(laws.rows(0))]
