"""ModelOptimizer: averages of weights, alone and where anchors are deleted."""

from types import SimpleNamespace

import pytest
import torch

from pcgs_engine.config import TrainingConfig
from pcgs_engine.errors import ConfigError
from pcgs_engine.model.anchors import ANCHOR_PARAMETERS
from pcgs_engine.training.optimizer import ModelOptimizer


@pytest.fixture
def optimizer():
    """One step taken on three anchors and on a network weight, whose average is its start."""
    anchors = SimpleNamespace(
        lattice=torch.zeros(3, 3), **{name: torch.ones(3, 2) for name in ANCHOR_PARAMETERS}
    )
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = ModelOptimizer(anchors, {"head": [weight]})
    optimizer.set_rates(dict.fromkeys((*ANCHOR_PARAMETERS, "head"), 1.0))
    optimizer.average(0.25)  # a parameter that Adam has not moved yet has an average as well
    (anchors.feature * torch.tensor([[1.0], [2.0], [3.0]])).sum().backward()
    weight.sum().backward()
    optimizer.step()
    optimizer.anchors, optimizer.weight = anchors, weight
    return optimizer


def test_average_moves_by_its_weight_towards_the_parameter(optimizer):
    torch.testing.assert_close(optimizer.weight.detach(), torch.tensor([-1.0, -1.0]))
    optimizer.average(0.25)
    optimizer.average(0.25)
    expected = torch.full((2,), -0.25 - 0.75 * 0.25)
    torch.testing.assert_close(optimizer.state_tensors()["head.0.average"], expected)


def test_averaged_shows_averages_and_gives_the_weights_back(optimizer):
    before = optimizer.anchors.feature.detach().clone()
    with optimizer.averaged():
        assert torch.equal(optimizer.weight, torch.zeros(2))
        assert torch.equal(optimizer.anchors.feature, torch.ones(3, 2))
    assert torch.equal(optimizer.anchors.feature, before)
    assert torch.equal(optimizer.state_tensors()["head.0.average"], torch.zeros(2))


def test_adopted_averages_are_the_parameters_and_no_state_any_more(optimizer):
    optimizer.adopt_averages()
    assert torch.equal(optimizer.weight, torch.zeros(2))
    assert not any(name.endswith("average") for name in optimizer.state_tensors())


def test_averages_of_deleted_anchors_go_with_them(optimizer):
    optimizer.average(0.5)
    average = optimizer.state_tensors()["feature.0.average"]
    optimizer.keep_rows(torch.tensor([True, False, True]))
    assert torch.equal(optimizer.state_tensors()["feature.0.average"], average[[0, 2]])


def test_averaging_before_growth_stops_raises_config_error():
    with pytest.raises(ConfigError, match=r"averaging_start is 0\.4, wanted .*\[0\.5"):
        TrainingConfig(averaging_start=0.4)


def test_rows_that_are_slowed_down_move_by_that_part_of_their_steps():
    moved = []
    for part in (None, 0.1):
        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 6)
        before = [p.detach().clone() for p in layer.parameters()]
        anchors = SimpleNamespace(
            lattice=torch.zeros(1, 3), **{name: torch.ones(1, 2) for name in ANCHOR_PARAMETERS}
        )
        optimizer = ModelOptimizer(anchors, {"color": list(layer.parameters())})
        optimizer.set_rates(dict.fromkeys((*ANCHOR_PARAMETERS, "color"), 0.01))
        rows = torch.tensor([False, True, True] * 2)
        if part is not None:
            optimizer.slow_down(layer.parameters(), rows, part)
        layer(torch.ones(1, 4)).square().sum().backward()
        optimizer.step()
        moved.append([(p - b).detach() for p, b in zip(layer.parameters(), before, strict=True)])
    for full, slow in zip(*moved, strict=True):
        assert float(full.abs().min()) > 0.0
        torch.testing.assert_close(slow[~rows], full[~rows])
        torch.testing.assert_close(slow[rows], 0.1 * full[rows])
