"""Our stream of rows as one static OpenVINO graph: could another library's kernels carry it?

Each run of the graph takes a band of rows. What layers read again are states of the graph, and
rows beyond the image are multiplied by zero, so that the first and the last band need no graph of
their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from workers import Array, Upscale

from napari_srgan.graph.network import inference_network
from napari_srgan.graph.ops import Add, Convolution, Layer, PixelShuffle, Pointwise
from napari_srgan.graph.stream_plan import StreamPlan
from napari_srgan.inference.planning import rows_of_a_band
from napari_srgan.store.load import load_model

_ROWS = 2  # the axis


def open_vino_bands(weights: str, threads: int, precision: str) -> Upscale:
    """Return OpenVINO on bands of rows, compiled for each width as it comes.

    Parameters
    ----------
    weights : str
        A model's name or file.
    threads : int
        Of OpenVINO.
    precision : str
        ``f32`` or ``bf16``, OpenVINO's names.
    """
    plan = inference_network(load_model(weights).network).stream_plan(torch.float32)
    if plan is None:
        raise ValueError(f"{weights} cannot be streamed.")
    steps: dict[int, _BandStep] = {}

    def upscale(image: Array, result: Array) -> None:
        width = image.shape[1]
        if width not in steps:
            band = rows_of_a_band("cpu", width)
            steps[width] = _BandStep(plan, width, band, threads, precision)
        steps[width].run(image, result)

    return upscale


def compile_settings(threads: int, precision: str) -> dict[str, int | str]:
    """Return how OpenVINO is to compile a graph: for one image at a time."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
    }


class _BandStep:
    """A plan compiled for bands of one width and height."""

    def __init__(
        self, plan: StreamPlan, width: int, band: int, threads: int, precision: str
    ) -> None:
        import openvino

        self._band, self._last = band, plan.values[-1]
        writer = _Writer(plan, width, band)
        settings = compile_settings(threads, precision)
        compiled = openvino.Core().compile_model(writer.model(), "CPU", settings)
        self._request = compiled.create_infer_request()
        self._inside = list(writer.inside)  # scale and lag of each mask, in the inputs' order

    def run(self, image: Array, result: Array) -> None:
        """Upscale ``(h, w, c)`` into ``(s · h, s · w, c)``."""
        height, width, channels = image.shape
        self._request.reset_state()
        rows = np.zeros((1, channels, self._band, width), np.float32)  # NaN times 0 is NaN
        out = self._band * self._last.scale
        total = height * self._last.scale
        for step in range(-(-(total + self._last.lag) // out)):
            seen = image[step * self._band : (step + 1) * self._band]
            rows[:, :, : len(seen)] = np.moveaxis(seen, -1, 0)
            masks = [self._mask(step, height, scale, lag) for scale, lag in self._inside]
            high = self._request.infer(dict(enumerate([rows, *masks])), share_inputs=True)[0]
            first = step * out - self._last.lag
            start, stop = max(0, first), min(total, first + out)
            if start < stop:
                result[start:stop] = np.moveaxis(high[0, :, start - first : stop - first], 0, -1)

    def _mask(self, step: int, height: int, scale: int, lag: int) -> Array:
        rows = np.arange(self._band * scale) + step * self._band * scale - lag
        inside = (rows >= 0) & (rows < height * scale)
        mask: Array = inside.astype(np.float32).reshape(1, 1, -1, 1)
        return mask


class _Writer:
    """Writes a plan as a graph; ``inside`` has its masks by the scale and lag of their rows."""

    def __init__(self, plan: StreamPlan, width: int, band: int) -> None:
        from openvino import opset13

        self._ops: Any = opset13
        self._plan, self._width, self._band = plan, width, band
        self._read = {0} | {x.source for x in plan.layers if isinstance(x, Convolution)}
        self._new: list[Any] = []  # of each value, its band
        self._held: list[Any] = []  # and that behind the rows that are kept
        self._keeping: list[Any] = []
        self.inside: dict[tuple[int, int], Any] = {}

    def model(self) -> Any:
        """Return the graph: rows ``(1, c, band, width)`` and masks in, rows out."""
        import openvino

        channels = self._plan.values[0].channels
        rows = self._ops.parameter([1, channels, self._band, self._width], np.float32)
        self._add(rows)
        for layer in self._plan.layers:
            self._add(self._of(layer))
        result = self._ops.result(self._new[-1])
        return openvino.Model([result], self._keeping, [rows, *self.inside.values()])

    def _of(self, layer: Layer) -> Any:
        ops, lag = self._ops, self._plan.values[len(self._new)].lag
        if isinstance(layer, Convolution) and layer.groups == 1:
            reach, beside = layer.reach
            taken = self._rows(layer.source, lag, reach)
            kernel, pads = _constant(layer.weight), ([0, beside], [0, beside])
            high = ops.convolution(taken, kernel, [1, 1], *pads, list(layer.dilation))
            if layer.bias is None:
                return high
            return ops.add(high, _constant(layer.bias).reshape(1, -1, 1, 1))
        if isinstance(layer, PixelShuffle):
            return ops.depth_to_space(self._new[layer.source], "depth_first", layer.factor)
        if isinstance(layer, Add):
            return ops.add(*(self._rows(source, lag) for source in layer.sources))
        if isinstance(layer, Pointwise) and layer.slope is not None:
            return ops.prelu(self._new[layer.source], np.array([layer.slope], np.float32))
        raise ValueError(f"OpenVINO's bands do not know {type(layer).__name__}.")

    def _rows(self, source: int, lag: int, reach: int = 0) -> Any:
        """Return the rows that a layer of this lag takes of a value."""
        place = self._plan.values[source]
        first = place.kept + place.lag - lag - reach
        count = self._band * place.scale + 2 * reach
        if first == 0 and count == place.kept + self._band * place.scale:
            return self._held[source]
        return self._slice(self._held[source], first, first + count)

    def _add(self, band: Any) -> None:
        """Take a value's band: zero it beyond the image, and keep what will be read again."""
        index = len(self._new)
        place = self._plan.values[index]
        if index in self._read:
            band = self._ops.multiply(band, self._mask(place.scale, place.lag))
        self._new.append(band)
        if not place.kept:
            self._held.append(band)
            return
        shape = [1, place.channels, place.kept, self._width * place.scale]
        variable = _variable(f"kept {index}", shape)
        before = self._ops.read_value(np.zeros(shape, np.float32), variable)
        held = self._ops.concat([before, band], _ROWS)
        count = self._band * place.scale
        self._keeping.append(
            self._ops.assign(self._slice(held, count, count + place.kept), variable)
        )
        self._held.append(held)

    def _mask(self, scale: int, lag: int) -> Any:
        if (scale, lag) not in self.inside:
            shape = [1, 1, self._band * scale, 1]
            self.inside[scale, lag] = self._ops.parameter(shape, np.float32)
        return self.inside[scale, lag]

    def _slice(self, rows: Any, start: int, stop: int) -> Any:
        bounds = (np.array([value]) for value in (start, stop, 1, _ROWS))
        return self._ops.slice(rows, *bounds)


def _variable(name: str, shape: list[int]) -> Any:
    from openvino import PartialShape, Type
    from openvino.op.util import Variable, VariableInfo

    info = VariableInfo()
    info.data_shape, info.data_type, info.variable_id = PartialShape(shape), Type.f32, name
    return Variable(info)


def _constant(weight: torch.Tensor) -> Array:
    values: Array = weight.detach().contiguous().numpy()
    return values
