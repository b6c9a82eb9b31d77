"""Measure everything, print it, and keep it as JSON and as a picture.

python benchmarks [--only PART ...] [--size HEIGHT WIDTH] [--rounds N] [--largest EDGE]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import card
import cores
import families
import lens
import machine
import memory_limit
import scaling
import startup
import torch
import upscaling
from comparison import figures, report
from engines import not_installed
from onnx_file import ExportError
from workers import WorkerError

from napari_srgan.store.registry import DEFAULT_MODEL

PARTS = (
    "comparison", "families", "scaling", "cores", "startup", "lens", "memory_limit", "card",
    "training_step",
)  # fmt: skip
# Wider than the largest tile with its halo, and whole within the memory of a laptop.
SIZE = (480, 600)
ROUNDS = 2
LARGEST = 2048


def main() -> None:
    """Measure what the command line asks for."""
    options = _parse()
    found: dict[str, Any] = {"machine": machine.describe()}
    print(f"{found['machine']['processor']}, {found['machine']['threads']} threads")
    for part in options.only:
        print(f"\n{part.replace('_', ' ')}\n", flush=True)
        if part == "training_step":
            subprocess.run(
                [sys.executable, Path(__file__).with_name("training_step.py")], check=True
            )
        else:
            found[part] = _measure(part, options)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.plot and {"comparison", "scaling"} & found.keys():
        _plot(found, options.plot)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python benchmarks", description="See the README.md.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART",
                        help=f"of {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model's name or file")
    parser.add_argument("--size", nargs=2, type=int, default=SIZE, metavar=("HEIGHT", "WIDTH"),
                        help="of the image that engines are compared on")  # fmt: skip
    parser.add_argument("--engines", nargs="+", default=[], metavar="TEXT",
                        help="compare with these alone: parts of their names")  # fmt: skip
    parser.add_argument("--families", nargs="+", default=tuple(families.EDGES), metavar="NAME",
                        choices=families.EDGES, help="measure these alone")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the comparison")
    parser.add_argument("--largest", type=int, choices=scaling.EDGES, default=LARGEST,
                        help="edge of the largest image of the scaling")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    return parser.parse_args()


def _measure(part: str, options: argparse.Namespace) -> Any:
    """Measure one part, print it, and return it as JSON has it."""
    if part == "comparison":
        height, width = options.size
        compared = upscaling.measure(options.model, height, width, options.rounds, options.engines)
        print(report(compared))
        return figures(compared)
    if part == "families":
        found = families.measure(options.families)
        print(families.report(found))
        return [dataclasses.asdict(one) for one in found]
    if part == "scaling":
        edges = [edge for edge in scaling.EDGES if edge <= options.largest]
        sizes = scaling.measure(options.model, edges)
        print(scaling.report(sizes))
        return [dataclasses.asdict(size) for size in sizes]
    if part == "cores":
        ways = cores.measure(options.model)
        print(cores.report(ways))
        return [dataclasses.asdict(way) for way in ways]
    if part == "startup":
        waits = startup.measure()
        print(startup.report(waits))
        return [dataclasses.asdict(wait) for wait in waits]
    if part == "lens":
        followed = lens.measure()
        print(lens.report(followed))
        return [dataclasses.asdict(one) for one in followed]
    if part == "card":
        return _measure_card(options.model)
    limited = memory_limit.measure()
    print(memory_limit.report(limited))
    return limited if isinstance(limited, str) else dataclasses.asdict(limited)


def _measure_card(weights: str) -> Any:
    if not torch.cuda.is_available():
        print("There is no CUDA card here.")
        return "no card"
    ways = card.measure(weights, torch.device("cuda:0"))
    print(card.report(ways))
    return [dataclasses.asdict(way) for way in ways]


def _plot(found: dict[str, Any], path: Path) -> None:
    if missing := not_installed("matplotlib"):
        print(f"\nNo picture: matplotlib is {missing}")
        return
    import plots

    path.parent.mkdir(parents=True, exist_ok=True)
    plots.draw(found, path)
    print(f"\n{path}")


if __name__ == "__main__":
    try:
        main()
    except (ExportError, MemoryError, ValueError, WorkerError) as error:
        sys.exit(f"Stopped. {error}")
