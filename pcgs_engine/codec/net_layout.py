"""Shapes of all networks of a file, stated once as functions of the config. FORMAT.md §4.3."""

from dataclasses import dataclass

from ..config import Head, ModelConfig

__all__ = ["LayerShape", "NetShape", "context_nets", "head_layers", "modulated_nets", "trit_nets"]

VIEW_INPUTS = 4
"""Unit direction and distance, seen by the neural head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """Shape of one affine layer."""

    outputs: int
    inputs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetShape:
    """Shape of a network of two layers."""

    name: str
    inputs: int
    hidden: int
    outputs: int
    modulated: bool = False
    """Its multipliers come with each level (chunk GAIN)."""
    leaky: bool = False

    @property
    def layers(self) -> tuple[LayerShape, LayerShape]:
        """Both layers."""
        return (
            LayerShape(outputs=self.hidden, inputs=self.inputs),
            LayerShape(outputs=self.outputs, inputs=self.hidden),
        )


def context_nets(config: ModelConfig) -> tuple[NetShape, ...]:
    """Return the networks of NETW: first, step and offset net, then the channel nets."""
    G, F, c = config.hash_grid.output_dim, config.feature_dim, config.context
    nets = [
        NetShape(name="first", inputs=G, hidden=c.hash_hidden, outputs=3 * F + 12, modulated=True),
        NetShape(name="step", inputs=G, hidden=c.step_hidden, outputs=3, leaky=True),
        NetShape(
            name="offset", inputs=G, hidden=c.offset_hidden, outputs=6 * config.num_offsets,
            leaky=True,
        ),
    ]  # fmt: skip
    for chunk in range(c.feature_chunks):
        inputs = chunk * config.chunk_dim + 3 * F
        nets.append(
            NetShape(
                name=f"channel {chunk}", inputs=inputs, hidden=c.channel_hidden,
                outputs=3 * config.chunk_dim, leaky=True,
            )
        )  # fmt: skip
    return tuple(nets)


def trit_nets(config: ModelConfig) -> tuple[NetShape, ...]:
    """Return the networks of TNET: feature, then scaling."""
    G, F, c = config.hash_grid.output_dim, config.feature_dim, config.context
    return (
        NetShape(
            name="feature trit", inputs=G + F, hidden=c.feature_trit_hidden, outputs=3 * F,
            modulated=True,
        ),
        NetShape(
            name="scaling trit", inputs=G + 6, hidden=c.scaling_trit_hidden, outputs=18,
            modulated=True,
        ),
    )  # fmt: skip


def modulated_nets(config: ModelConfig, level: int) -> tuple[NetShape, ...]:
    """Return the networks whose multipliers GAIN of `level` brings, in order."""
    first = context_nets(config)[:1]
    return first if level == 1 else (*first, *trit_nets(config))


def head_layers(config: ModelConfig) -> tuple[LayerShape, ...]:
    """Return the layers of HEAD: opacity, covariance, colour, two each."""
    K, explicit = config.num_offsets, config.head is Head.EXPLICIT
    inputs = config.feature_dim + (0 if explicit else VIEW_INPUTS)
    colors = 3 * K * ((config.sh_degree + 1) ** 2 if explicit else 1)
    nets = [
        NetShape(name="head", inputs=inputs, hidden=config.head_hidden, outputs=n)
        for n in (K, 7 * K, colors)
    ]
    return tuple(layer for net in nets for layer in net.layers)
