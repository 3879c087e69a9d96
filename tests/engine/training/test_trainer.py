"""Trainer: the hash grid's box, and fused kernels against plain torch over whole iterations."""

import dataclasses

import pytest
import torch

from pcgs_engine.config import Head, preset_config, with_levels
from pcgs_engine.config.presets import Preset
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.image_store import ImageStore
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.training.schedule import Clock
from pcgs_engine.training.trainer import Trainer
from pcgs_engine.training.view_sampler import ViewSampler


@pytest.fixture(scope="module")
def scene():
    return load_scene(sample_path(), max_size=64)


def build_trainer(scene, threads: int = 1, head: Head = Head.EXPLICIT) -> Trainer:
    return Trainer(scene, preset_config(Preset.PREVIEW, head=head), CpuRasterizer(threads), threads)


@pytest.mark.parametrize("height", [0, 5_000])
def test_box_of_a_flat_scene_has_a_volume_in_float32(scene, height):
    trainer = build_trainer(scene)
    trainer.anchors.lattice[:, 2] = height
    low, high = trainer._box()
    extent = high - low
    assert float(extent[2]) >= 0.99e-3 * float(extent.max())
    assert float(extent[2]) >= trainer.anchors.voxel_size
    positions = trainer.anchors.positions
    assert ((positions > low) & (positions < high)).all()
    trainer.hash_grid.set_box(low, high)


def test_box_of_a_solid_scene_is_wider_by_a_fifth_on_each_side(scene):
    trainer = build_trainer(scene)
    positions = trainer.anchors.positions
    extent = positions.amax(dim=0) - positions.amin(dim=0)
    low, high = trainer._box()
    torch.testing.assert_close(high - low, 1.4 * extent)
    torch.testing.assert_close(
        (high + low) / 2, (positions.amax(dim=0) + positions.amin(dim=0)) / 2
    )


def test_iterations_with_kernels_equal_plain_torch_before_noise_starts(scene):
    results = []
    for fused in (True, False):
        trainer = build_trainer(scene)
        if not fused:
            trainer._pool = None
        views = ViewSampler(scene, ImageStore(scene.background), trainer.device)
        clock = Clock(iterations=1000, time_limit=None)
        for _ in range(3):
            result = trainer.iterate(views.draw(trainer.order_generator), clock)
            clock.advance(0.0)
        results.append((result, trainer.anchors))
    (fused_result, fused_anchors), (plain_result, plain_anchors) = results
    assert fused_result.gaussians == plain_result.gaussians
    assert fused_result.loss == pytest.approx(plain_result.loss, rel=1e-4)
    difference = (fused_anchors.log_scaling - plain_anchors.log_scaling).detach().abs()
    # Adam divides by the gradient's size: noise of tiny gradients may turn single entries around
    assert float(difference.median()) < 1e-6
    assert float((difference > 1e-3).float().mean()) < 0.01


def test_iterations_with_noise_and_rate_do_not_depend_on_the_number_of_threads(scene):
    states = []
    for threads in (1, 2):
        trainer = build_trainer(scene, threads)
        views = ViewSampler(scene, ImageStore(scene.background), trainer.device)
        clock = Clock(iterations=1000, time_limit=None, progress=0.9)
        bits = [
            trainer.iterate(views.draw(trainer.order_generator), clock).bits_per_anchor
            for _ in range(3)
        ]
        assert min(bits) > 0
        states.append(trainer.anchors)
    one, two = states
    for name in ("feature", "log_scaling", "offsets", "mask_logits"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name


def test_rate_term_at_an_interval_weighs_as_much_more_and_is_absent_between(scene):
    losses = {}
    for interval in (1, 2, 3):
        trainer = build_trainer(scene)
        training = trainer.config.training
        rate = dataclasses.replace(training.rate, interval=interval)
        trainer.config = dataclasses.replace(
            trainer.config, training=dataclasses.replace(training, rate=rate)
        )
        views = ViewSampler(scene, ImageStore(scene.background), trainer.device)
        clock = Clock(iterations=1000, time_limit=None, progress=0.5, iteration=12)
        first = trainer.iterate(views.draw(trainer.order_generator), clock)
        clock.iteration += 1
        second = trainer.iterate(views.draw(trainer.order_generator), clock)
        losses[interval] = first.loss
        assert first.bits_per_anchor > 0
        assert (second.bits_per_anchor > 0) == (interval == 1)
    term = losses[2] - losses[1]
    assert term > 1e-4
    assert losses[3] - losses[1] == pytest.approx(2 * term, rel=1e-3)


def test_view_is_drawn_at_a_part_of_its_size_with_a_camera_to_match(scene):
    sampler = ViewSampler(scene, ImageStore(scene.background), torch.device("cpu"))
    drawn = sampler.draw(torch.Generator().manual_seed(0), scale=0.5)
    camera, full = drawn.view.camera, scene.train_views[0].camera
    assert drawn.image.shape == (camera.height, camera.width, 3)
    assert (camera.width, camera.height) == (full.width // 2, full.height // 2)
    assert camera.fx == pytest.approx(full.fx / 2)


@pytest.mark.parametrize("progress", [0.0, 0.9])
@pytest.mark.parametrize("head", list(Head))
@pytest.mark.parametrize("fused", [True, False])
def test_iteration_of_a_view_that_sees_no_anchor_goes_on(scene, progress, head, fused):
    trainer = build_trainer(scene, head=head)
    if not fused:
        trainer._pool = trainer.hash_grid._pool = trainer.image_loss._pool = None
    trainer.anchors.lattice[:, 2] += 500_000  # far above what any camera sees
    trainer.hash_grid.set_box(*trainer._box())
    trainer.anchors_changed()
    view = ViewSampler(scene, ImageStore(scene.background), trainer.device).draw(
        trainer.order_generator
    )
    result = trainer.iterate(view, Clock(iterations=1000, time_limit=None, progress=progress))
    assert result.gaussians == 0
    assert result.loss > 0
    assert all(torch.isfinite(p).all() for p in trainer.head.parameters())


@pytest.mark.parametrize(
    ("falling", "shares"), [(False, (1 / 3,) * 3), (True, (3 / 6, 2 / 6, 1 / 6))]
)
def test_levels_are_drawn_as_often_as_their_shares_say(scene, falling, shares):
    config = preset_config(Preset.PREVIEW)
    rate = dataclasses.replace(config.training.rate, falling_draws=falling)
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, rate=rate))
    assert rate.level_shares == pytest.approx(shares)
    trainer = Trainer(scene, config, CpuRasterizer(1), 1)
    views = ViewSampler(scene, ImageStore(scene.background), trainer.device)
    clock = Clock(iterations=100_000, time_limit=None)
    levels = [trainer.iterate(views.draw(trainer.order_generator), clock).level for _ in range(200)]
    for level, share in enumerate(shares, start=1):
        deviation = (share * (1 - share) / len(levels)) ** 0.5
        assert levels.count(level) / len(levels) == pytest.approx(share, abs=4 * deviation)


