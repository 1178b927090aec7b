"""The document's plots."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from bench.client import Load
from bench.latency import FLOAT32, GRAPHS, INT8, TUTORIAL, Latency

_SIZE = (7.0, 3.6)
_DPI = 110


def plot_latency(latency: Latency, path: Path) -> None:
    """Stages of the server time as one bar beside the ways, and the floor as a line."""
    figure, axes = plt.subplots(figsize=_SIZE)
    left = 0.0
    for stage, value in latency.stages.items():
        axes.barh("service, 1-MP JPEG", value, left=left, label=stage)
        left += value
    for way in (INT8, FLOAT32, GRAPHS, TUTORIAL):
        axes.barh(way.replace("`", ""), latency.median(way), color="0.7")
    axes.axvline(latency.floor, color="black", linestyle="--", linewidth=1, label="float32 floor of the encoder")
    axes.set(xlabel="ms a photo, median", title="One photo")
    axes.legend(fontsize=8)
    _save(figure, path)


def plot_load(curve: list[Load], loops: dict[str, float], path: Path) -> None:
    """Throughput and latencies against the number of clients."""
    figure, (left, right) = plt.subplots(1, 2, figsize=_SIZE)
    clients = [load.clients for load in curve]
    left.plot(clients, [load.throughput for load in curve], marker="o", label="service")
    for style, (name, rate) in zip(("--", ":"), loops.items(), strict=False):
        left.axhline(rate, color="black", linestyle=style, linewidth=1, label=f"{name} encoder in a loop")
    left.set(xlabel="clients", ylabel="captions/s", xscale="log", ylim=(0, None))
    for share in (50, 95, 99):
        right.plot(clients, [load.percentile(share) / 1000 for load in curve], marker="o", label=f"p{share}")
    right.set(xlabel="clients", ylabel="seconds", xscale="log", yscale="log")
    for axes in (left, right):
        axes.set_xticks(clients, [str(count) for count in clients])
        axes.minorticks_off()
        axes.legend(fontsize=8)
    _save(figure, path)


def plot_memory(samples: list[tuple[float, int]], path: Path) -> None:
    """Memory of the service over the run."""
    figure, axes = plt.subplots(figsize=_SIZE)
    axes.plot([second for second, _ in samples], [megabytes for _, megabytes in samples])
    axes.axhline(400, color="black", linestyle="--", linewidth=1, label="bar")
    axes.set(xlabel="seconds of load", ylabel="resident memory, MB", ylim=(0, None), title="Memory under load")
    axes.legend(fontsize=8)
    _save(figure, path)


def plot_search(costs: dict[int, float], path: Path) -> None:
    """Cost against width."""
    figure, axes = plt.subplots(figsize=_SIZE)
    axes.plot(list(costs), list(costs.values()), marker="o")
    axes.set(xlabel="beam width", ylabel="ms a photo", ylim=(0, None), title="Search")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=_DPI)
    plt.close(figure)
