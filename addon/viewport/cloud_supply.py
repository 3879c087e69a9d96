"""CloudSupply: the clouds a view wants in, those that can be drawn now out.

Packing for the GPU and thinning to the budget run on a worker thread; until a cloud is ready its
object keeps showing what it showed before. Where the GPU has no room for a level, the one below it
is taken; the lowest is halved until it fits.
"""

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from pcgs_engine.splats import SplatCloud

from ..files import LevelCloud
from ..objects import SplatInstance
from .cloud_packing import PackedCloud, importance, pack_cloud
from .textures import CloudStore, UploadError
from .worker import Worker

__all__ = ["CloudSupply", "Lowered", "Supplied", "thinned"]

INLINE_SPLATS = 20_000
"""Clouds up to this size are packed at once: a few milliseconds, less than one late redraw."""
LEAST_SPLATS = 1_000
"""Not even this many fit: give up on the object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """An object that shows less than asked, for want of GPU memory."""

    object_name: str
    wanted: int
    """Level."""
    shown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """What a view may draw now."""

    instances: tuple[SplatInstance, ...]
    waiting: bool
    """Whether something better is being prepared: draw again when it is done."""
    wanted_splats: int
    shown_splats: int
    """Less than wanted where the budget or the GPU's memory ends."""
    short_of_memory: bool
    """Whether a lowest level was halved."""
    lowered: tuple[Lowered, ...] = ()
    asked: tuple[SplatInstance, ...] = ()
    """What was looked for: the instances wanted, lower levels in the place of those too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    cloud: SplatCloud
    packed: PackedCloud


class CloudSupply:
    """Prepares, uploads and keeps clouds for all views."""

    def __init__(
        self,
        store: CloudStore,
        worker: Worker,
        clock: Callable[[], float] = time.monotonic,
        level_below: Callable[[Hashable], LevelCloud | None] = lambda _: None,
    ) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._level_below = level_below
        self._used: dict[Hashable, float] = {}
        self._jobs: dict[Hashable, Future[_Ready]] = {}
        self._clouds: dict[Hashable, SplatCloud] = {}
        self._shown: dict[str, Hashable] = {}
        """Object name to the key it showed last."""
        self._below: dict[Hashable, LevelCloud] = {}
        """Which level stands in for one that did not fit."""
        self._caps: dict[Hashable, int] = {}
        """How many splats of a cloud fit on the GPU, where not all do."""

    def supply(self, instances: Sequence[SplatInstance], budget: int) -> Supplied:
        """Return what can be drawn of `instances` with at most `budget` splats in all."""
        wanted = sum(len(item.cloud) for item in instances)
        share = min(1.0, budget / wanted) if wanted else 1.0
        asked, found, waiting = [], [], False
        for item in instances:
            fitting, ready = self._ready(item, share)
            asked.append(fitting)
            waiting |= ready is None
            shown = ready or self._before(item)
            if shown is not None:
                self._shown[item.object_name] = shown.key
                self._used[shown.key] = self._clock()
                found.append(shown)
        return Supplied(
            instances=tuple(found),
            waiting=waiting,
            wanted_splats=wanted,
            shown_splats=sum(len(item.cloud) for item in found),
            short_of_memory=any(item.key in self._caps for item in asked),
            lowered=tuple(
                Lowered(object_name=item.object_name, wanted=item.key[2], shown=less.key[2])
                for item, less in zip(instances, asked, strict=True)
                if item.key != less.key
            ),
            asked=tuple(asked),
        )

    def make_smaller(self, asked: Sequence[SplatInstance]) -> bool:
        """Give less of the largest cloud from now on; False where all are small already."""
        sizes = {item.key: self._size(item) for item in asked}
        largest = max(asked, key=lambda item: sizes[item.key], default=None)
        if largest is None or sizes[largest.key] < LEAST_SPLATS:
            return False
        self._too_large(largest, sizes[largest.key])
        return True

    def forget(self, is_kept: Callable[[Hashable, float], bool]) -> None:
        """Free clouds that are not kept; asked with the instance's key and its seconds unused."""
        now = self._clock()
        held = len(self._clouds)
        for key in tuple(self._clouds):
            if not is_kept(key[0], now - self._used.get(key, 0.0)):
                self._store.drop(key)
                del self._clouds[key]
                self._used.pop(key, None)
        for key in tuple(self._jobs):
            if not is_kept(key[0], 0.0):
                self._jobs.pop(key).cancel()
        self._shown = {name: key for name, key in self._shown.items() if key in self._clouds}
        if len(self._clouds) < held:
            # There is room again: try anew what did not fit.
            self._below.clear()
            self._caps.clear()

    def clear(self) -> None:
        """Free everything."""
        self.forget(lambda key, unused: False)

    def _ready(
        self, item: SplatInstance, share: float
    ) -> tuple[SplatInstance, SplatInstance | None]:
        """Return the instance of the level that fits, and with what the GPU holds of it.

        The latter is None while that is prepared.
        """
        while True:
            item = self._fitting(item)
            keep = min(int(len(item.cloud) * share), self._size(item))
            key = (item.key, keep)
            if key in self._clouds:
                return item, replace(item, cloud=self._clouds[key], key=key)
            job = self._jobs.get(key)
            if job is None:
                if keep > INLINE_SPLATS:
                    self._jobs[key] = self._worker.submit(_prepare, item.cloud, keep)
                    return item, None
                ready = _prepare(item.cloud, keep)
            elif not job.done():
                return item, None
            else:
                ready = self._jobs.pop(key).result()
            if not self._upload(key, ready):
                self._too_large(item, keep)

    def _fitting(self, item: SplatInstance) -> SplatInstance:
        """Return the instance with the level that stands in for one that is too large."""
        while (below := self._below.get(item.key)) is not None:
            item = replace(item, cloud=below.cloud, key=below.key)
        return item

    def _size(self, item: SplatInstance) -> int:
        return self._caps.get(item.key, len(item.cloud))

    def _too_large(self, item: SplatInstance, keep: int) -> None:
        """`keep` splats of an instance did not fit: remember what to take in their place."""
        below = self._level_below(item.key)
        if below is not None:
            self._below[item.key] = below
        else:
            self._caps[item.key] = keep // 2

    def _upload(self, key: tuple[Hashable, int], ready: _Ready) -> bool:
        try:
            self._store.add(key, ready.packed)
        except UploadError:
            if key[1] < LEAST_SPLATS:
                raise
            return False
        self._clouds[key] = ready.cloud
        return True

    def _before(self, item: SplatInstance) -> SplatInstance | None:
        """Return the instance with what its object showed last, where that is still held."""
        key = self._shown.get(item.object_name)
        cloud = self._clouds.get(key)
        return None if cloud is None else replace(item, cloud=cloud, key=key)


def thinned(cloud: SplatCloud, keep: int) -> SplatCloud:
    """Return the `keep` splats that can be seen most, in their order."""
    if keep >= len(cloud):
        return cloud
    chosen = np.sort(np.argpartition(-importance(cloud), keep)[:keep])
    return SplatCloud(
        means=cloud.means[chosen],
        scales=cloud.scales[chosen],
        quats=cloud.quats[chosen],
        opacities=cloud.opacities[chosen],
        sh=cloud.sh[chosen],
    )


def _prepare(cloud: SplatCloud, keep: int) -> _Ready:
    part = thinned(cloud, keep)
    return _Ready(cloud=part, packed=pack_cloud(part))
