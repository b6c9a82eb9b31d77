"""The networks that losses and measures look through: published files, fetched, checked, loaded."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from napari_srgan.models.perceptual.alexnet import AlexNetFeatures
from napari_srgan.models.perceptual.vgg import VGG19Features, VGGFeatures
from napari_srgan.store.cache import OFFLINE_VARIABLE, cache_folder, fetch_file, is_offline
from napari_srgan.store.download import DownloadError, Progress, by_hand, is_web_page
from napari_srgan.store.tensors.tensor_file import unpickle

logger = logging.getLogger(__name__)

Trunk = VGGFeatures | AlexNetFeatures

_CLASSIFIERS = {
    name: frozenset(f"classifier.{n}.{kind}" for n in layers for kind in ("weight", "bias"))
    for name, layers in {"VGG16": (0, 3, 6), "VGG19": (0, 3, 6), "AlexNet": (1, 4, 6)}.items()
}
_LISTED = 3  # faults that an error message names
RANDOM_SEED = 0
_OTHERWISE = "Or name a file that you have: --vgg-weights FILE."


def read_trunk(path: Path, network: Trunk) -> dict[str, Tensor]:
    """Return the tensors that `network` needs from a file with torchvision's names.

    The file, PyTorch's or safetensors, may hold the rest of the network too, but nothing else.
    Nothing in it is run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, holds code, or is anything but this network's weights.
    """
    content = _content(path, network.name)
    state = content if isinstance(content, dict) else {}
    needed = list(network.state_dict())
    if faults := list(_faults(state, needed, network)):
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        other = kind_of(state)
        instead = f" It holds {other}'s." if other not in (None, network.name) else ""
        raise ValueError(
            f"{path} does not hold {network.name}'s weights as torchvision names them: "
            f"{'; '.join(faults[:_LISTED])}{more}.{instead}"
        )
    return {key: state[key] for key in needed}


def kind_of(state: Mapping[Any, Any]) -> str | None:
    """Return which network tensors are of: VGG16, VGG19 or AlexNet, by their names and shapes."""
    first = state.get("features.0.weight")
    if not isinstance(first, Tensor) or first.ndim != 4:
        return None
    if first.shape[-1] == 11:
        return "AlexNet"
    last_of = {"VGG19": "features.34.weight", "VGG16": "features.28.weight"}
    own = {"VGG19": "features.16.weight", "VGG16": "features.17.weight"}
    kinds = [kind for kind in last_of if last_of[kind] in state and own[kind] in state]
    return kinds[0] if kinds else None


def _content(path: Path, name: str) -> object:
    """Return what a file holds, if that is tensors and plain values."""
    if not path.is_file():
        raise FileNotFoundError(f"No file of {name} weights at {path}.")
    with path.open("rb") as file:
        if is_web_page(file.read(512)):
            raise ValueError(
                f"{path} is a web page, not {name}'s weights: the download got an error or a "
                "log-in page."
            )
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    content: object = unpickle(path)
    return content


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or cut short: {error}.") from error


def _faults(state: Mapping[Any, Any], needed: list[str], network: Trunk) -> Iterator[str]:
    """Say what is wrong with what a file holds, layers that are not needed included."""
    shapes = _convolutions(type(network))
    for key in needed:
        if key not in state:
            yield f"{key} is missing"
    for key, value in state.items():
        if key in shapes:
            if not _is_plain(value) or value.shape != shapes[key]:
                yield f"{key} is {_kind(value)}, not real numbers of shape {tuple(shapes[key])}"
            elif key in needed and not bool(value.isfinite().all()):
                yield f"{key} has values that are not finite"
        elif key not in _CLASSIFIERS[network.name]:
            yield f"{key} is not one of {network.name}'s"


def _convolutions(kind: type[Trunk]) -> dict[str, torch.Size]:
    """Return the names and shapes of all that a network has before its classifier."""
    with torch.device("meta"):
        network = (
            kind(len(kind.blocks), kind.blocks[-1][1]) if issubclass(kind, VGGFeatures) else kind()
        )
    return {key: value.shape for key, value in network.state_dict().items()}


def _is_plain(value: object) -> bool:
    """Tell whether a value is an ordinary array of real numbers."""
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.layout == torch.strided
        and not value.is_meta
    )


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return type(value).__name__


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights on the web: its name, mirrors, the start of its SHA-256 digest, bytes."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int


# torchvision's IMAGENET1K_V1; it puts the first eight digits of the digest into the name.
VGG19_IMAGENET = PublishedFile(
    name="vgg19-dcbb9e9d.pth",
    urls=("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",),
    sha256="dcbb9e9d",
    size=574_673_361,
)


VGG16_IMAGENET = PublishedFile(
    name="vgg16-397923af.pth",
    urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
    sha256="397923af",
    size=553_433_881,
)
ALEXNET_IMAGENET = PublishedFile(
    name="alexnet-owt-7be5be79.pth",
    urls=("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
    sha256="7be5be79",
    size=244_408_911,
)
PUBLISHED = {"VGG19": VGG19_IMAGENET, "VGG16": VGG16_IMAGENET, "AlexNet": ALEXNET_IMAGENET}


@dataclass(frozen=True)
class LoadedVGG:
    """VGG16 or VGG19 ready to be looked through.

    Attributes
    ----------
    network : VGGFeatures
        In evaluation mode, frozen, float32, on the CPU.
    source : str
        Where its weights are from, for a run's record: the file's name and whole SHA-256 digest,
        or ``random (seed 0)``.
    """

    network: VGGFeatures
    source: str


def load_vgg(
    layer: tuple[int, int],
    *,
    file: Path | None = None,
    random: bool = False,
    cache: Path | None = None,
    kind: type[VGGFeatures] = VGG19Features,
    published: PublishedFile | None = None,
    progress: bool | Progress = False,
) -> LoadedVGG:
    """Return VGG19 or VGG16 up to φ_{i,j}, by default with the weights published for ImageNet.

    torch's random state is left as it was.

    Parameters
    ----------
    layer
        ``(i, j)`` of :class:`~napari_srgan.models.perceptual.vgg.VGGFeatures`.
    file
        A file of weights to use in place of the published one, with torchvision's names; or a
        folder that holds it. What lies beyond `layer` is not used and may be missing.
    random
        Whether to use random weights (He's start, always the same) instead of any file: for
        trying things out, because nothing learned is in them.
    cache
        The preferred folder for the download; see :func:`napari_srgan.store.cache.cache_folder`.
    kind
        The network.
    published
        The file to fetch where none is given, unless it is cached already; torchvision's by
        default.
    progress
        As for :func:`napari_srgan.store.download.download`.

    Raises
    ------
    ValueError
        If there is no such layer, both a file and random weights are asked for, or the file is
        damaged, holds code, or is anything but this network's weights.
    OSError
        If there is no file at `file`, or the published one is not there and cannot be fetched.
    """
    if random and file is not None:
        raise ValueError(f"Choose either random VGG weights or the file {file}, not both.")
    network = _build(kind, layer)
    if random:
        _randomise(network)
        source = f"random (seed {RANDOM_SEED})"
    else:
        if file is None:
            path = find_published(cache, published or PUBLISHED[kind.name], progress=progress)
        else:
            path = find_trunk(file, kind.name)
        network.load_state_dict(read_trunk(path, network))
        source = f"{path.name} (SHA-256 {_digest(path, cache_folder(cache))})"
    return LoadedVGG(network.eval().requires_grad_(False), source)


def find_trunk(where: Path, name: str) -> Path:
    """Return a file itself, or the one in a folder whose tensors are those of a network.

    Raises
    ------
    FileNotFoundError
        If there is none in the folder.
    """
    if not where.is_dir():
        return where
    for path in sorted(where.iterdir()):
        if path.suffix in (".safetensors", ".pth") and not path.name.startswith("."):
            try:
                content = _content(path, name)
            except ValueError:  # another kind of file, which may well lie there
                continue
            if isinstance(content, dict) and kind_of(content) == name:
                return path
    raise FileNotFoundError(f"No file in {where} holds {name}'s weights as torchvision names them.")


def find_published(
    cache: Path | None = None,
    published: PublishedFile = VGG19_IMAGENET,
    *,
    progress: bool | Progress = False,
) -> Path:
    """Return the path of the published file, fetched if need be, with its digest checked.

    Raises
    ------
    OSError
        If the file is not there and no mirror gives it, downloads are forbidden, or the cache
        cannot be written.
    """
    target = cache_folder(cache) / published.name
    fault = _fault(target, published) if target.is_file() else "it is missing"
    if fault is None:
        return target
    if is_offline():
        way_out = by_hand(published.urls, target, sha256=published.sha256, size=published.size)
        raise OSError(
            f"The weights {target} cannot be used: {fault}. {OFFLINE_VARIABLE} forbids "
            f"fetching them; unset the variable. {way_out} {_OTHERWISE}"
        )
    if target.is_file():
        logger.warning("Removing %s, because %s; it is fetched again.", target, fault)
        target.unlink(missing_ok=True)
    try:
        fetch_file(
            published.urls,
            target,
            sha256=published.sha256,
            size=published.size,
            progress=progress,
        )
    except DownloadError as error:
        raise DownloadError(f"{error} {_OTHERWISE}") from error
    return target


def _fault(path: Path, published: PublishedFile) -> str | None:
    size = path.stat().st_size
    if size != published.size:
        return f"it has {size} bytes, not {published.size}"
    digest = _digest(path, path.parent)
    if not digest.startswith(published.sha256):
        return f"its SHA-256 digest is {digest}, which does not begin with {published.sha256}"
    return None


def _digest(path: Path, cache: Path) -> str:
    """Return the file's SHA-256 digest, read anew only if the file is not the one of last time.

    Last time's is remembered in the cache folder, by path, size and time of change: reading half
    a gigabyte at every start would take seconds.
    """
    status = path.stat()
    file = f"{status.st_size} {status.st_mtime_ns} {path.absolute()}"
    memo = cache / f"{path.stem}.sha256"
    if memo.is_file():
        digest, _, remembered = memo.read_text(encoding="utf-8", errors="replace").partition(" ")
        if remembered == file:
            return digest
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        memo.write_text(f"{digest} {file}", encoding="utf-8")
    except OSError as error:  # costs the next start some seconds, and nothing else
        logger.info("The digest of %s is not remembered: %s", path, error)
    return digest


def _build(kind: type[VGGFeatures], layer: tuple[int, int]) -> VGGFeatures:
    """Return the network with weights that are yet to be set."""
    with torch.random.fork_rng(devices=[]):  # the start that PyTorch gives it is thrown away
        return kind(*layer)


def _randomise(network: VGGFeatures) -> None:
    """Set He's start, which keeps the features' size through the layers (PyTorch's does not)."""
    generator = torch.Generator().manual_seed(RANDOM_SEED)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
