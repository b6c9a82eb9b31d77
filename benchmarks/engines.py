"""The engines that are compared, all on the same weights and on the CPU.

Each function loads one and returns how it upscales: a float32 image ``(h, w, 3)`` in [0, 1] into
its result, of which nothing is clipped. Those that are not ours are given the network as we rewrite
it, norms folded and the last kernel before the last shuffle, but for :func:`plain`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from openvino_bands import compile_settings, open_vino_bands
from workers import Array, Load, Upscale

from napari_srgan.graph.ops import run_layers
from napari_srgan.graph.trace import trace
from napari_srgan.inference.devices import half_precision
from napari_srgan.inference.run import upscale_array
from napari_srgan.inference.runner import runner_for
from napari_srgan.inference.settings import Settings
from napari_srgan.store.load import load_model

CPU = torch.device("cpu")
WHOLE = 2**16  # a tile's edge that no image here reaches
HALO_TILES = (128, 256, 512)
Kind: TypeAlias = Literal["ours", "reference", "whole", "bands", "tiles", "padded"]
PAD, PADDED_TILE = 10, 256  # what upscalers without an exact halo commonly ship
HALF = "bfloat16"  # what processors have, if anything
NO_HALF = "this processor computes no faster in 16 bits"
EXPORT_NEEDS = ("onnx", "onnxscript")


@dataclass(frozen=True)
class Engine:
    """A row of the comparison.

    Attributes
    ----------
    name : str
        As it is shown.
    load : callable
        Returns how it upscales; can be sent to another process.
    precision : str
        The arithmetic it computes in, a name that torch has.
    kind : Kind
        What it does with the image; all but ``padded`` promise the reference's result, up to the
        rounding of their arithmetic.
    missing : str
        Why it cannot run here, and what to do; empty where it can.
    """

    name: str
    load: Load
    kind: Kind
    precision: str = "float32"
    missing: str = ""


def list_engines(weights: str, onnx_file: Path, threads: int) -> list[Engine]:
    """Return all engines: ours first, then the reference, then the others.

    Parameters
    ----------
    weights : str
        A model's name or file.
    onnx_file : Path
        The same, as :func:`onnx_file.export` writes it; need not exist where that is not installed.
    threads : int
        Of each engine; PyTorch's are its own default.
    """
    rewritten = "rewritten network, whole image"
    full = "float32"
    rows = [
        Engine("ours", partial(ours, weights, full, "auto"), "ours"),
        Engine("plain PyTorch, whole image", partial(plain, weights), "reference"),
        Engine(rewritten, partial(ours, weights, full, WHOLE), "whole"),
        *(
            Engine(f"exact tiles of {edge}", partial(ours, weights, full, edge), "tiles")
            for edge in HALO_TILES
        ),
        Engine(
            f"tiles of {PADDED_TILE}, pad {PAD}",
            partial(padded_tiles, weights, PADDED_TILE, PAD),
            "padded",
        ),
        Engine(
            "ONNX Runtime, whole image",
            partial(onnx_runtime, onnx_file, threads),
            "whole",
            missing=not_installed("onnxruntime", *EXPORT_NEEDS),
        ),
        Engine(
            "OpenVINO, whole image",
            partial(open_vino, onnx_file, threads, "f32"),
            "whole",
            missing=not_installed("openvino", *EXPORT_NEEDS),
        ),
        Engine(
            "OpenVINO, our bands",
            partial(open_vino_bands, weights, threads, "f32"),
            "bands",
            missing=not_installed("openvino"),
        ),
    ]
    half = str(half_precision(CPU)).removeprefix("torch.")
    none = NO_HALF if half == full else ""
    return [
        *rows,
        Engine("ours", partial(ours, weights, HALF, "auto"), "ours", HALF, none),
        Engine(rewritten, partial(ours, weights, HALF, WHOLE), "whole", HALF, none),
        Engine(
            "OpenVINO, whole image",
            partial(open_vino, onnx_file, threads, "bf16"),
            "whole",
            HALF,
            none or not_installed("openvino", *EXPORT_NEEDS),
        ),
        Engine(
            "OpenVINO, our bands",
            partial(open_vino_bands, weights, threads, "bf16"),
            "bands",
            HALF,
            none or not_installed("openvino"),
        ),
    ]


def chosen(engines: Sequence[Engine], parts: Sequence[str]) -> list[Engine]:
    """Return ours in float32, the reference, and the engines whose names have one of these parts.

    Raises
    ------
    ValueError
        If a part is in no name.
    """
    for part in parts:
        if not any(part in engine.name for engine in engines):
            raise ValueError(f"No engine's name has {part!r}.")
    if not parts:
        return list(engines)
    ours_and_reference, others = engines[:2], engines[2:]
    return [*ours_and_reference, *(e for e in others if any(part in e.name for part in parts))]


def not_installed(*packages: str) -> str:
    """Return what to install of these packages; empty where all are there."""
    absent = [package for package in packages if find_spec(package) is None]
    return f"not installed: python -m pip install {' '.join(absent)}" if absent else ""


def ours(weights: str, precision: str, tile: int | str) -> Upscale:
    """Return the product's own: streamed, as a person gets it, or in tiles with a whole halo."""
    model, settings = load_model(weights), Settings("cpu", precision, tile)

    def upscale(image: Array, result: Array) -> None:
        upscale_array(image, model, normalize="dtype", settings=settings, out=result)

    return upscale


