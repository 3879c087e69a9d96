"""Adam over named groups whose anchor tensors may grow and shrink (facts §1.4)."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from ..model.anchors import ANCHOR_PARAMETERS, Anchors

__all__ = ["ModelOptimizer"]

ADAM_EPSILON = 1e-15
"""Source: facts §1.4."""
MOMENTS = ("exp_avg", "exp_avg_sq")


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

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Set the learning rate of every group."""
        for group in self.adam.param_groups:
            group["lr"] = rates[group["name"]]

    def step(self) -> None:
        """Update everything that has a gradient, then drop the gradients."""
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

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
        group["params"][0] = new
        setattr(self._anchors, name, new)

    def set_anchor_parameter(self, name: str, values: Tensor) -> None:
        """Replace an anchor tensor as a whole and forget its moments."""
        self._replace(name, lambda _: values.clone(), lambda moment: moment)
        self.adam.state.pop(getattr(self._anchors, name), None)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return step counts and moments by `group.index.key` for a checkpoint."""
        tensors = {}
        for group in self.adam.param_groups:
            for index, parameter in enumerate(group["params"]):
                for key, value in self.adam.state.get(parameter, {}).items():
                    tensors[f"{group['name']}.{index}.{key}"] = value
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
                if state:
                    self.adam.state[parameter] = state
