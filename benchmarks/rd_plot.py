"""Draws PSNR and SSIM over bytes, a column per image set: curves in, a PNG out."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter

__all__ = ["draw_curves"]

INK, GRID = "#24292f", "#d8dee4"
STYLES = {
    "progressive": ("#0969da", "-", "one progressive file"),
    "coarse": ("#57606a", "-.", "one progressive file, λ doubled"),
    "single": ("#8250df", "--", "one training per rate"),
    "fine": ("#1a7f37", "None", "one level, λ = 5e-4"),
    "neural splats": ("#9a6700", ":", "progressive, neural head, as exported"),
}
PEERS = {"SPZ": "s", "SOG": "^", "compressed PLY": "D", "PLY": "o"}
PEER_COLOR = "#bc4c00"
Curves = dict[str, list[tuple[float, float]]]


def draw_curves(rows: dict[str, dict[str, Curves]], path: Path) -> None:
    """Draw the curves of every scene by the label of its quality; kB on a logarithmic axis."""
    plt.rcParams.update({"font.size": 11, "text.color": INK, "axes.labelcolor": INK,
                         "xtick.color": INK, "ytick.color": INK})  # fmt: skip
    columns = max(len(scenes) for scenes in rows.values())
    size = (4.6 * columns, 0.5 + 3.8 * len(rows))
    figure, grid = plt.subplots(len(rows), columns, figsize=size, squeeze=False)
    for panels, (label, scenes) in zip(grid, rows.items(), strict=True):
        panels[0].set_ylabel(f"{label} of held-out views")
        for panel, (name, curves) in zip(panels, scenes.items(), strict=True):
            _draw_panel(panel, curves)
            panel.set_title(name, fontsize=12)
    handles: dict[str, object] = {}
    for panel in grid.flat:
        found, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(handles.values(), handles, fontsize=9, frameon=False, loc="lower center",
                  ncols=min(len(handles), 2 * columns + 1))  # fmt: skip
    figure.tight_layout(rect=(0.0, 0.12 / len(rows), 1.0, 1.0))
    figure.savefig(path, dpi=110)


def _draw_panel(panel: Axes, curves: Curves) -> None:
    for curve, (color, line, label) in STYLES.items():
        points = sorted(curves.get(curve, []))
        if points:
            sizes, qualities = zip(*points, strict=True)
            panel.plot([s / 1000 for s in sizes], qualities, line, marker=".", color=color,
                       label=label)  # fmt: skip
    ends = curves.get("progressive levels", [])
    panel.plot([s / 1000 for s, _ in ends], [q for _, q in ends], "o", color="#0969da",
               markersize=9, markerfacecolor="white", markeredgewidth=1.8)  # fmt: skip
    for peer, marker in PEERS.items():
        for size, quality in curves.get(peer, []):
            panel.plot(size / 1000, quality, marker, color=PEER_COLOR, label=f"3DGS, {peer}")
    panel.set_xscale("log")
    for axis_part in (panel.xaxis.set_major_formatter, panel.xaxis.set_minor_formatter):
        axis_part(LogFormatter(minor_thresholds=(1.5, 0.6)))
    panel.set_xlabel("kB on disk")
    panel.grid(color=GRID, linewidth=0.8, which="both")
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
