"""What the integer model, the lanes, the masks' law and the rounded networks cost or save.

    python benchmarks/codec_rate.py runs/preview_scenes/fox/run --scene ../shared/data/fox

Each run is split, ranked and encoded as `pcgs encode` does it. Then, by level and attribute: ideal
bits of the trained float networks, ideal bits of the file's integer model (escapes included) and
bytes written, for the same symbols; masks against one probability per level; bytes of all networks;
PSNR of every level on the held-out views, and of the last one with the head before rounding. Old
sizes come from `results/preview_scenes.json`. Writes `results/codec_rate.json`.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pcgs_engine.cli.environment import prepare_environment

prepare_environment()  # waiting threads must sleep; torch reads this when it starts

from coded_rate import LevelRate, bernoulli_bits, level_rates  # noqa: E402
from float_rate import FloatRate  # noqa: E402
from machine import RESULTS, write_result  # noqa: E402

from pcgs_engine.bitstream import ChunkType  # noqa: E402
from pcgs_engine.cli.level_encoder import SENSITIVITY_VIEWS  # noqa: E402
from pcgs_engine.codec import EncodedScene, ProgressiveDecoder, encode_chunks  # noqa: E402
from pcgs_engine.levels.sensitivity import measure_sensitivity  # noqa: E402
from pcgs_engine.levels.split_levels import split_levels  # noqa: E402
from pcgs_engine.model.attribute_head import AttributeHead  # noqa: E402
from pcgs_engine.model.trained_model import TrainedModel  # noqa: E402
from pcgs_engine.render.cpu_backend import CpuRasterizer  # noqa: E402
from pcgs_engine.scene.image_store import ImageStore  # noqa: E402
from pcgs_engine.scene.load_scene import load_scene  # noqa: E402
from pcgs_engine.scene.scene import Scene  # noqa: E402
from pcgs_engine.training.checkpoint import load_trained  # noqa: E402
from pcgs_engine.training.evaluate import LevelRenderer, evaluate_level  # noqa: E402
from pcgs_engine.training.run_info import load_run_info  # noqa: E402

MODEL_BAR, MASK_BAR, NETWORKS_BAR, HEAD_BAR = 0.5, 15.0, 200_000, 0.02
"""Percent over the float model, percent saved, bytes, dB."""
ATTRIBUTES = {
    "features": ChunkType.FEATURES,
    "scaling": ChunkType.SCALING,
    "offsets": ChunkType.OFFSETS,
    "trits": ChunkType.REFINEMENTS,
}
NETWORKS = ("NETW", "TNET", "HEAD", "GAIN", "HASH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Bytes of one attribute of one level."""

    level: int
    attribute: str
    symbols: int
    float_bytes: float
    integer_bytes: float
    written_bytes: int


def attribute_rows(
    rates: list[LevelRate], encoded: EncodedScene, reference: FloatRate
) -> list[Row]:
    rows = []
    for level, rate in enumerate(rates, start=1):
        ideal = reference.first_decodes(rate.before)
        if rate.blocks:
            ideal["trits"] = reference.refinements(rate.before, rate.after, rate.blocks)
        rows += [
            Row(
                level=level,
                attribute=name,
                symbols=rate.symbols[ATTRIBUTES[name]],
                float_bytes=bits / 8,
                integer_bytes=rate.bits[ATTRIBUTES[name]] / 8,
                written_bytes=written(encoded, ATTRIBUTES[name].value, level),
            )
            for name, bits in ideal.items()
        ]
    return rows


def total_of(rows: list[Row]) -> Row:
    return Row(
        level=0,
        attribute="total",
        symbols=sum(row.symbols for row in rows),
        float_bytes=sum(row.float_bytes for row in rows),
        integer_bytes=sum(row.integer_bytes for row in rows),
        written_bytes=sum(row.written_bytes for row in rows),
    )


def written(encoded: EncodedScene, code: bytes, level: int | None = None) -> int:
    """Return the bytes of a chunk type, in a level or in all of them."""
    return sum(len(c.data) for c in encoded.chunks if c.code == code and level in (None, c.level))


def over(part: float, whole: float) -> float:
    return 100 * (part / whole - 1) if whole else 0.0


def show_rows(rows: list[Row]) -> None:
    print("| level | attribute | symbols | float B | integer B | over float | written B | lanes |")
    print("|---|---|---|---|---|---|---|---|")
    for row in [*rows, total_of(rows)]:
        print(
            f"| {row.level or ''} | {row.attribute} | {row.symbols:,} | {row.float_bytes:,.0f} "
            f"| {row.integer_bytes:,.0f} | {over(row.integer_bytes, row.float_bytes):+.2f} % "
            f"| {row.written_bytes:,} | {over(row.written_bytes, row.integer_bytes):+.2f} % |"
        )
    found = total_of(rows)
    print(f"bar: integer at most {MODEL_BAR:+} % over float, is "
          f"{over(found.integer_bytes, found.float_bytes):+.2f} %\n")  # fmt: skip


