"""Attribute head: which outputs of the colour MLP are harmonics."""

import pytest
import torch

from pcgs_engine.config import Head, ModelConfig
from pcgs_engine.model.attribute_head import AttributeHead


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_harmonic_rows_are_those_of_degrees_above_0(degree):
    config = ModelConfig(sh_degree=degree, num_offsets=2)
    head = AttributeHead(config, distance_unit=1.0)
    with torch.no_grad():
        head.color_out.weight[head.harmonic_rows()] = 0.0
        head.color_out.bias[head.harmonic_rows()] = 0.0
        color = head(torch.randn(5, config.feature_dim), None).color
    assert color.shape == (5, 2, (degree + 1) ** 2, 3)
    assert (color[:, :, 1:] == 0).all()
    assert (color[:, :, 0] != 0).any()


def test_a_neural_head_has_no_harmonics():
    config = ModelConfig(head=Head.NEURAL, sh_degree=3)
    assert not AttributeHead(config, distance_unit=1.0).harmonic_rows().any()
