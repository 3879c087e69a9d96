"""What a decoder renders must be what the encoder's side saw before coding."""

import numpy as np
import pytest

from pcgs_engine.codec import ProgressiveDecoder, encode_chunks
from pcgs_engine.codec.plan_refinements import RefinementPlan
from pcgs_engine.levels import quantize_level, split_levels
from pcgs_engine.model.attribute_head import AttributeHead
from pcgs_engine.render.cpu_backend import CpuRasterizer
from pcgs_engine.sample import sample_path
from pcgs_engine.scene.load_scene import load_scene
from pcgs_engine.training.evaluate import LevelRenderer


@pytest.fixture(scope="module")
def decoder(tiny_run) -> ProgressiveDecoder:
    decoder = ProgressiveDecoder()
    everything = RefinementPlan(first_worth=-1e9, last_worth=-1e9)  # as the encoder's side has it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pcgs_engine.levels.fit_mask_net.STEPS", 20)
        coded = split_levels(tiny_run.model)
    decoder.feed(encode_chunks(coded, plan=everything).to_bytes({}))
    decoder.finish()
    return decoder


@pytest.mark.parametrize("level", [1, 2, 3])
def test_decoded_level_renders_like_the_encoder_side(tiny_run, decoder, level):
    model = tiny_run.model
    config, rate = model.config.model, model.config.training.rate
    rasterizer, black = CpuRasterizer(threads=1), (0.0, 0.0, 0.0)
    before = LevelRenderer(
        quantize_level(model, level, rate), model.head, rasterizer=rasterizer, background=black
    )
    after = LevelRenderer(
        decoder.anchors(level),
        AttributeHead.from_weights(decoder.head, config),
        rasterizer=rasterizer,
        background=black,
    )
    close, spread = [], []
    for view in load_scene(sample_path(), max_size=128).test_views:
        expected, found = before.render(view.camera), after.render(view.camera)
        difference = (expected - found).abs().amax(dim=2).numpy()
        close.append(np.mean(difference <= 1.0 / 255.0))
        spread.append(float(expected.std()))
    assert min(spread) > 0.05, "the pictures compared must show something"
    assert np.mean(close) >= 0.999