def mask_rows(rates: list[LevelRate], encoded: EncodedScene) -> list[dict[str, float]]:
    """Return each level's masks and their sum (level 0), and what static probabilities would take.

    `one_for_all_bytes`: one probability for the increments of all levels, as far as still unset;
    `one_per_level_bytes`: one for each level's increment; `published_bytes`: one for each
    level's increment over all Gaussians, those already set included, as the published code does.
    """
    unset, fresh = sum(rate.unset for rate in rates), sum(rate.fresh for rate in rates)
    each_for_all = bernoulli_bits(fresh, unset) / unset
    gaussians = rates[-1].after.mask_level.size
    rows = [
        {
            "level": level,
            "one_for_all_bytes": rate.unset * each_for_all / 8,
            "one_per_level_bytes": bernoulli_bits(rate.fresh, rate.unset) / 8,
            "published_bytes": bernoulli_bits(rate.fresh, gaussians) / 8,
            "written_bytes": written(encoded, ChunkType.MASKS.value, level),
        }
        for level, rate in enumerate(rates, start=1)
    ]
    rows.append({key: sum(row[key] for row in rows) for key in rows[0]} | {"level": 0})
    show_masks(rows)
    return rows


def show_masks(rows: list[dict[str, float]]) -> None:
    names = ("one_for_all_bytes", "one_per_level_bytes", "published_bytes")
    print("| masks of level | written B | one probability | one per level | published |")
    print("|---|---|---|---|---|")
    for row in rows:
        own = row["written_bytes"]
        others = (f"{row[n]:,.0f} B, saved {-over(own, row[n]):.1f} %" for n in names)
        print(f"| {row['level'] or 'all'} | {own:,} | {' | '.join(others)} |")
    print(f"bar: saves at least {MASK_BAR} % over one probability\n")


def show_networks(encoded: EncodedScene) -> dict[str, int]:
    sizes = {name: written(encoded, name.encode()) for name in NETWORKS}
    sizes["total"] = sum(sizes.values())
    print(f"networks: {sizes}, bar: at most {NETWORKS_BAR:,} B\n")
    return sizes


def qualities(
    encoded: EncodedScene, model: TrainedModel, scene: Scene, rasterizer: CpuRasterizer
) -> tuple[list[dict[str, float]], float]:
    """Return size and PSNR of every level, and the PSNR of the last one with the float head."""
    decoder, data = ProgressiveDecoder(), encoded.to_bytes({})
    decoder.feed(data)
    decoder.finish()
    rounded = AttributeHead.from_weights(decoder.head, decoder.config)
    store = ImageStore(scene.background)

    def judged(level: int, head: AttributeHead) -> float:
        renderer = LevelRenderer(
            decoder.anchors(level), head, rasterizer=rasterizer, background=scene.background
        )
        return evaluate_level(renderer, scene.test_views, store).psnr

    table = decoder.table
    ends = [level.end for level in table.levels] if table else []
    levels = [
        {"level": level, "bytes": end, "psnr": judged(level, rounded)}
        for level, end in enumerate(ends, start=1)
    ]
    return levels, judged(len(ends), model.head)


def old_levels(scene: str) -> list[dict[str, float]]:
    """Return what the format before had, where it was measured."""
    path = RESULTS / "preview_scenes.json"
    scenes = json.loads(path.read_text())["scenes"] if path.is_file() else []
    return next((found["levels"] for found in scenes if found["scene"] == scene), [])


def show_quality(
    levels: list[dict[str, float]], old: list[dict[str, float]], float_head: float
) -> None:
    print("| level | bytes | PSNR dB | bytes in preview_scenes.json | PSNR dB |")
    print("|---|---|---|---|---|")
    for i, level in enumerate(levels):
        before = f"{old[i]['bytes']:,} | {old[i]['psnr']:.3f}" if i < len(old) else "|"
        print(f"| {level['level']} | {level['bytes']:,} | {level['psnr']:.3f} | {before} |")
    loss = float_head - levels[-1]["psnr"]
    print(f"float head: {float_head:.4f} dB, rounding costs {loss:+.4f} dB, "
          f"bar: at most {HEAD_BAR} dB\n")  # fmt: skip


def measure(run: Path, scene_path: Path | None, threads: int) -> dict[str, object]:
    """Measure one run."""
    info, model = load_run_info(run), load_trained(run)
    scene = load_scene(
        scene_path or Path(info.scene),
        max_size=info.config.training.max_size,
        background=info.background,  # type: ignore[arg-type]
    )
    rasterizer = CpuRasterizer(threads=threads)
    cameras = [view.camera for view in scene.train_views]
    sensitivity = measure_sensitivity(
        model,
        cameras[:: max(len(cameras) // SENSITIVITY_VIEWS, 1)],
        rasterizer=rasterizer,
        background=scene.background,
    )
    coded = split_levels(model, sensitivity)
    encoded = encode_chunks(coded)
    rates = level_rates(coded, encoded)
    name = Path(info.scene).name
    print(f"## {name}\n")
    rows = attribute_rows(rates, encoded, FloatRate(model))
    show_rows(rows)
    masks, networks = mask_rows(rates, encoded), show_networks(encoded)
    levels, float_head = qualities(encoded, model, scene, rasterizer)
    show_quality(levels, old_levels(name), float_head)
    return {
        "scene": name,
        "attributes": [asdict(row) for row in [*rows, total_of(rows)]],
        "masks": masks,
        "networks": networks,
        "levels": levels,
        "float_head_psnr": float_head,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--scene", type=Path, action="append", help="image set, one for each run")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    scenes = options.scene or [None] * len(options.runs)
    results = [
        measure(run, scene, options.threads)
        for run, scene in zip(options.runs, scenes, strict=True)
    ]
    print(write_result("codec_rate", {"scenes": results}))


if __name__ == "__main__":
    main()
