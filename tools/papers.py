"""The tables of two papers, what is measured here beside each figure: for `tools/cards.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_srgan.training.metrics.table import column_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_srgan.training.metrics.evaluate import Results

Figures = tuple[float, float]  # PSNR in dB, and SSIM


@dataclass(frozen=True)
class System:
    """A row: a system of a paper, its figures there, and what is measured for it here.

    Attributes
    ----------
    name : str
        As in the paper.
    measured : str
        The upscaler here; empty where there is none, and the figures are as published.
    figures : mapping of str to tuple of float
        The paper's PSNR and SSIM by data set.
    """

    name: str
    measured: str
    figures: Mapping[str, Figures]


@dataclass(frozen=True)
class Table:
    """A paper's table: which SSIM it has, its systems, and what else is measured of them."""

    ssim: str
    systems: Sequence[System]
    also: Sequence[str] = ()


def _on(set5: Figures, set14: Figures) -> dict[str, Figures]:
    return {"Set5": set5, "Set14": set14}


# Ledig et al., arXiv:1609.04802v5, Table 2 and, for SRGAN-MSE, Table 1.
TABLE_2 = Table(
    "ssim_daala",
    (
        System("nearest", "nearest", _on((26.26, 0.7552), (24.64, 0.7100))),
        System("bicubic", "bicubic", _on((28.43, 0.8211), (25.99, 0.7486))),
        System("SRCNN", "srcnn-x4", _on((30.07, 0.8627), (27.18, 0.7861))),
        System("SelfExSR", "", _on((30.33, 0.872), (27.45, 0.7972))),
        System("DRCN", "drcn-x4", _on((31.52, 0.8938), (28.02, 0.8074))),
        System("ESPCN", "espcn-x4", _on((30.76, 0.8784), (27.66, 0.8004))),
        System("SRResNet", "srresnet-x4", _on((32.05, 0.9019), (28.49, 0.8184))),
        System("SRGAN", "srgan-x4", _on((29.40, 0.8472), (26.02, 0.7397))),
    ),
    ("lpips_alex", "lpips_vgg"),
)
# Lim et al. 2017, arXiv:1707.02921v1, Table 3, ×4.
EDSR_TABLE_3 = Table(
    "ssim_wang",
    (
        System("bicubic", "bicubic", _on((28.42, 0.8104), (26.00, 0.7027))),
        System("SRResNet", "srresnet-x4", _on((32.05, 0.8910), (28.53, 0.7804))),
        System("EDSR", "edsr-x4", _on((32.46, 0.8968), (28.80, 0.7876))),
        System("MDSR", "mdsr", _on((32.50, 0.8973), (28.72, 0.7857))),
    ),
)


def as_markdown(table: Table, results: Results) -> str:
    """Return a table: a row for each system and data set, "published" where none is measured."""
    known = {measure for means in results.values() for row in means.values() for measure in row}
    also = [measure for measure in table.also if measure in known]
    titles = ["system", "PSNR dB", "paper's", column_of(table.ssim).title, "paper's SSIM"]
    titles += [column_of(measure).title for measure in also]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for data_set, means in results.items():
        for system in table.systems:
            cells = _cells(system, data_set, means, [table.ssim, *also])
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cells(
    system: System, data_set: str, means: Mapping[str, Mapping[str, float]], measures: list[str]
) -> Iterator[str]:
    found = means.get(system.measured)
    psnr, ssim = system.figures[data_set]
    yield f"{system.name}, {data_set}" + ("" if found else " (as published)")
    first, *others = (_shown(found, measure) for measure in measures)
    yield _shown(found, "psnr")
    yield f"{psnr:.2f}"
    yield first
    yield f"{ssim:.4f}"
    yield from others


def _shown(found: Mapping[str, float] | None, measure: str) -> str:
    return "–" if found is None else f"{found[measure]:.{column_of(measure).decimals}f}"
