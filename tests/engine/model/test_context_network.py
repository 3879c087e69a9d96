"""Context network: refinement bits are bits of a law, whichever network gives them."""

import itertools

import pytest
import torch

from pcgs_engine.config import ContextConfig, HashGridConfig, ModelConfig
from pcgs_engine.model.context_network import ContextNetwork

CONFIG = ModelConfig(
    feature_dim=2,
    num_offsets=1,
    hash_grid=HashGridConfig(features_per_level=2, resolutions_3d=(8,), resolutions_2d=(8,)),
    context=ContextConfig(feature_chunks=2),
)
CHANNELS = CONFIG.feature_dim + 6


@pytest.mark.parametrize("bits_of", ["trit_bits", "gaussian_refinement_bits"])
@pytest.mark.parametrize("level", [2, 3])
def test_probabilities_of_all_refinements_of_an_anchor_sum_to_one(bits_of, level):
    torch.manual_seed(1)
    context = ContextNetwork(CONFIG, voxel_size=0.1)
    with torch.no_grad():
        for layer in context.channels.hidden:  # earlier channels must matter to later ones
            layer.weight.mul_(5.0)
    trits = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=CHANNELS)))
    grid = torch.sign(torch.randn(1, CONFIG.hash_grid.output_dim)).expand(len(trits), -1)
    steps = context.steps(grid)
    divisor = 3.0 ** (level - 1)
    feature_step, scaling_step = steps.feature / divisor, steps.scaling / divisor
    coarse = torch.tensor([1.0, -2.0, 4.0, 3.0, 5.0, 4.0, 2.0, 3.0])  # in coarse steps
    fine = 3.0 * coarse + trits
    with torch.no_grad():
        bits = getattr(context, bits_of)(
            grid, fine[:, :2] * feature_step, fine[:, 2:] * scaling_step,
            feature_step, scaling_step, level,
        )  # fmt: skip
    assert float(torch.exp2(-bits.double()).sum()) == pytest.approx(1.0, rel=2e-3)
