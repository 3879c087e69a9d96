"""Encode the golden files anew: `python tests/golden/regenerate.py [--models]`; see README.md.

Without options the stored models are encoded again, which shows what a change of the code does to
the bytes. `--models` also makes new models (trains one for seconds): for a changed CodedModel.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ENGINE_TESTS = FOLDER.parent / "engine"
sys.path[:0] = [str(p) for p in (FOLDER.parents[1], FOLDER, ENGINE_TESTS, ENGINE_TESTS / "codec")]

from golden_case import CASES, FACTS, facts_of, stored_facts  # noqa: E402
from stored_model import store_model  # noqa: E402
from synthetic_model import small_config, synthetic_model  # noqa: E402

from pcgs_engine.config import Head, RunConfig, config_from_dict, config_to_dict  # noqa: E402
from pcgs_engine.entropy.backend import EntropyBackend  # noqa: E402
from pcgs_engine.sample import golden_file  # noqa: E402

SMALL_MODEL = {"feature_dim": 12, "num_offsets": 4, "head_hidden": 16}
SMALL_GRID = {
    "features_per_level": 2, "resolutions_3d": [12, 24, 40], "log2_table_3d": 9,
    "resolutions_2d": [32, 64], "log2_table_2d": 9,
}  # fmt: skip
SMALL_CONTEXT = {
    "hash_hidden": 16, "step_hidden": 8, "offset_hidden": 16, "channel_hidden": 8,
    "feature_chunks": 4, "feature_trit_hidden": 16, "scaling_trit_hidden": 8,
}  # fmt: skip


def trained_model():
    """Train the embedded sample for seconds, with small networks, and split it into levels."""
    from tiny_training import TINY_SIZE, tiny_config, train_tiny

    from pcgs_engine.levels import measure_sensitivity, split_levels
    from pcgs_engine.render.cpu_backend import CpuRasterizer
    from pcgs_engine.sample import sample_path
    from pcgs_engine.scene.load_scene import load_scene

    settings = config_to_dict(tiny_config(max_points=300))
    settings["training"]["growth"]["max_anchors"] = 600
    settings["model"] |= SMALL_MODEL
    settings["model"]["hash_grid"] |= SMALL_GRID
    settings["model"]["context"] |= SMALL_CONTEXT
    with tempfile.TemporaryDirectory() as folder:
        run = train_tiny(Path(folder), config=config_from_dict(RunConfig, settings))
    scene = load_scene(sample_path(), max_size=TINY_SIZE)
    cameras = [view.camera for view in scene.train_views][:8]
    sensitivity = measure_sensitivity(
        run.model, cameras, rasterizer=CpuRasterizer(threads=1), background=scene.background
    )
    return split_levels(run.model, sensitivity)


def make_models() -> None:
    """Write the `.npz` files."""
    neural = small_config(3, head=Head.NEURAL)
    models = {
        "explicit": synthetic_model(60, seed=11),
        "neural": synthetic_model(300, config=neural, seed=12, ranks=4, mask_net=True),
        "trained": trained_model(),
    }
    for case in CASES:
        store_model(models[case.name], case.model)


def main() -> None:
    """Write files and facts; say which changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", action="store_true", help="make new models first")
    if parser.parse_args().models:
        make_models()
    before, facts = stored_facts() if FACTS.is_file() else {}, {}
    for case in CASES:
        data = case.encoded(EntropyBackend.NUMPY)
        case.file.write_bytes(data)
        if case.name == "explicit":
            golden_file().write_bytes(data)  # the copy that `pcgs selftest` decodes
        facts[case.name] = facts_of(data, EntropyBackend.NUMPY)
        changed = facts[case.name] != before.get(case.name)
        print(f"{case.file.name}: {len(data)} bytes, {'changed' if changed else 'as before'}")  # noqa: T201
    FACTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