def late_trainer(scene, **training):
    """A trainer whose levels differ in their Gaussians."""
    config = preset_config(Preset.PREVIEW)
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, **training))
    trainer = Trainer(scene, config, CpuRasterizer(1), 1)
    shape = trainer.anchors.mask_logits.shape[:2]
    trainer.prune(torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(0)))
    return trainer


@pytest.mark.parametrize("progress", [0.0, 0.9])  # without steps, and rounding by learned ones
def test_an_iteration_of_all_levels_steps_along_the_sum_of_their_gradients(
    scene, monkeypatch, progress
):
    config = preset_config(Preset.PREVIEW)
    seldom = dataclasses.replace(config.training.rate, interval=2)
    trainer = late_trainer(scene, all_levels_from=0.0, rate=seldom)
    trainer.hash_grid.set_box(*trainer._box())
    trainer.box_is_final = True
    trainer.anchors_changed()
    view = ViewSampler(scene, ImageStore(scene.background), trainer.device).draw(
        trainer.order_generator
    )
    parameters = [*trainer.head.parameters(), trainer.anchors.feature]
    if progress > 0:
        parameters += [trainer.hash_grid.table, *trainer.context.step_out.parameters()]
    sums = [torch.zeros_like(p) for p in parameters]
    losses, gaussians = [], []
    for level in (1, 2, 3):
        in_view = trainer._find_in_view(view, [level], progress, trainer._sample(with_rate=False))
        alone = trainer._learn(view, level, progress, in_view)
        in_view.backward()
        losses.append(alone.loss)
        gaussians.append(alone.gaussians)
        for total, parameter in zip(sums, parameters, strict=True):
            total.add_(parameter.grad)
        trainer.optimizer.adam.zero_grad(set_to_none=True)
    together = []
    monkeypatch.setattr(
        trainer.optimizer, "step", lambda: together.extend(p.grad.clone() for p in parameters)
    )
    clock = Clock(iterations=1000, time_limit=None, progress=progress)
    clock.iteration = 1  # the rate term rests, its sample would be another one
    result = trainer.iterate(view, clock)
    for found, wanted in zip(together, sums, strict=True):
        scale = float(wanted.abs().max())
        assert scale > 0
        # float32 sums in another order: where levels cancel, 2e-6 of the largest were measured
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-5 * scale)
    assert gaussians[0] < gaussians[1] < gaussians[2] == result.gaussians
    assert result.loss == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert result.level == 3


def test_all_levels_are_drawn_late_in_the_preview_preset_alone(scene):
    trainer = late_trainer(scene)
    moment = trainer.config.training.all_levels_from
    assert len(trainer._choose_levels(moment - 0.001)) == 1
    assert list(trainer._choose_levels(moment)) == [1, 2, 3]
    for preset in (Preset.STANDARD, Preset.HIGH):
        assert preset_config(preset).training.all_levels_from == 1.0


def test_runs_of_a_seed_see_the_same_views_and_are_the_same_whatever_their_levels(scene):
    states = []
    for levels, moment in ((1, 1.0), (3, 1.0), (3, 0.0)):
        config = with_levels(preset_config(Preset.PREVIEW), levels)
        training = dataclasses.replace(config.training, all_levels_from=moment)
        trainer = Trainer(
            scene, dataclasses.replace(config, training=training), CpuRasterizer(1), 1
        )
        views = ViewSampler(scene, ImageStore(scene.background), trainer.device)
        clock = Clock(iterations=100_000, time_limit=None)
        drawn = []
        for _ in range(5):
            view = views.draw(trainer.order_generator)
            drawn.append(view.view.name)
            trainer.iterate(view, clock)
        states.append((drawn, trainer.anchors.feature))
    (views_alone, alone), (views_of_three, of_three), (views_at_once, _) = states
    assert views_alone == views_of_three == views_at_once
    # nothing tells levels apart before noise, pruning and the rate term begin
    assert torch.equal(alone, of_three)
