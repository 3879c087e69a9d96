"""A decoded file and a scene in, pictures and held-out quality of its levels out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SceneError
from ..model.attribute_head import AttributeHead
from ..render.rasterizer import Rasterizer
from ..scene import Scene, View
from ..scene.image_store import ImageStore
from ..training.evaluate import LevelQuality, LevelRenderer, evaluate_level
from .pcgs_file import OpenedFile

__all__ = ["LevelJudge", "chosen_views"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelJudge:
    """Renders the levels of one file and compares them with a scene's images."""

    opened: OpenedFile
    scene: Scene
    rasterizer: Rasterizer

    def renderer(self, level: int) -> LevelRenderer:
        """Return a renderer of one level."""
        decoder = self.opened.decoder
        head = AttributeHead.from_weights(decoder.head, decoder.config)
        return LevelRenderer(
            decoder.anchors(level),
            head,
            rasterizer=self.rasterizer,
            background=self.scene.background,
        )

    def qualities(
        self,
        views: Sequence[View],
        *,
        on_level: Callable[[LevelQuality], None] = lambda quality: None,
    ) -> tuple[LevelQuality, ...]:
        """Judge every decoded level on `views`.

        Args:
            views: what to compare with; at least one.
            on_level: called as each level is done.
        """
        store = ImageStore(self.scene.background)
        found = []
        for level in range(1, self.opened.decoder.levels_ready + 1):
            quality = evaluate_level(self.renderer(level), views, store)
            on_level(quality)
            found.append(quality)
        return tuple(found)


def chosen_views(scene: Scene, split: str, path: Path) -> tuple[View, ...]:
    """Return the views of `--split`.

    Raises:
        SceneError: the scene has none.
    """
    views = scene.test_views if split == "test" else scene.train_views
    if not views:
        raise SceneError(f"{path}: no {split} views, wanted at least one; use the other --split")
    return views
