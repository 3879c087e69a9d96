"""HashGrid against docs/design.md: a slow implementation in plain Python, and the numba path
against the torch path. Both paths share no code below `prepare` and `forward_prepared`.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pcgs_engine.config import HashGridConfig, Preset, preset_config
from pcgs_engine.entropy.hash_features import HASH_UNITS, hash_features
from pcgs_engine.errors import ConfigError
from pcgs_engine.kernels.pool import KernelPool
from pcgs_engine.levels.split_levels import hash_grid_weights
from pcgs_engine.model.hash_grid import HashGrid

SMALL = HashGridConfig(
    features_per_level=4,
    resolutions_3d=(4, 9, 21),  # 64 and 729 rows are dense, 21³ is hashed into 1024
    log2_table_3d=10,
    resolutions_2d=(7, 40),  # 49 rows are rounded up to 56, 1600 is hashed into 512
    log2_table_2d=9,
)
TWO_WIDE = HashGridConfig(
    features_per_level=2, resolutions_3d=(6, 30), log2_table_3d=8, resolutions_2d=(12,)
)
LOW, HIGH = torch.tensor([-1.0, -2.0, 0.5]), torch.tensor([1.0, 3.0, 4.0])


def make_grid(config: HashGridConfig = SMALL, *, threads: int = 1, seed: int = 0) -> HashGrid:
    generator = torch.Generator().manual_seed(seed)
    pool = KernelPool(threads) if threads else None
    grid = HashGrid(config, LOW, HIGH, pool=pool, generator=generator)
    with torch.no_grad():  # beyond 1 for some, so that the straight-through mask matters
        grid.table.uniform_(-1.25, 1.25, generator=generator)
    return grid


def some_positions(count: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(count, 3, generator=generator) * 1.2 - 0.1  # about 4 in 10 fall outside
    corners = torch.tensor(list(itertools.product((0.0, 0.5, 1.0), repeat=3)))
    return LOW + torch.cat([corners, unit]) * (HIGH - LOW)


def features_by_definition(grid: HashGrid, position: np.ndarray) -> list[float]:
    """Evaluate docs/design.md for one position, word by word, in Python numbers."""
    config, signs = grid.config, grid.signs()
    low, high = grid.box_min.numpy(), grid.box_max.numpy()
    u = [float(x) for x in (position - low) / (high - low)]
    f = config.features_per_level
    wanted = [((0, 1, 2), r, config.log2_table_3d) for r in config.resolutions_3d]
    for plane in ((0, 1), (0, 2), (1, 2)):
        wanted += [(plane, r, config.log2_table_2d) for r in config.resolutions_2d]
    result: list[float] = []
    first = 0
    for axes, r, log2_table in wanted:
        d = len(axes)
        entries = math.ceil(min(2**log2_table, r**d) / 8) * 8
        level = signs[first : first + entries]
        first += entries
        if not all(0 <= x <= 1 for x in u):
            result += [0.0] * f
            continue
        pos = [u[axis] * (r - 2) + 0.5 for axis in axes]
        total, value = 0.0, [0.0] * f
        for corner in itertools.product((0, 1), repeat=d):
            vertex = [math.floor(p) + c for p, c in zip(pos, corner, strict=True)]
            if any(i == 0 or i >= r - 1 for i in vertex):
                continue
            fractions = [p - math.floor(p) for p in pos]
            parts = [t if c else 1 - t for t, c in zip(fractions, corner, strict=True)]
            weight = math.prod(parts)
            if r**d <= entries:
                row = sum(i * r**axis for axis, i in enumerate(vertex))
            else:
                row = 0
                for i, prime in zip(vertex, (1, 2654435761, 805459861), strict=False):
                    row ^= i * prime
                row = row % 2**32 % entries
            total += weight
            value = [v + weight * float(s) for v, s in zip(value, level[row], strict=True)]
        result += [v / total if total else 0.0 for v in value]
    assert first == len(signs)
    return result


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("config", [SMALL, TWO_WIDE])
def test_hash_grid_against_slow_definition_agrees(config: HashGridConfig, threads: int) -> None:
    grid, positions = make_grid(config, threads=threads), some_positions(300)
    expected = [features_by_definition(grid, p) for p in positions.numpy()]
    # float32 positions against Python's float64: fractions differ by about r · 6e-8
    torch.testing.assert_close(
        grid(positions).detach(), torch.tensor(expected), atol=3e-5, rtol=0.0
    )


def test_hash_grid_against_its_coding_twin_agrees() -> None:
    grid, voxel_size = make_grid(), 2.0**-7
    lattice = (some_positions(300) / voxel_size).round().to(torch.int32)
    weights = hash_grid_weights(grid, voxel_size)
    found = hash_features(weights, lattice.numpy()) / HASH_UNITS
    wanted = grid(lattice * voxel_size).detach().numpy()
    # Integers: places in 1/256 of a vertex distance, features in 1/512, box in 1/256 cells.
    difference = np.abs(found - wanted)
    assert difference.mean() < 0.003
    assert np.quantile(difference, 0.999) < 0.03
    assert (np.abs(wanted) > 0.1).mean() > 0.3


def test_hash_grid_default_config_has_the_papers_size() -> None:
    grid = HashGrid(HashGridConfig(), LOW, HIGH)
    assert grid.table.numel() == 1_766_272  # facts §2.1
    assert grid(some_positions(1)).shape[1] == HashGridConfig().output_dim == 96


def test_hash_grid_init_is_small_and_follows_the_generator() -> None:
    tables = [
        HashGrid(SMALL, LOW, HIGH, generator=torch.Generator().manual_seed(s)).table.detach()
        for s in (5, 5, 6)
    ]
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])
    assert 0.9e-4 < float(tables[0].abs().max()) <= 1e-4


@pytest.mark.parametrize("config", [SMALL, TWO_WIDE, preset_config(Preset.PREVIEW).model.hash_grid])
def test_hash_grid_numba_against_torch_has_same_values_and_gradients(
    config: HashGridConfig,
) -> None:
    fast, plain = make_grid(config, threads=1), make_grid(config, threads=0)
    positions = some_positions(400)
    cotangent = torch.randn(len(positions), config.output_dim, generator=torch.manual_seed(3))
    lookups = fast.prepare(positions), plain.prepare(positions)
    assert torch.equal(lookups[0].rows, lookups[1].rows)
    results = fast(positions), plain(positions)
    torch.testing.assert_close(*results, atol=1e-6, rtol=0.0)
    for result in results:
        result.backward(cotangent)
    assert fast.table.grad is not None
    # sums of up to a few hundred float32 terms in another order
    torch.testing.assert_close(fast.table.grad, plain.table.grad, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("threads", [0, 1])
def test_hash_grid_gradient_matches_flipping_a_sign(threads: int) -> None:
    grid, positions = make_grid(threads=threads), some_positions(60)
    with torch.no_grad():
        grid.table.mul_(0.5)  # everything passes straight through
    grid(positions).square().sum().backward()
    touched = grid.table.grad.abs().flatten().topk(20).indices
    before = grid(positions).detach().double()
    for entry in touched.tolist():
        sign = float(grid.signs().flatten()[entry])
        with torch.no_grad():
            grid.table.flatten()[entry].neg_()
        after = grid(positions).detach().double()
        with torch.no_grad():
            grid.table.flatten()[entry].neg_()
        # the features are affine in one sign, so the difference quotient is exact for them
        by_sign = (after - before) / (-2 * sign)
        expected = float((2 * before * by_sign).sum())
        assert float(grid.table.grad.flatten()[entry]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("threads", [0, 1])
def test_hash_grid_weights_beyond_one_get_no_gradient(threads: int) -> None:
    grid = make_grid(threads=threads)
    with torch.no_grad():
        grid.table[:, 0] = 1.0
        grid.table[:, 1] = -1.0
        grid.table[:, 2] = 1.0001
        grid.table[:, 3] = -1.0001
    grid(some_positions(50)).sum().backward()
    norms = grid.table.grad.abs().sum(dim=0)
    assert bool((norms[:2] > 1).all())
    assert norms[2:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("threads", [0, 1])
def test_hash_grid_zero_entries_count_as_plus_one(threads: int) -> None:
    grid = make_grid(threads=threads)
    with torch.no_grad():
        grid.table.zero_()
    assert bool((grid.signs() == 1).all())
    centre = ((LOW + HIGH) / 2)[None]
    torch.testing.assert_close(grid(centre).detach(), torch.ones(1, SMALL.output_dim))


@pytest.mark.parametrize("threads", [0, 1])
def test_hash_grid_positions_get_no_gradient(threads: int) -> None:
    positions = some_positions(5).requires_grad_()
    make_grid(threads=threads)(positions).sum().backward()
    assert positions.grad is None


@pytest.mark.parametrize("threads", [0, 1])
def test_hash_grid_poisoned_positions_give_zeros_and_leave_others_alone(threads: int) -> None:
    grid, clean = make_grid(threads=threads), some_positions(40)
    inf, nan, tiny = math.inf, math.nan, 1e-45
    poison = torch.tensor(
        [[nan, 0, 1], [0, inf, 1], [0, 0, -inf], [1e38, 0, 1], [nan, nan, nan], [-1e38, 1, 1]]
    )
    denormal = torch.tensor([[tiny, tiny, 1.0]])
    mixed = grid(torch.cat([poison, clean, denormal]))
    assert bool((mixed[:6] == 0).all())
    torch.testing.assert_close(mixed[6:-1], grid(clean))
    assert bool(torch.isfinite(mixed).all())
    mixed.sum().backward()
    assert bool(torch.isfinite(grid.table.grad).all())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-5, 5, width=32) | st.just(math.nan), min_size=3, max_size=3))
def test_hash_lookup_weights_sum_to_one_or_zero_and_rows_stay_in_their_level(
    position: list[float],
) -> None:
    for threads in (0, 1):
        lookup = make_grid(threads=threads).prepare(torch.tensor([position]))
        first, column = 0, 0
        entries = [64, 736, 1024] + [56, 512] * 3
        for level, rows in enumerate(entries):
            corners = 8 if level < 3 else 4
            weights = lookup.weights[0, column : column + corners]
            inside = lookup.rows[0, column : column + corners]
            assert bool((weights >= 0).all())
            assert float(weights.sum()) == 0 or abs(float(weights.sum()) - 1) < 1e-6
            # scatter owns levels: a row of another level would be written by two threads
            assert bool(((inside >= first) & (inside < first + rows)).all())
            first, column = first + rows, column + corners
        assert lookup.table_rows == first


def test_hash_grid_any_thread_count_gives_the_same_bits() -> None:
    config = preset_config(Preset.PREVIEW).model.hash_grid
    positions = some_positions(9000)
    results = []
    for threads in (1, 2, 3):
        grid = make_grid(config, threads=threads)
        features = grid(positions)
        features.square().sum().backward()
        results.append((features.detach(), grid.table.grad))
    for features, gradient in results[1:]:
        assert torch.equal(features, results[0][0])
        assert torch.equal(gradient, results[0][1])


@pytest.mark.parametrize("threads", [0, 1])
def test_hash_grid_subset_equals_rows_of_the_whole(threads: int) -> None:
    grid = make_grid(threads=threads)
    lookup = grid.prepare(some_positions(30))
    picks = torch.tensor([3, 40, 3, 0])
    assert len(lookup) == 57
    part = grid.forward_prepared(lookup, picks)
    whole = grid.forward_prepared(lookup)[picks]
    torch.testing.assert_close(part, whole)
    gradients = [torch.autograd.grad(x.square().sum(), grid.table)[0] for x in (part, whole)]
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("threads", [0, 1])
def test_hash_grid_empty_input_gives_empty_features(threads: int) -> None:
    grid = make_grid(threads=threads)
    features = grid(torch.empty(0, 3))
    assert features.shape == (0, SMALL.output_dim)
    features.sum().backward()
    assert float(grid.table.grad.abs().sum()) == 0
    lookup = grid.prepare(some_positions(3))
    empty = grid.forward_prepared(lookup, torch.empty(0, dtype=torch.int64))
    assert empty.shape == (0, SMALL.output_dim)


@pytest.mark.parametrize("pick", [-1, 57])
def test_hash_grid_subset_index_out_of_range_raises(pick: int) -> None:
    grid = make_grid()
    with pytest.raises(IndexError, match=r"wanted 0\.\.56"):
        grid.forward_prepared(grid.prepare(some_positions(30)), torch.tensor([0, pick]))


def test_hash_grid_lookup_of_another_grid_raises() -> None:
    lookup = make_grid(TWO_WIDE).prepare(some_positions(3))
    with pytest.raises(ValueError, match="another hash grid"):
        make_grid(SMALL).forward_prepared(lookup)


def test_hash_grid_positions_of_wrong_shape_raise() -> None:
    with pytest.raises(ValueError, match=r"wanted \[n, 3\]"):
        make_grid().prepare(torch.zeros(4, 2))


def test_hash_grid_moved_box_shifts_the_features() -> None:
    grid, positions = make_grid(), some_positions(20)
    before = grid(positions)
    shift = torch.tensor([8.0, -16.0, 32.0])
    grid.set_box(LOW * 2 + shift, HIGH * 2 + shift)
    # powers of two, so the scaled input is the same number
    torch.testing.assert_close(grid(positions * 2 + shift), before, atol=1e-4, rtol=0.0)
    assert bool((grid(positions) == 0).all())


@pytest.mark.parametrize(
    "high", [[1.0, -2.0, 4.0], [1.0, math.nan, 4.0], [1.0, math.inf, 4.0], [1.0, 3.0]]
)
def test_hash_grid_unusable_box_raises_config_error(high: list[float]) -> None:
    grid = make_grid()
    with pytest.raises(ConfigError, match="hash grid box"):
        grid.set_box(LOW[: len(high)], torch.tensor(high))
    assert torch.equal(grid.box_max, HIGH)


def test_hash_grid_state_dict_restores_table_and_box() -> None:
    grid = make_grid()
    other = HashGrid(SMALL, torch.zeros(3), torch.ones(3))
    other.load_state_dict(grid.state_dict())
    positions = some_positions(20)
    torch.testing.assert_close(other(positions), grid(positions))


@pytest.mark.parametrize(("share", "expected"), [(0.5, 1.0), (0.25, 0.811278), (1.0, 0.0)])
def test_hash_grid_bits_follow_the_entropy_of_the_signs(share: float, expected: float) -> None:
    grid = make_grid()
    count = grid.table.numel()
    with torch.no_grad():
        values = torch.where(torch.arange(count) < share * count, 0.3, -0.3)
        grid.table.copy_(values.view_as(grid.table))
    # p is kept 1e-6 away from 0 and 1, which costs 2.1e-5 bit an entry
    assert float(grid.bits().detach()) == pytest.approx(expected * count + 32, abs=2.5e-5 * count)


def test_hash_grid_bits_gradient_is_the_slope_of_the_entropy() -> None:
    grid = make_grid()
    count = grid.table.numel()
    with torch.no_grad():
        values = torch.where(torch.arange(count) < count // 4, 0.3, -0.3)
        values[::2] *= 4  # beyond 1
        grid.table.copy_(values.view_as(grid.table))
    grid.bits().backward()
    p = (count // 4) / count
    slope = 0.5 * math.log2((1 - p) / p)  # dp/dsign = 1 / (2 count)
    gradient = grid.table.grad.flatten()
    torch.testing.assert_close(gradient[1::2], torch.full((count // 2,), slope), rtol=1e-4, atol=0)
    assert float(gradient[::2].abs().max()) == 0


def test_hash_grid_signs_are_int8_of_plus_and_minus_one() -> None:
    signs = make_grid().signs()
    assert signs.dtype == np.int8
    assert signs.shape == (64 + 736 + 1024 + 3 * (56 + 512), 4)
    assert set(np.unique(signs)) == {-1, 1}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_hash_grid_on_gpu_equals_cpu() -> None:
    grid, positions = make_grid(), some_positions(400)
    device_grid = make_grid().to("cuda")
    results = [g(positions.to(g.table.device)) for g in (grid, device_grid)]
    torch.testing.assert_close(results[1].cpu(), results[0], atol=3e-5, rtol=0.0)
    for result in results:
        result.square().sum().backward()
    torch.testing.assert_close(device_grid.table.grad.cpu(), grid.table.grad, atol=1e-3, rtol=1e-4)
