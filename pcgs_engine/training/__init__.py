"""Fitting (torch): trainer, schedule, growth, rate loss, checkpoints, previews, evaluation."""

__all__: list[str] = []
