"""A model as an ONNX file, which ONNX Runtime and OpenVINO read.

python benchmarks/onnx_file.py MODEL FILE
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from napari_srgan.graph.network import LayerNetwork, inference_network
from napari_srgan.graph.ops import run_layers
from napari_srgan.store.load import load_model

_EXAMPLE = (1, 3, 24, 32)


class Rewritten(nn.Module):
    """A list of layers as a module, which the exporter takes."""

    def __init__(self, network: LayerNetwork) -> None:
        super().__init__()
        self.layers = network.layers

    def forward(self, x: Tensor) -> Tensor:
        """Upscale images in [0, 1]."""
        return run_layers(self.layers, x)


class ExportError(RuntimeError):
    """The exporter failed; the message is its own."""


def export_apart(weights: str, path: Path) -> None:
    """Write a model by this file as a script, whose warnings and memory are not the caller's.

    Raises
    ------
    ExportError
        If that fails.
    """
    command = [sys.executable, __file__, weights, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ExportError(f"{weights} could not be exported as ONNX: {done.stderr.strip()}")


def export(weights: str, path: Path) -> None:
    """Write a model, rewritten for inference, for float32 images ``(1, 3, h, w)`` of any size."""
    network = inference_network(load_model(weights).network)
    if not isinstance(network, LayerNetwork):
        raise ExportError(f"{weights} cannot be read as layers.")
    torch.onnx.export(
        Rewritten(network),
        (torch.zeros(_EXAMPLE),),
        path,
        dynamo=True,
        external_data=False,
        dynamic_shapes={"x": {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}},
        verbose=False,
    )


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]))
