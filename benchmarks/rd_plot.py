"""Draws PSNR over bytes, one panel per image set: curves in, a PNG out."""

from pathlib import Path

import matplotlib.pyplot as plt
from bd_rate import frontier
from matplotlib.ticker import LogFormatter

__all__ = ["draw_curves"]

INK, GRID = "#24292f", "#d8dee4"
STYLES = {
    "progressive": ("#0969da", "-", "one progressive file"),
    "coarse": ("#57606a", "-.", "one progressive file, λ doubled"),
    "single": ("#8250df", "--", "one training per rate"),
    "neural splats": ("#1a7f37", ":", "progressive, neural head, as exported"),
}
PEERS = {"SPZ": "s", "SOG": "^", "compressed PLY": "D", "PLY": "o"}
PEER_COLOR = "#bc4c00"


def draw_curves(scenes: dict[str, dict[str, list[tuple[float, float]]]], path: Path) -> None:
    """Draw every scene's curves; kB on a logarithmic axis."""
    plt.rcParams.update({"font.size": 11, "text.color": INK, "axes.labelcolor": INK,
                         "xtick.color": INK, "ytick.color": INK})  # fmt: skip
    figure, panels = plt.subplots(1, len(scenes), figsize=(4.6 * len(scenes), 4.4), squeeze=False)
    for panel, (name, curves) in zip(panels[0], scenes.items(), strict=True):
        for curve, (color, line, label) in STYLES.items():
            points = frontier(curves.get(curve, []))
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
        panel.set_title(name, fontsize=12)
        panel.set_xlabel("kB on disk")
        panel.grid(color=GRID, linewidth=0.8, which="both")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("PSNR of held-out views, dB")
    handles: dict[str, object] = {}
    for panel in panels[0]:
        found, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(handles.values(), handles, fontsize=9, frameon=False, loc="lower center",
                  ncols=len(handles))  # fmt: skip
    figure.tight_layout(rect=(0.0, 0.06, 1.0, 1.0))
    figure.savefig(path, dpi=110)