def plain(weights: str) -> Upscale:
    """Return the network as it was trained, on the whole image at once: the reference."""
    network = load_model(weights).network.eval()
    black, white = network.value_range
    layers = trace(network)  # as the paper draws it: the last convolution after the last shuffle

    @torch.inference_mode()
    def upscale(image: Array, result: Array) -> None:
        low = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()
        high = run_layers(layers, low).sub_(black).div_(white - black)
        result[...] = high[0].permute(1, 2, 0).numpy()

    return upscale


def padded_tiles(weights: str, tile: int, pad: int) -> Upscale:
    """Return tiles on a fixed grid, each read with a few pixels more on every side."""
    model = load_model(weights)
    runner = runner_for(model, colour=True, device=CPU, precision=torch.float32)
    scale = model.scale

    def upscale(image: Array, result: Array) -> None:
        height, width, _ = image.shape
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                above, before = max(0, top - pad), max(0, left - pad)
                bottom, right = min(height, top + tile), min(width, left + tile)
                window = image[above : bottom + pad, before : right + pad]
                low = torch.from_numpy(np.ascontiguousarray(np.moveaxis(window, -1, 0)))
                high = runner.run(low[None])[0].movedim(0, -1).numpy()
                result[scale * top : scale * bottom, scale * left : scale * right] = high[
                    scale * (top - above) : scale * (bottom - above),
                    scale * (left - before) : scale * (right - before),
                ]

    return upscale


def onnx_runtime(path: Path, threads: int) -> Upscale:
    """Return ONNX Runtime on the whole image."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def upscale(image: Array, result: Array) -> None:
        low = np.ascontiguousarray(np.moveaxis(image, -1, 0))[np.newaxis]
        result[...] = np.moveaxis(session.run(None, {name: low})[0][0], 0, -1)

    return upscale


def open_vino(path: Path, threads: int, precision: str) -> Upscale:
    """Return OpenVINO on the whole image, compiled for each size as it comes."""
    import openvino

    core = openvino.Core()
    settings = compile_settings(threads, precision)
    compiled: dict[tuple[int, ...], Any] = {}

    def upscale(image: Array, result: Array) -> None:
        low = np.ascontiguousarray(np.moveaxis(image, -1, 0))[np.newaxis]
        if low.shape not in compiled:
            model = core.read_model(path)
            model.reshape(list(low.shape))
            compiled[low.shape] = core.compile_model(model, "CPU", settings)
        result[...] = np.moveaxis(compiled[low.shape](low)[0][0], 0, -1)

    return upscale
