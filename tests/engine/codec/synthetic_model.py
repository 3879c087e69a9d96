"""Random but plausible CodedModel of any size: what encoder, decoder and CLI tests feed on.

Anchors lie on a wavy surface; networks are random with sensible biases, calibrated as trained ones
are; symbols have about the spread that the networks predict.
"""

import numpy as np

from pcgs_engine.config import ContextConfig, HashGridConfig, Head, ModelConfig
from pcgs_engine.entropy.coded_model import CodedAnchors, CodedModel, Ranking
from pcgs_engine.entropy.hash_features import grid_entries, hash_features
from pcgs_engine.entropy.mask_law import MaskNet
from pcgs_engine.entropy.positions import coding_order
from pcgs_engine.entropy.weights import Dense, HashGridWeights, HeadWeights
from pcgs_engine.levels.calibrate import CalibrationAnchors, calibrate_context
from pcgs_engine.levels.quantize_head import quantize_head
from pcgs_engine.model.context_weights import ContextWeights

VOXEL_SIZE = 1.0 / 256


def small_config(num_levels=3, head=Head.EXPLICIT):
    """Sizes that make a file of a few kilobytes."""
    return ModelConfig(
        feature_dim=6,
        num_offsets=3,
        num_levels=num_levels,
        head=head,
        head_hidden=5,
        sh_degree=1,
        hash_grid=HashGridConfig(
            features_per_level=2,
            resolutions_3d=(6, 9),
            log2_table_3d=6,
            resolutions_2d=(10,),
            log2_table_2d=5,
        ),
        context=ContextConfig(
            hash_hidden=7,
            step_hidden=4,
            offset_hidden=6,
            channel_hidden=5,
            feature_chunks=3,
            feature_trit_hidden=8,
            scaling_trit_hidden=5,
        ),
    )


def synthetic_model(num_anchors=60, *, config=None, seed=0, ranks=2, mask_net=False):
    """Return a CodedModel of `num_anchors` anchors at the last level."""
    config = config or small_config()
    rng = np.random.default_rng(seed)
    points = _surface(rng, num_anchors)
    level_of = 1 + np.searchsorted(
        np.linspace(0.7, 1.0, config.num_levels), rng.random(len(points))
    )
    level_of = np.minimum(level_of, config.num_levels)
    level_of[0] = 1
    hash_grid = _hash_grid(rng, config.hash_grid)
    anchors = _anchors(rng, config, points, level_of)
    return CodedModel(
        config=config,
        voxel_size=VOXEL_SIZE,
        hash_grid=hash_grid,
        context=_integer_context(rng, config, hash_grid, anchors),
        head=quantize_head(_head(rng, config)),
        camera_centres=rng.normal(size=(5, 3)).astype(np.float32),
        anchors=anchors,
        ranking=_ranking(rng, config, len(points), ranks),
        mask_net=_mask_net(rng, config) if mask_net else None,
    )


def _anchors(rng, config, points, level_of):
    F, K, S = config.feature_dim, config.num_offsets, config.num_levels
    order = []
    for level in range(1, S + 1):
        members = np.flatnonzero(level_of == level)
        order.append(members[coding_order(points[members])])
    order = np.concatenate(order)
    first = level_of[order].astype(np.uint8)
    N, finest = len(points), 3 ** (S - 1)
    mask_level = np.where(rng.random((N, K)) < 0.35, first[:, None], 0)
    later = rng.integers(1, S + 1, (N, K))
    mask_level = np.where((mask_level == 0) & (later > first[:, None]), later, mask_level)
    mask_level[np.arange(N), rng.integers(0, K, N)] = first
    return CodedAnchors(
        first_level=first,
        positions=np.ascontiguousarray(points[order]),
        mask_level=mask_level.astype(np.uint8),
        features=np.rint(rng.normal(0, 1.5 * finest, (N, F))).astype(np.int32),
        scaling=np.maximum(np.rint(rng.normal(4, 1, (N, 6)) * finest), 0).astype(np.int32),
        offsets=np.rint(rng.normal(0, 3, (N, K, 3))).astype(np.int32),
    )


def _integer_context(rng, config, hash_grid, anchors):
    sample = CalibrationAnchors(
        hash_features=hash_features(hash_grid, anchors.positions) / 512.0,
        features=anchors.features / 3.0 ** (config.num_levels - 1),
        scaling=anchors.scaling / 3.0 ** (config.num_levels - 1) / 16.0,
    )
    return calibrate_context(_context(rng, config), config, sample, 16 * VOXEL_SIZE, 127)


def _ranking(rng, config, count, ranks):
    S, F = config.num_levels, config.feature_dim
    return Ranking(
        ranks=ranks,
        rank=rng.integers(0, ranks, count).astype(np.uint8),
        gain=rng.exponential(1.0, (S * ranks, F + 6, S - 1)),
    )


