"""LevelEncoder: a trained model in, its file of levels out, the first one as small as asked for."""

from typing import TYPE_CHECKING

from ..bitstream import DecodeLimits, pack_json
from ..protocol import LevelResult, Status, Warned
from .console import Console

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..codec import EncodedScene
    from ..entropy.mask_law import MaskNet
    from ..levels.sensitivity import Sensitivity
    from ..model.trained_model import TrainedModel
    from ..render.rasterizer import Rasterizer
    from ..scene import Scene
    from .encode import EncodeJob

__all__ = ["LevelEncoder"]

DEFERRAL_VIEWS = 64
"""Training views that decide who leaves level 1, at most twice as many."""
SENSITIVITY_VIEWS = 128
"""Training views that refinements are ranked on, at most twice as many."""
THUMBNAIL_SIZE = 3072
"""Bytes to allow for the thumbnail, which is drawn from the finished file; too much by little."""


class LevelEncoder:
    """Ranks what matters, quantizes and codes; as often as the wanted first level takes."""

    def __init__(
        self,
        job: "EncodeJob",
        model: "TrainedModel",
        scene: "Scene | None",
        rasterizer: "Rasterizer",
        console: Console,
    ) -> None:
        # Delayed: torch must start after the environment is set, and not for --help.
        from ..model.torch_product import best_product

        self._job, self._model, self._scene = job, model, scene
        self._rasterizer, self._console = rasterizer, console
        self._product, self._engine = best_product(rasterizer.device)
        self._sensitivity: Sensitivity | None = None
        self._mask_net: MaskNet | None = None
        self._deferred = 0
        self._out_of_reach = False

    def encode(self, metadata: dict[str, object]) -> "EncodedScene":
        """Return the file; without images level 1 keeps all its anchors."""
        # Delayed: torch, see above.
        from ..codec.fit_first_level import first_level_part, fit_first_level

        self._sensitivity = self._measure_sensitivity()
        self._status(f"splitting {self._job.run} into levels")
        self._status(f"coding with the {self._job.backend.value} backend, {self._engine}")
        whole, wanted = self._coded(), self._job.first_level
        front = len(pack_json(metadata, DecodeLimits())) + THUMBNAIL_SIZE
        part = first_level_part(whole, front)
        if self._scene is None or len(whole.levels) == 1 or part <= wanted:
            return whole
        self._status(f"level 1 takes {part:.0%} of the file, wanted {wanted:.0%}")
        order = self._deferral_order(self._scene)
        fitted = fit_first_level(whole, self._coded, order, wanted=wanted, front=front)
        self._deferred = whole.levels[0].anchors - fitted.levels[0].anchors
        self._out_of_reach = first_level_part(fitted, front) > wanted
        return fitted

    def report(self, results: tuple[LevelResult, ...]) -> None:
        """Say what level 1 takes of the file written, if it was to take less than it would."""
        part, wanted = results[0].bytes / results[-1].bytes, self._job.first_level
        told = f"{self._deferred} anchors of level 1 come with level 2"
        if self._out_of_reach:
            text = (
                f"level 1 takes {part:.0%} of the file, wanted {wanted:.0%}: {told}, more would "
                "spoil its pictures; ask for a larger --first-level"
            )
            self._console.message(Warned(text=text))
        elif self._deferred:
            self._status(f"level 1 takes {part:.0%} of the file: {told}")

    def _coded(self, deferred: "npt.NDArray[np.int64] | None" = None) -> "EncodedScene":
        # Delayed: torch, see above.
        from ..codec import encode_chunks
        from ..levels.split_levels import split_levels

        coded = split_levels(self._model, self._sensitivity, deferred, self._mask_net)
        self._mask_net = coded.mask_net
        return encode_chunks(coded, backend=self._job.backend, product=self._product)

    def _measure_sensitivity(self) -> "Sensitivity | None":
        """Measure what every value means to the training views, on an even choice of them."""
        # Delayed: torch, see above.
        from ..levels.sensitivity import measure_sensitivity

        if self._scene is None:
            return None
        cameras = [view.camera for view in self._scene.train_views]
        chosen = cameras[:: max(len(cameras) // SENSITIVITY_VIEWS, 1)]
        self._status(f"measuring sensitivity on {len(chosen)} views")
        return measure_sensitivity(
            self._model, chosen, rasterizer=self._rasterizer, background=self._scene.background
        )

    def _deferral_order(self, scene: "Scene") -> "npt.NDArray[np.int64]":
        # Delayed: torch, see above.
        from ..levels.defer_anchors import deferral_order

        cameras = [view.camera for view in scene.train_views]
        chosen = cameras[:: max(len(cameras) // DEFERRAL_VIEWS, 1)]
        self._status(f"choosing what level 1 leaves to level 2 on {len(chosen)} views")
        return deferral_order(
            self._model, chosen, rasterizer=self._rasterizer, background=scene.background
        )

    def _status(self, text: str) -> None:
        self._console.message(Status(text=text))
