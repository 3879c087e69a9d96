"""The training job: a scene and settings in, a trained model in a run folder out.

The run folder holds `config.json`, `checkpoint.safetensors`, `log.jsonl` (every message) and
`previews/`. Killing the process loses at most the time since the last checkpoint.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

from ..atomic_file import make_folder, output_errors
from ..config import RunConfig
from ..errors import CancelledError, CheckpointError, DivergedError
from ..model.trained_model import TrainedModel
from ..protocol import Evaluated, Message, OnMessage, Preview, Progress, Saved, message_line
from ..render.rasterizer import Rasterizer
from ..scene.image_store import ImageStore
from ..scene.scene import Scene
from .checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from .memory import memory_in_use_mb
from .preview import held_out_psnr, write_preview
from .pruning import MOST_VIEWS, judge_levels
from .run_info import RunInfo, load_run_info, save_run_info
from .schedule import Clock, image_scale
from .trainer import IterationResult, Trainer
from .view_sampler import ViewSampler, evenly

__all__ = ["LOG_NAME", "train"]

LOG_NAME = "log.jsonl"
PROGRESS_SECONDS = 1.0
PREVIEW_SHARE = 0.05
"""Largest share of the time that timed previews may take; of large scenes they come later."""
AVERAGE_WEIGHT = 0.02
"""Weight of the newest iteration in the moving averages shown to the user."""


def train(
    scene: Scene,
    config: RunConfig,
    *,
    run: Path,
    rasterizer: Rasterizer,
    threads: int,
    on_message: OnMessage,
    cancelled: Callable[[], bool],
    resume: bool = False,
    time_limit: float | None = None,
    preview_seconds: float = math.inf,
    memory_budget: int = 2 << 30,
) -> TrainedModel:
    """Train to the end of the schedule.

    Args:
        scene: images and cameras.
        config: model and schedule; on resume it must be the one the run was started with.
        run: folder of the run, created where absent.
        rasterizer: draws the views; its device is the training device.
        threads: CPU threads of our own kernels.
        on_message: receives progress; also logged in the run folder.
        cancelled: asked between two iterations.
        resume: continue from the checkpoint in `run`; without one the run starts anew.
        time_limit: seconds of training in all; the schedule is compressed to fit.
        preview_seconds: a preview at the start and then every so often, for a host that shows
            them; the ones that come with each measurement stay.
        memory_budget: bytes of decoded images kept.

    Raises:
        CancelledError: `cancelled` said so; a checkpoint has been saved.
        DivergedError: the loss is not finite; the last checkpoint stays.
        CheckpointError: `resume` found a damaged checkpoint or other settings.
        OutputError: the run folder does not take a file.
        SceneError: an image cannot be read.
    """
    make_folder(run)
    session = _Session(scene, config, run, rasterizer, threads, on_message, memory_budget)
    session.clock.time_limit = time_limit
    session.preview_at = -math.inf if preview_seconds < math.inf else math.inf
    session.preview_seconds = preview_seconds
    if resume and (run / CHECKPOINT_NAME).is_file():
        _check_same_settings(run, config)
        session.sampler.order = load_checkpoint(run, session.trainer, session.clock)
    else:
        info = RunInfo(scene=str(scene.path.resolve()), background=scene.background, config=config)
        save_run_info(run, info)
    while not session.clock.finished:
        if cancelled():
            session.save()
            raise CancelledError(
                f"cancelled at iteration {session.clock.iteration}; checkpoint saved in {run}, "
                "continue with --resume"
            )
        session.iterate()
    session.save()
    session.evaluate()
    session.trainer.optimizer.adopt_averages()
    return session.trainer.trained_model()


def _check_same_settings(run: Path, config: RunConfig) -> None:
    if load_run_info(run).config != config:
        raise CheckpointError(
            f"{run}: was started with other settings than now given; repeat the options of the "
            "first call or train into a new folder"
        )


class _Session:
    """One process's share of a run: loop, messages, checkpoints."""

    def __init__(
        self,
        scene: Scene,
        config: RunConfig,
        run: Path,
        rasterizer: Rasterizer,
        threads: int,
        on_message: OnMessage,
        memory_budget: int,
    ) -> None:
        self.scene, self.config, self.run, self._on_message = scene, config, run, on_message
        self.trainer = Trainer(scene, config, rasterizer, threads)
        self.store = ImageStore(scene.background, memory_budget_bytes=memory_budget)
        self.sampler = ViewSampler(scene, self.store, rasterizer.device)
        self.clock = Clock(
            iterations=config.training.iterations,
            time_limit=None,
            dear_from=config.training.all_levels_from,
            dear_cost=config.model.num_levels,
        )
        self.preview_seconds = self.preview_at = math.inf
        self._saved_at = self._shown_at = self._ticked_at = time.monotonic()
        self._loss = self._psnr = self._bits = 0.0

    def send(self, message: Message) -> None:
        """Log a message and hand it to the host."""
        with output_errors(self.run / LOG_NAME), (self.run / LOG_NAME).open("a") as log:
            log.write(message_line(message) + "\n")
        self._on_message(message)

    def iterate(self) -> None:
        """Run one iteration and whatever is due after it."""
        before = self.clock.progress
        scale = image_scale(self.config.training, before)
        view = self.sampler.draw(self.trainer.order_generator, scale)
        result = self.trainer.iterate(view, self.clock)
        self._check_finite(result)
        self._average(result)
        now = time.monotonic()
        self.clock.advance(now - self._ticked_at)  # previews and checkpoints count as well
        self._ticked_at = now
        moments = self.config.training.pruning.moments
        if any(before < moment <= self.clock.progress for moment in moments):
            self.prune()
        if now - self._shown_at >= PROGRESS_SECONDS or self.clock.iteration == 1:
            self._shown_at = now
            self._show(result)
        every = self.config.training.eval_every
        if before // every != self.clock.progress // every and not self.clock.finished:
            self.evaluate()
        elif now >= self.preview_at:
            self.preview()
        if now - self._saved_at >= self.config.training.checkpoint_seconds:
            self.save()

    def prune(self) -> None:
        """Take Gaussians out of the levels whose pictures would hardly miss them."""
        trainer, training = self.trainer, self.config.training
        leaving = judge_levels(
            trainer.trained_model(),
            evenly(self.scene.train_views, MOST_VIEWS),
            self.store,
            parts=training.pruning.level_errors(self.config.model.num_levels),
            rasterizer=trainer.rasterizer,
            background=trainer.background,
            seed=training.seed + self.clock.iteration,
        )
        trainer.prune(leaving)

    def save(self) -> None:
        """Write a checkpoint."""
        path = save_checkpoint(self.run, self.trainer, self.clock, self.sampler.order)
        self._saved_at = time.monotonic()
        self.send(Saved(what="checkpoint", path=str(path)))

    def evaluate(self) -> None:
        """Report held-out PSNR and write the preview files."""
        views = self.scene.test_views
        if views:
            with self.trainer.optimizer.averaged():
                psnr = held_out_psnr(self.trainer, views, self.store)
            clock = self.clock
            self.send(Evaluated(iteration=clock.iteration, psnr=psnr, seconds=clock.elapsed))
        self.preview()

    def preview(self) -> None:
        """Write the preview files."""
        started, first = time.monotonic(), self.preview_at == -math.inf
        shown = (self.scene.test_views or self.scene.train_views)[0]
        with self.trainer.optimizer.averaged():
            files = write_preview(self.trainer, shown, self.run)
        self.send(
            Preview(
                iteration=self.clock.iteration,
                image=str(files.image),
                splats=str(files.splats),
            )
        )
        ended = time.monotonic()
        # What the first one took says nothing: it compiled kernels.
        pause = 0.0 if first else (ended - started) / PREVIEW_SHARE
        self.preview_at = ended + max(self.preview_seconds, pause)

    def _check_finite(self, result: IterationResult) -> None:
        if not math.isfinite(result.loss):
            raise DivergedError(
                f"{self.run}: the loss is {result.loss} at iteration {self.clock.iteration}, "
                "wanted a finite number; train anew with another --seed or lower learning rates "
                "(resuming would repeat it; the last checkpoint can still be encoded)"
            )

    def _average(self, result: IterationResult) -> None:
        if self.clock.iteration == 0 or self._loss == 0.0:
            self._loss, self._psnr = result.loss, result.psnr
        self._loss += AVERAGE_WEIGHT * (result.loss - self._loss)
        self._psnr += AVERAGE_WEIGHT * (result.psnr - self._psnr)
        if result.bits_per_anchor:
            self._bits += AVERAGE_WEIGHT * (result.bits_per_anchor - self._bits)

    def _show(self, result: IterationResult) -> None:
        clock = self.clock
        self.send(
            Progress(
                iteration=clock.iteration,
                total=clock.total,
                loss=self._loss,
                psnr=self._psnr,
                bits_per_anchor=self._bits,
                anchors=len(self.trainer.anchors),
                gaussians=result.gaussians,
                eta_seconds=clock.eta,
                memory_mb=memory_in_use_mb(self.trainer.device),
            )
        )
