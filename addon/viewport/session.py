"""ViewportSession: all that drawing keeps between redraws; the package's one registry object.

Made when the first splats are drawn, cleared when a file is loaded and when the add-on goes.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from .cloud_keys import level_below
from .cloud_supply import CloudSupply, Supplied
from .painter import Painter
from .view_picture import ViewPicture
from .worker import Worker

__all__ = ["ViewportSession", "viewport_session"]

UNUSED_SECONDS = 20.0
"""How long a level nobody looks at stays on the GPU: sliding back is then free."""
VIEW_SECONDS = 10.0
"""How long the picture of a view without splats (or a closed one) is kept."""


@dataclass(slots=True)
class _Parts:
    worker: Worker
    painter: Painter
    supply: CloudSupply
    pictures: dict[int, ViewPicture] = field(default_factory=dict)
    used: dict[int, float] = field(default_factory=dict)


class ViewportSession:
    """Owner of GPU copies, pictures per view, worker threads and the message for the panel."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parts: _Parts | None = None
        self.notice = ""
        """What the user should know about the viewport, with the next step."""
        self.failed = False
        """Drawing broke in a way nobody foresaw; stays off until a file is loaded."""

    @property
    def painter(self) -> Painter:
        """The viewport's painter."""
        return self._opened().painter

    @property
    def supply(self) -> CloudSupply:
        """Clouds on the GPU."""
        return self._opened().supply

    @property
    def gpu_bytes(self) -> int:
        """Memory of everything held, the views' pictures included."""
        if self._parts is None:
            return 0
        pictures = sum(picture.gpu_bytes for picture in self._parts.pictures.values())
        return self._parts.painter.gpu_bytes + pictures

    def picture(self, region: int) -> ViewPicture:
        """Return the picture of a region (`region.as_pointer()`)."""
        parts = self._opened()
        parts.used[region] = self._clock()
        if region not in parts.pictures:
            parts.pictures[region] = ViewPicture(parts.painter, parts.worker)
        return parts.pictures[region]

    def pictures(self) -> dict[int, ViewPicture]:
        """All pictures held, by region."""
        return dict(self._parts.pictures) if self._parts else {}

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way that a redraw would show."""
        parts = self._parts
        return parts is not None and (parts.worker.is_busy or parts.worker.has_news)

    def take_news(self) -> bool:
        """Whether something arrived since the last call."""
        return self._parts is not None and self._parts.worker.take_news()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return self._parts is None

    def say(self, supplied: Supplied) -> None:
        """Set the message that fits what is shown."""
        shown = f"{supplied.shown_splats:,} of {supplied.wanted_splats:,} splats shown"
        if supplied.waiting:
            self.notice = ""
        elif supplied.lowered:
            shown = "; ".join(
                f"{item.object_name} at level {item.shown} instead of {item.wanted}"
                for item in supplied.lowered
            )
            self.notice = f"GPU memory is full: {shown}. Choose a lower Level"
        elif supplied.short_of_memory:
            self.notice = f"GPU memory is full: {shown}. Choose a lower Level"
        elif supplied.shown_splats < supplied.wanted_splats:
            self.notice = f"{shown}. Raise Viewport Splats in the preferences for all"
        else:
            self.notice = ""

    def make_smaller(self, supplied: Supplied) -> None:
        """What was supplied does not fit with all else that drawing needs: less next time."""
        if not supplied.waiting and self.supply.make_smaller(supplied.asked):
            self._opened().worker.announce()

    def tidy(self, is_current: Callable[[Hashable], bool]) -> None:
        """Free what is no longer looked at; `is_current` tells whether a key still exists."""
        parts = self._parts
        if parts is None:
            return
        now = self._clock()
        for region, used in tuple(parts.used.items()):
            if now - used > VIEW_SECONDS:
                del parts.used[region]
                parts.pictures.pop(region, None)

        def is_kept(key: Hashable, unused: float) -> bool:
            return unused < (UNUSED_SECONDS if is_current(key) else 1.0)

        parts.supply.forget(is_kept)
        if not parts.pictures and not len(parts.painter.clouds) and not parts.worker.is_busy:
            self.clear()

    def clear(self) -> None:
        """Free everything and end the threads."""
        parts, self._parts = self._parts, None
        self.notice, self.failed = "", False
        if parts is not None:
            parts.worker.close()
            parts.supply.clear()
            parts.painter.free()

    def _opened(self) -> _Parts:
        if self._parts is None:
            worker, painter = Worker(), Painter()
            supply = CloudSupply(painter.clouds, worker, self._clock, level_below)
            self._parts = _Parts(worker=worker, painter=painter, supply=supply)
        return self._parts


viewport_session = ViewportSession()
"""The one of this Blender; cleared by `unregister`."""