def _mask_net(rng, config):
    F, K, width = config.feature_dim, config.num_offsets, 4

    def small(*shape):
        return rng.integers(-9, 10, shape).astype(np.int8)

    return MaskNet(
        base=small(K, 4), bias=small(width), input_weight=small(width, 9 + F),
        bit_weight=small(K, width), count_weight=small(4, width), out_weight=small(K, width),
    )  # fmt: skip


def _surface(rng, count):
    spread = max(40.0, 6.0 * np.sqrt(count))
    uv = rng.uniform(-spread, spread, (4 * count + 8, 2))
    height = 0.2 * spread * np.sin(3 * uv[:, 0] / spread) * np.cos(2 * uv[:, 1] / spread)
    points = np.rint(np.column_stack([uv, height])).astype(np.int32)
    unique = np.unique(points, axis=0)
    return unique[rng.permutation(len(unique))[:count]]


def _half(values):
    return np.asarray(values).astype(np.float16).astype(np.float32)


def _dense(rng, inputs, outputs, *, gain=1.0, bias=None):
    weight = rng.normal(0, gain / np.sqrt(inputs), (outputs, inputs))
    return Dense(
        weight=_half(weight),
        bias=_half(np.zeros(outputs) if bias is None else np.broadcast_to(bias, outputs)),
    )


def _hash_grid(rng, config):
    shape = (grid_entries(config), config.features_per_level)
    signs = np.where(rng.random(shape) < 0.6, 1, -1).astype(np.int8)
    reach = 1024 * 256  # 1/256 cells
    return HashGridWeights(
        config=config, signs=signs, box_low=np.full(3, -reach), box_size=np.full(3, 2 * reach)
    )


def _context(rng, config):
    G, F, K = config.hash_grid.output_dim, config.feature_dim, config.num_offsets
    S, C, c = config.num_levels, config.chunk_dim, config.context
    small = {"gain": 0.3}
    unit = 1.0 / 16.0  # scalings are given in units of 16 voxels
    hash_bias = np.concatenate(
        [np.zeros(F), np.full(F, 1.5), np.zeros(F), np.full(6, 4 * unit), np.full(6, unit)]
    )
    hash_out = _dense(rng, c.hash_hidden, 3 * F + 12, bias=hash_bias, **small)
    hash_out.weight[3 * F :] = _half(hash_out.weight[3 * F :] * unit)
    offset_bias = np.concatenate([np.zeros(3 * K), np.full(3 * K, 0.6)])
    channel_bias = np.concatenate([np.zeros(C), np.full(C, 1.5), np.zeros(C)])

    def gains(width):
        return _half(1 + 0.2 * rng.normal(size=(S, width)))

    return ContextWeights(
        hash_hidden=_dense(rng, G, c.hash_hidden),
        hash_gain=gains(c.hash_hidden),
        hash_out=hash_out,
        step_hidden=_dense(rng, G, c.step_hidden),
        step_out=_dense(rng, c.step_hidden, 3, **small),
        offset_hidden=_dense(rng, G, c.offset_hidden),
        offset_out=_dense(rng, c.offset_hidden, 6 * K, gain=0.1, bias=offset_bias),
        channel_hidden=tuple(
            _dense(rng, i * C + 3 * F, c.channel_hidden) for i in range(c.feature_chunks)
        ),
        channel_out=tuple(
            _dense(rng, c.channel_hidden, 3 * C, bias=channel_bias, **small)
            for _ in range(c.feature_chunks)
        ),
        feature_trit_hidden=_dense(rng, G + F, c.feature_trit_hidden),
        feature_trit_gain=gains(c.feature_trit_hidden),
        feature_trit_out=_dense(rng, c.feature_trit_hidden, 3 * F, **small),
        scaling_trit_hidden=_dense(rng, G + 6, c.scaling_trit_hidden),
        scaling_trit_gain=gains(c.scaling_trit_hidden),
        scaling_trit_out=_dense(rng, c.scaling_trit_hidden, 18, **small),
    )


def _head(rng, config):
    K, explicit = config.num_offsets, config.head is Head.EXPLICIT
    inputs = config.feature_dim + (0 if explicit else 4)
    colors = 3 * K * ((config.sh_degree + 1) ** 2 if explicit else 1)
    hidden = config.head_hidden
    return HeadWeights(
        opacity_hidden=_dense(rng, inputs, hidden),
        opacity_out=_dense(rng, hidden, K, bias=0.5),
        covariance_hidden=_dense(rng, inputs, hidden),
        covariance_out=_dense(rng, hidden, 7 * K),
        color_hidden=_dense(rng, inputs, hidden),
        color_out=_dense(rng, hidden, colors),
        distance_unit=1.0,
    )
