"""Adam over named groups whose anchor tensors may grow and shrink (facts §1.4), and their average.

Photographs and levels are drawn at random, so weights jitter around where they are going: their
moving average draws better pictures than the weights of the last iteration.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..model.anchors import ANCHOR_PARAMETERS, Anchors
from ..model.attribute_head import AttributeHead
from ..model.context_network import ContextNetwork
from ..model.hash_grid import HashGrid

__all__ = ["AVERAGE", "ModelOptimizer", "network_groups"]

ADAM_EPSILON = 1e-15
"""Source: facts §1.4."""
MOMENTS = ("exp_avg", "exp_avg_sq")
AVERAGE = "average"
"""Key of a parameter's moving average in a checkpoint, beside its moments."""


def network_groups(
    head: AttributeHead, hash_grid: HashGrid, context: ContextNetwork
) -> dict[str, list[nn.Parameter]]:
    """Return the parameters of the networks by the name of their learning rate (facts §1.4)."""
    channel = list(context.channels.parameters())
    own = {id(p) for p in channel}
    pairs = {
        "opacity": (head.opacity_hidden, head.opacity_out),
        "covariance": (head.covariance_hidden, head.covariance_out),
        "color": (head.color_hidden, head.color_out),
    }
    groups = {name: [p for m in pair for p in m.parameters()] for name, pair in pairs.items()}
    return groups | {
        "hash_grid": list(hash_grid.parameters()),
        "context": [p for p in context.parameters() if id(p) not in own],
        "channel": channel,
    }


class ModelOptimizer:
    """One torch Adam; groups are found by name, anchor tensors can be replaced row by row."""

    def __init__(self, anchors: Anchors, modules: Mapping[str, Iterable[nn.Parameter]]) -> None:
        groups: list[dict[str, object]] = []
        for name in ANCHOR_PARAMETERS:
            tensor: Tensor = getattr(anchors, name)
            setattr(anchors, name, nn.Parameter(tensor.detach().clone()))
            groups.append({"params": [getattr(anchors, name)], "name": name})
        groups += [{"params": list(p), "name": name} for name, p in modules.items()]
        self._anchors = anchors
        self.adam = torch.optim.Adam(groups, lr=0.0, eps=ADAM_EPSILON, fused=True)
        self._averages: dict[nn.Parameter, Tensor] = {}
        self._slowed: list[tuple[nn.Parameter, Tensor]] = []

    def slow_down(self, parameters: Iterable[nn.Parameter], rows: Tensor, part: float) -> None:
        """Let `rows` `[n]` bool of each parameter move by `part` of their steps from now on."""
        for parameter in parameters:
            factor = torch.where(rows.to(parameter.device), part, 1.0)
            shape = (-1, *[1] * (parameter.ndim - 1))
            self._slowed.append((parameter, factor.to(parameter.dtype).view(shape)))

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Set the learning rate of every group."""
        for group in self.adam.param_groups:
            group["lr"] = rates[group["name"]]

    def step(self) -> None:
        """Update everything that has a gradient, then drop the gradients."""
        before = [parameter.detach().clone() for parameter, _ in self._slowed]
        self.adam.step()
        with torch.no_grad():
            for (parameter, factor), old in zip(self._slowed, before, strict=True):
                parameter.copy_(old + factor * (parameter - old))
        self.adam.zero_grad(set_to_none=True)

    @torch.no_grad()
    def average(self, weight: float) -> None:
        """Move the average of every parameter by `weight` towards its present value."""
        for parameter in self._parameters():
            if parameter in self._averages:
                self._averages[parameter].lerp_(parameter, weight)
            else:
                self._averages[parameter] = parameter.detach().clone()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, parameters hold their averages where there are any: what the run would yield."""
        self._exchange_averages()
        try:
            yield
        finally:
            self._exchange_averages()

    def adopt_averages(self) -> None:
        """Make the averages the parameters for good and forget them; the end of a training."""
        self._exchange_averages()
        self._averages.clear()

    def _exchange_averages(self) -> None:
        for parameter, average in self._averages.items():
            self._averages[parameter], parameter.data = parameter.data, average

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.adam.param_groups for p in group["params"]]

    def keep_rows(self, keep: Tensor) -> None:
        """Drop the anchors where `keep` `[N]` bool is False, with their moments."""
        self._anchors.lattice = self._anchors.lattice[keep]
        for name in ANCHOR_PARAMETERS:
            self._replace(name, lambda values: values[keep], lambda moment: moment[keep])

    def append_rows(self, lattice: Tensor, rows: Mapping[str, Tensor]) -> None:
        """Add anchors at `lattice` `[n, 3]` with values `rows` by parameter name."""
        self._anchors.lattice = torch.cat([self._anchors.lattice, lattice])
        for name in ANCHOR_PARAMETERS:
            new = rows[name]
            zeros = torch.zeros_like(new)
            self._replace(
                name,
                lambda values, new=new: torch.cat([values, new]),  # type: ignore[misc]
                lambda moment, zeros=zeros: torch.cat([moment, zeros]),  # type: ignore[misc]
            )

    def _replace(
        self,
        name: str,
        change_values: Callable[[Tensor], Tensor],
        change_moment: Callable[[Tensor], Tensor],
    ) -> None:
        group = next(g for g in self.adam.param_groups if g["name"] == name)
        old: nn.Parameter = group["params"][0]
        new = nn.Parameter(change_values(old.detach()).contiguous())
        state = self.adam.state.pop(old, None)
        if state is not None:
            for key in MOMENTS:
                state[key] = change_moment(state[key]).contiguous()
            self.adam.state[new] = state
        average = self._averages.pop(old, None)
        if average is not None:
            self._averages[new] = change_values(average).contiguous()
        group["params"][0] = new
        setattr(self._anchors, name, new)

    def set_anchor_parameter(self, name: str, values: Tensor) -> None:
        """Replace an anchor tensor as a whole and forget its moments and average."""
        self._replace(name, lambda _: values.clone(), lambda moment: moment)
        self.adam.state.pop(getattr(self._anchors, name), None)
        self._averages.pop(getattr(self._anchors, name), None)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return step counts, moments and averages by `group.index.key` for a checkpoint."""
        tensors = {}
        for group in self.adam.param_groups:
            for index, parameter in enumerate(group["params"]):
                for key, value in self.adam.state.get(parameter, {}).items():
                    tensors[f"{group['name']}.{index}.{key}"] = value
                if parameter in self._averages:
                    tensors[f"{group['name']}.{index}.{AVERAGE}"] = self._averages[parameter]
        return tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `state_tensors` returned, on the device of each parameter.

        Fused Adam wants step counts there too.
        """
        for group in self.adam.param_groups:
            for index, parameter in enumerate(group["params"]):
                prefix = f"{group['name']}.{index}."
                state = {
                    key.removeprefix(prefix): value.to(parameter.device, copy=True)
                    for key, value in tensors.items()
                    if key.startswith(prefix)
                }
                average = state.pop(AVERAGE, None)
                if average is not None:
                    self._averages[parameter] = average
                if state:
                    self.adam.state[parameter] = state
