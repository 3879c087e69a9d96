"""The trainings of `rate_distortion.py`: what is trained from the same images and how.

A variant is one training run by the command line; `settings` is what its `--config` file holds.
"""

from dataclasses import dataclass

from pcgs_engine.config import Preset, preset_config

__all__ = ["SINGLE_WEIGHTS", "Variant", "variants"]

SINGLE_WEIGHTS = (16e-3, 4e-3, 1e-3)
"""λ of the single-rate trainings, from fewer bytes than level 1 to more than the last level."""
SINGLE_ERRORS = (0.1, 0.055, 0.03)
"""What pruning may cost them: more of a coarse one, as of the levels of the preset."""
ROUNDED_FROM = 16e-3
"""Single-rate trainings of finer steps lose by rounding: noise keeps them from overfitting."""
FINE = {
    "model": {"num_levels": 1},
    "training": {
        "pruning": {"error": 0.02},
        "rate": {"weights": [5e-4], "rounding_start": 1.0},
    },
}
"""One level of the quality of plain 3DGS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One training."""

    name: str
    """Its folder."""
    curve: str
    """Variants of one curve together give its points."""
    settings: dict[str, object]


def variants(names: list[str]) -> list[Variant]:
    """Return the trainings behind the named curves.

    `progressive`, `coarse` (λ twice as large), `fine` (one level, λ = 5e-4), `neural`, `single`,
    `3dgs`.
    """
    known = {
        "progressive": [Variant(name="progressive", curve="progressive", settings={})],
        "coarse": [
            Variant(
                name="coarse",
                curve="coarse",
                settings={"training": {"rate": {"weights": [2 * w for w in _preset_weights()]}}},
            ),
        ],
        "fine": [Variant(name="fine", curve="fine", settings=FINE)],
        "neural": [
            Variant(name="neural", curve="neural", settings={"model": {"head": "neural"}}),
        ],
        "single": [
            Variant(
                name=f"single_{weight * 1000:g}",
                curve="single",
                settings={
                    "model": {"num_levels": 1},
                    "training": {
                        "pruning": {"error": error},
                        "rate": {"weights": [weight], **_rounding(weight)},
                    },
                },
            )
            for weight, error in zip(SINGLE_WEIGHTS, SINGLE_ERRORS, strict=True)
        ],
        "3dgs": [Variant(name="3dgs", curve="3dgs", settings={})],
    }
    return [variant for name in names for variant in known[name]]


def _preset_weights() -> tuple[float, ...]:
    return preset_config(Preset.PREVIEW).training.rate.weights


def _rounding(weight: float) -> dict[str, float]:
    """Return when single-rate trainings round, by what is best for them (docs/experiments.md)."""
    return {} if weight >= ROUNDED_FROM else {"rounding_start": 1.0}
