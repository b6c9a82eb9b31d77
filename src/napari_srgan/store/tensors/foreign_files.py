"""Tell what a file is that is neither safetensors nor PyTorch's tensors, and what to do with it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from napari_srgan.store.download import is_web_page
from napari_srgan.wording import listed

_UNPACK = "unpack it, and give the model file in it"
_EXPORT = "export the network's tensors, with safetensors or torch.save, where it was made"
# Where bytes begin, the bytes, what such a file is, and what to do.
_BEGINNINGS = (
    (0, b"version https://git-lfs", "a pointer of Git LFS in place of the file", "git lfs pull"),
    (0, b"\x00\x05\x16\x07", "what macOS keeps beside a file", "give the file without ._"),
    (0, bytes(64), "filled with zeros, as an unfinished download is", "download it again"),
    (0, b"GGUF", "a GGUF file, of llama.cpp's kind", _EXPORT),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", _EXPORT),
    (4, b"TFL3", "a TensorFlow Lite model", _EXPORT),
    (0, b"\x08\x01\x12", "a TensorFlow model", _EXPORT),
    (0, b"\x08\x01\x22", "a TensorFlow model", _EXPORT),
    (0, b"7767517\n", "an ncnn model", _EXPORT),
    (0, b"\x93NUMPY", "a NumPy array", _EXPORT),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive, as PyTorch wrote before 0.1.10", _EXPORT),
    (0, b"\x89PNG", "a PNG image", "give it as the image"),
    (0, b"\xff\xd8\xff", "a JPEG image", "give it as the image"),
    (0, b"II*\x00", "a TIFF image", "give it as the image"),
    (0, b"MM\x00*", "a TIFF image", "give it as the image"),
    (0, b"%PDF", "a PDF document", "give the model's own file"),
    (0, b"\x7fELF", "a program", "give the model's own file"),
    (0, b"MZ", "a program", "give the model's own file"),
)
_ONNX = b"\x08"  # field 1 of a protocol buffer, the version of ONNX, and then any other field
_ONNX_FIELDS = b"\x12\x1a\x22\x28\x32\x3a\x42"
_ONNX_VERSIONS = range(3, 64)


_MOST_TENSORS = 6000  # several times the largest generator's, beside what trained it


def fault_of_beginning(head: bytes) -> str | None:
    """Say what a file is that begins with these bytes, or None for what may be a model file.

    The message is a sentence's end, after the file's name, as are those of `fault_of_zip`.
    """
    if not head:
        return "is empty."
    if is_web_page(head):
        return "is a web page, not a model: the download got an error or a login page."
    for place, beginning, kind, remedy in _BEGINNINGS:
        if head[place:].startswith(beginning):
            return f"is {kind}, not a model that can be read: {remedy}."
    if head.startswith(_ONNX) and head[1] in _ONNX_VERSIONS and head[2:3] in _ONNX_FIELDS:
        return f"is an ONNX model, whose tensors have lost their names: {_EXPORT}."
    return None


def fault_of_count(tensors: int) -> str | None:
    """Say that a file has more tensors than a model has: to read them all takes minutes."""
    if tensors <= _MOST_TENSORS:
        return None
    return f"has {tensors} tensors, and a generator at most {_MOST_TENSORS}."


def fault_of_zip(path: Path) -> str | None:
    """Say what a zip archive is that PyTorch did not save tensors in, or None if it did."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # noqa: BLE001 - of wrong bytes it raises whatever it stumbles on
        return f"cannot be read as a zip archive, as PyTorch's are; it may be cut short: {error}."
    names = [member.filename for member in members]
    last = {name.rpartition("/")[2] for name in names}
    if "data.pkl" not in last:
        return f"is {_kind_of_zip(names, last)}."
    if "constants.pkl" in last or any("/code/" in name for name in names):
        return (
            "is a TorchScript archive, which is a program. Export its tensors in Python: import "
            f"torch; state = torch.jit.load({path.name!r}, map_location='cpu').state_dict(); "
            f"torch.save(state, {f'{path.stem[:80]}-tensors.pth'!r})"
        )
    size, unpacked = path.stat().st_size, sum(member.file_size for member in members)
    if unpacked > size:
        return (
            f"has {size} bytes that claim to unpack to {unpacked}: PyTorch does not compress its "
            "files. Unpack it, or save its tensors anew."
        )
    return fault_of_count(len(members))


def _kind_of_zip(names: list[str], last: set[str]) -> str:
    if all(name.endswith(".npy") for name in names) and names:
        return f"an archive of NumPy arrays (.npz), not a model that can be read: {_EXPORT}"
    if "model.weights.h5" in last:
        return f"a Keras model, not one that can be read: {_EXPORT}"
    if "archive_format" in last or "serialized_exported_program.json" in last:
        return f"a program of torch.export, not a file of tensors: {_EXPORT}"
    what = f"a zip archive of {listed(names)}" if names else "an empty zip archive"
    return f"{what}, not PyTorch's. If a model file is in it, {_UNPACK}"
