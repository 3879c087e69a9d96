"""ViewPicture: the splats of one 3D view, drawn again only when something changed.

Blender redraws a still view many times (its own anti-aliasing, other editors, playback elsewhere);
then the picture drawn last is only put over the new background.
"""

from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

import gpu
import numpy as np
import numpy.typing as npt

from ..objects import SplatInstance
from .depth_order import OrderRequest, depth_order
from .draw_splats import order_request
from .painter import Painter, order_rows
from .screen_area import WHOLE
from .target import Target
from .view_parameters import ViewParameters
from .worker import Worker

__all__ = ["DepthCopy", "ViewPicture"]

SORT_WAIT = 0.008
"""Seconds a redraw waits for its own order before it takes the last one: 300,000 splats' worth."""
FIRST_SORT_WAIT = 0.04
"""The same where there is no last order (other splats than before)."""

Layout = tuple[tuple[Hashable, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthCopy:
    """What else a view shows: its depth buffer, bottom row first."""

    buffer: gpu.types.Buffer
    values: npt.NDArray[np.float32]  # [H * W], the buffer's memory

    @classmethod
    def empty(cls, pixels: int) -> "DepthCopy":
        """Return the depth of a view where nothing hides anything."""
        values = np.ones(pixels, np.float32)
        return cls(buffer=gpu.types.Buffer("FLOAT", pixels, values), values=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    layout: Layout
    rows: npt.NDArray[np.float32]
    count: int
    number: int


class ViewPicture:
    """Target, order and what they were made for."""

    def __init__(self, painter: Painter, worker: Worker) -> None:
        self._painter = painter
        self._worker = worker
        self._target: Target | None = None
        self._depth: npt.NDArray[np.float32] | None = None
        self._order: _Order | None = None
        self._sort: Future[npt.NDArray[np.float32]] | None = None
        self._sort_of: tuple[Layout, object] | None = None
        self._sorted_for: tuple[Layout, object] | None = None
        self._wanted: tuple[Layout, object] | None = None
        self._drawn: tuple[Layout, object, tuple[int, int], int] | None = None
        self._has_picture = False
        self.area = WHOLE
        """Where the picture has splats: left, bottom, right, top; 0..1."""
        self.redraws = 0
        """How often splats were really drawn (for tests and the benchmark)."""
        self.sorts = 0

    @property
    def gpu_bytes(self) -> int:
        """Memory of the target: 8 bytes of colour and 4 of depth a pixel."""
        return 12 * self._target.width * self._target.height if self._target else 0

    @property
    def drawn_layout(self) -> Layout:
        """Keys and sizes of the clouds the picture shows; empty while it shows older ones."""
        return self._drawn[0] if self._drawn else ()

    @property
    def is_behind(self) -> bool:
        """Whether the last update used an order of an earlier view."""
        return self._wanted != self._sorted_for

    def update(
        self,
        instances: Sequence[SplatInstance],
        view: ViewParameters,
        size: tuple[int, int],
        depth: DepthCopy,
    ) -> gpu.types.GPUTexture | None:
        """Bring the picture up to date and return it.

        While other splats than before wait for their first order the last picture stays; None
        where there is none.

        Raises:
            UploadError: the GPU has no room.
        """
        layout = tuple((item.key, len(item.cloud)) for item in instances)
        matrices = tuple(item.matrix_world.tobytes() for item in instances)
        view_key = (view.view_matrix.tobytes(), view.projection_matrix.tobytes(), matrices)
        self._want_order(instances, view, (layout, view_key))
        self._take_order(0.0)
        behind = self._order is None or self._order.layout != layout
        if self._is_drawn(layout, view_key, size, depth):
            return self._target.color
        self._prepare_target(size, depth)
        self._painter.project(instances, view, *size)
        # The GPU projects while we wait.
        self._take_order(FIRST_SORT_WAIT if behind else SORT_WAIT)
        order = self._order
        if order is None or order.layout != layout:
            self._drawn = None
            return self._target.color if self._has_picture else None
        self._painter.set_order(order.rows, order.count)
        self._painter.draw(self._target)
        self.area = self._painter.area(instances, view)
        self._drawn, self._has_picture = (layout, view_key, size, order.number), True
        self.redraws += 1
        return self._target.color

    def forget(self) -> None:
        """Draw everything anew next time, the order included."""
        self._drawn = self._sorted_for = None

    def _is_drawn(
        self, layout: Layout, view_key: object, size: tuple[int, int], depth: DepthCopy
    ) -> bool:
        number = self._order.number if self._order else -1
        same = self._drawn == (layout, view_key, size, number)
        return same and self._depth is not None and np.array_equal(self._depth, depth.values)

    def _prepare_target(self, size: tuple[int, int], depth: DepthCopy) -> None:
        if self._target is None or (self._target.width, self._target.height) != size:
            self._target = Target(*size)
            self._depth, self._has_picture = None, False
        if self._depth is None or not np.array_equal(self._depth, depth.values):
            self._target.set_depth(depth.buffer)
            self._depth = depth.values.copy()

    def _want_order(
        self,
        instances: Sequence[SplatInstance],
        view: ViewParameters,
        wanted: tuple[Layout, object],
    ) -> None:
        """Start sorting for this view; a sort not begun yet for an older one is dropped."""
        self._wanted = wanted
        if wanted in (self._sorted_for, self._sort_of):
            return
        if self._sort is not None and not self._sort.cancel() and not self._sort.done():
            return  # one at a time: the next redraw asks again
        self._take_order(0.0)
        self._sort = self._worker.submit(_sorted_rows, order_request(instances, view))
        self._sort_of = wanted
        self.sorts += 1

    def _take_order(self, seconds: float) -> None:
        """Take the order being made, waiting at most so long for it."""
        if self._sort is None or self._sort_of is None:
            return
        if self._sort.cancelled():
            self._sort = self._sort_of = None
            return
        try:
            rows = self._sort.result(timeout=seconds)
        except FutureTimeoutError:
            return
        layout = self._sort_of[0]
        self._order = _Order(
            layout=layout,
            rows=rows,
            count=sum(count for _, count in layout),
            number=self._order.number + 1 if self._order else 0,
        )
        self._sorted_for = self._sort_of
        self._sort = self._sort_of = None


def _sorted_rows(request: OrderRequest) -> npt.NDArray[np.float32]:
    return order_rows(depth_order(request))
