"""What is no model file is named for what it is."""

import io
import zipfile

import numpy as np
import pytest
import torch

from napari_srgan.store.tensors.tensor_file import CheckpointError, read_tensors


def zipped(members, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def npz():
    file = io.BytesIO()
    np.savez(file, weight=np.zeros(3))
    return file.getvalue()


def compressed():
    file = io.BytesIO()
    torch.save({"conv.weight": torch.zeros(1000)}, file)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped(members, compression=zipfile.ZIP_DEFLATED)


FILES = {
    "git lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "pointer of Git LFS"),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "is an ONNX model"),
    "onnx without producer": (b"\x08\x07:\xf1\x01\n", "is an ONNX model"),
    "savedmodel": (b"\x08\x01\x12\xff\xff", "TensorFlow model"),
    "apple double": (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", r"without \._"),
    "zeros": (bytes(5000), "filled with zeros.* download it again"),
    "gguf": (b"GGUF\x03\x00\x00\x00", "GGUF"),
    "keras h5": (b"\x89HDF\r\n\x1a\n\x00", "HDF5 file, as Keras"),
    "tflite": (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
    "npy": (b"\x93NUMPY\x01\x00", "NumPy array"),
    "gzip": (b"\x1f\x8b\x08\x00", "gzip archive.*unpack"),
    "tar": (b"model".ljust(257, b"\0") + b"ustar", "tar archive, as PyTorch wrote before"),
    "png": (b"\x89PNG\r\n\x1a\n", "PNG image"),
    "npz": (npz(), r"\(\.npz\)"),
    "keras": (zipped({"config.json": "{}", "model.weights.h5": "x"}), "is a Keras model"),
    "pt2": (zipped({"m/archive_format": "pt2", "m/models/model.json": "{}"}), "torch.export"),
    "docx": (zipped({"[Content_Types].xml": "x", "word/a.xml": "x"}), r"zip archive of \[Content"),
    "a zipped model": (zipped({"model.pth": "x"}), "zip archive of model.pth.* unpack it"),
    "nothing in it": (zipped({}), "empty zip archive"),
    "torchscript": (
        zipped({"m/data.pkl": "x", "m/constants.pkl": "x", "m/code/__torch__.py": "x"}),
        r"TorchScript archive.*torch\.jit\.load\('model\.pth'.*state_dict\(\)",
    ),
    "compressed": (compressed(), "claim to unpack to"),
    "cut short": (npz()[:100], "cut short"),
    "many members": (
        zipped({"m/data.pkl": "x"} | {f"m/data/{i}": "" for i in range(7000)}),
        "has 7001 tensors, and a generator at most",
    ),
}


@pytest.mark.parametrize(("content", "said"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
def test_a_file_of_another_kind_is_named(tmp_path, content, said, name):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=said.replace(r"model\.pth", name)) as caught:
        read_tensors(path)

    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()
