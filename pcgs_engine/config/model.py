"""Sizes of the anchor model and its context model. Stored in every `.pcgs` file."""

import enum
from dataclasses import dataclass, field

from ..errors import ConfigError
from .parse import check_range

__all__ = ["ContextConfig", "HashGridConfig", "Head", "ModelConfig"]


class Head(enum.Enum):
    """How Gaussian attributes depend on the view (docs/design.md D7)."""

    NEURAL = "neural"
    """Opacity, covariance and colour MLPs see the view direction, as in the paper."""
    EXPLICIT = "explicit"
    """No view direction; colour is spherical harmonics, so decoded splats are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashGridConfig:
    """Binary multi-resolution hash grid: one 3-D grid and three 2-D planes (facts §2.1)."""

    features_per_level: int = 4
    """Features of one grid entry. Source: facts §2.1."""
    resolutions_3d: tuple[int, ...] = (18, 24, 33, 44, 59, 80, 108, 148, 201, 275, 376, 514)
    """Vertices per axis of the 3-D levels. Source: facts §2.1."""
    log2_table_3d: int = 13
    """Largest 3-D level has 2**this entries. Source: facts §2.1."""
    resolutions_2d: tuple[int, ...] = (130, 258, 514, 1026)
    """Vertices per axis of the 2-D levels, for each of xy, xz, yz. Source: facts §2.1."""
    log2_table_2d: int = 15
    """Largest 2-D level has 2**this entries. Source: facts §2.1."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        check_range(self, "features_per_level", 1, 8)
        check_range(self, "log2_table_3d", 3, 20)
        check_range(self, "log2_table_2d", 3, 20)
        sizes = (*self.resolutions_3d, *self.resolutions_2d)
        if not sizes or len(sizes) > 64 or min(sizes) < 4 or max(sizes) > 65536:
            raise ConfigError(f"hash grid resolutions are {sizes}, wanted 1 to 64 of 4..65536")

    @property
    def output_dim(self) -> int:
        """Length of the feature vector of one position."""
        levels = len(self.resolutions_3d) + 3 * len(self.resolutions_2d)
        return self.features_per_level * levels


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextConfig:
    """Hidden widths of the context model (facts §2.2, §3.2, §3.5)."""

    hash_hidden: int = 100
    """Hash context network: hash features -> this -> first-decode parameters."""
    step_hidden: int = 50
    """Step head: hash features -> this -> 3 step adjustments."""
    offset_hidden: int = 100
    """Offset head: hash features -> this -> mean and scale of 3K offsets."""
    channel_hidden: int = 40
    """Channel autoregression inside the feature."""
    feature_chunks: int = 5
    """Channel groups of the autoregression; divides `feature_dim`."""
    feature_trit_hidden: int = 150
    """Trinomial network of the feature."""
    scaling_trit_hidden: int = 18
    """Trinomial network of the scaling."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        for name in self.__slots__:
            check_range(self, name, 1, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Everything a decoder must know about the shape of the model."""

    feature_dim: int = 50
    """F, length of an anchor's feature. Source: facts §1.1."""
    num_offsets: int = 10
    """K, Gaussians per anchor. Source: facts §1.1."""
    num_levels: int = 3
    """S, progressive levels. Source: facts §3.1."""
    head: Head = Head.EXPLICIT
    """Appearance head."""
    head_hidden: int = 50
    """Hidden width of the attribute MLPs. Source: facts §1.2."""
    sh_degree: int = 2
    """Degree of the explicit head's spherical harmonics, 0..3."""
    feature_step: float = 1.0
    """Q0 of the feature. Source: facts §2.2."""
    scaling_step: float = 1.0
    """Q0 of the linear scaling in voxels (facts §2.2: 0.001 at voxel size 0.001)."""
    offset_step: float = 0.2
    """Q0 of the offsets, in units of the anchor's scaling. Source: facts §2.2."""
    hash_grid: HashGridConfig = field(default_factory=HashGridConfig)
    context: ContextConfig = field(default_factory=ContextConfig)

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        check_range(self, "feature_dim", 1, 256)
        check_range(self, "num_offsets", 1, 64)
        check_range(self, "num_levels", 1, 16)
        check_range(self, "head_hidden", 1, 1024)
        check_range(self, "sh_degree", 0, 3)
        for name in ("feature_step", "scaling_step", "offset_step"):
            check_range(self, name, 0.0, 1e6, open_low=True)
        if self.feature_dim % self.context.feature_chunks:
            raise ConfigError(
                f"feature_dim is {self.feature_dim}, wanted a multiple of "
                f"feature_chunks = {self.context.feature_chunks}"
            )

    @property
    def chunk_dim(self) -> int:
        """Channels of one autoregression group."""
        return self.feature_dim // self.context.feature_chunks
