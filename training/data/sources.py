"""Which files a folder offers to training: any tree of images, and DIV2K's folders by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_srgan.files import IMAGE_SUFFIXES
from napari_srgan.resampling import SCALE
from napari_srgan.wording import listed

HIGH, LOW = "_HR", "_LR"  # what the names of pairs end in, before their suffix
_DIV2K = re.compile(r"DIV2K_(?P<part>train|valid)_(?P<kind>HR|LR_\w+)", re.IGNORECASE)
_NAMED = 5  # files an error message lists


@dataclass(frozen=True)
class Source:
    """An image to train on; without ``low``, its low-resolution partner is made from it."""

    name: str
    high: Path
    low: Path | None = None


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Sources:
    """What was found below a folder.

    Attributes
    ----------
    folder : Path
        The folder; names are relative to it.
    training : tuple of Source
        Sorted by name.
    validation : tuple of Source
        DIV2K's validation images, which are no training images.
    left_out : tuple of LeftOut
        Folders that may not be read, and names of images that lead to no file.
    """

    folder: Path
    training: tuple[Source, ...]
    validation: tuple[Source, ...]
    left_out: tuple[LeftOut, ...]


def find_sources(folder: Path, *, scale: int = SCALE) -> Sources:
    """Return every image at any depth below ``folder``, links followed, hidden files left aside.

    ``NAME_HR.png`` and ``NAME_LR.png`` in one folder are a pair, of whatever suffix; an image
    ``NAME_LR`` without the other one is left out.

    Images below a folder named ``DIV2K_train_HR`` are paired with ``0001x4.png`` and so on below
    ``DIV2K_train_LR_bicubic`` (``x2`` where ``scale`` is 2) if there are such; the same holds for
    ``DIV2K_valid_HR``, whose images are for validation only. Other low-resolution images of DIV2K
    are left aside.

    Raises
    ------
    OSError
        If there is no such folder, or no image to train on in it, or some images of DIV2K have a
        partner and others have none.
    ValueError
        If two low-resolution images could be the partner of one image.
    """
    left_out: list[LeftOut] = []
    groups: dict[str, list[tuple[str, Path]]] = {}
    for path in sorted(_walk(folder, left_out)):
        name = path.relative_to(folder).as_posix()
        groups.setdefault(_group(path.relative_to(folder)), []).append((name, path))
    plain = _marked(groups.get("", []), left_out)
    train, valid = (
        _paired(groups.get(f"{part}_hr", []), groups.get(f"{part}_lr_bicubic", []), scale)
        for part in ("train", "valid")
    )
    if not plain and not train:
        raise _nothing(folder, valid)
    training = sorted([*plain, *train], key=lambda source: source.name)
    return Sources(folder, tuple(training), tuple(valid), tuple(left_out))


def _walk(folder: Path, left_out: list[LeftOut]) -> Iterator[Path]:
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: name the folder of the images.")

    def unreadable(error: OSError) -> None:
        where = Path(str(error.filename))
        if where == folder:
            raise error
        name = where.relative_to(folder).as_posix()
        left_out.append(LeftOut(name, f"the folder cannot be read: {error.strerror}"))

    entered = set()
    for root, below, names in os.walk(folder, onerror=unreadable, followlinks=True):
        real = Path(root).resolve()
        if real in entered:  # a link that leads back up, or to what is seen already
            below.clear()
            continue
        entered.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        for path in (Path(root) / name for name in names if _is_image(name)):
            if path.is_file():
                yield path
            else:
                left_out.append(LeftOut(path.relative_to(folder).as_posix(), "leads to no file"))


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def _group(path: Path) -> str:
    """Return which of DIV2K's folders a file is below, such as "train_hr"; "" for others."""
    for parent in path.parts[:-1]:
        if match := _DIV2K.match(parent):
            kind = match["kind"].lower()
            # The archive is named …_LR_bicubic_X4, the folder in it …_LR_bicubic/X4.
            kind = "lr_bicubic" if kind.startswith("lr_bicubic") else kind
            return f"{match['part'].lower()}_{kind}"
    return ""


def _paired(
    highs: list[tuple[str, Path]], lows: list[tuple[str, Path]], scale: int
) -> list[Source]:
    mark = f"x{scale}"
    partners: dict[str, Path] = {}
    for name, path in lows:
        if path.stem.endswith(mark):
            other = partners.setdefault(path.stem.removesuffix(mark), path)
            if other != path:
                raise ValueError(
                    f"{other} and {name} could both be the low image of one. Remove either."
                )
    missing = [path.name for _, path in highs if path.stem not in partners]
    if not missing or len(missing) == len(highs):
        return [Source(name, path, partners.get(path.stem)) for name, path in highs]
    raise FileNotFoundError(
        f"{len(missing)} of {len(highs)} images have no ×{scale} partner among DIV2K's low images: "
        f"{listed(missing, _NAMED)}. Add these, or take the folder of low images away "
        "to have all of them made."
    )


def _marked(found: list[tuple[str, Path]], left_out: list[LeftOut]) -> list[Source]:
    """Return images, those whose names say so as pairs."""
    lows: dict[Path, Path] = {}
    for name, path in found:
        if path.stem.endswith(LOW) and lows.setdefault(_of_pair(path, LOW), path) != path:
            raise ValueError(f"{name} and {lows[_of_pair(path, LOW)].name} differ by suffix alone.")
    highs = {_of_pair(path, HIGH) for _, path in found if path.stem.endswith(HIGH)}
    sources = []
    for name, path in found:
        if not path.stem.endswith(LOW):
            low = lows.get(_of_pair(path, HIGH)) if path.stem.endswith(HIGH) else None
            sources.append(Source(name, path, low))
        elif _of_pair(path, LOW) not in highs:
            left_out.append(LeftOut(name, f"there is no image {path.stem[: -len(LOW)]}{HIGH}"))
    return sources


def _of_pair(path: Path, mark: str) -> Path:
    """Return what the paths of a pair have in common."""
    return path.with_name(path.stem[: -len(mark)])


def _nothing(folder: Path, valid: list[Source]) -> FileNotFoundError:
    if valid:
        return FileNotFoundError(
            f"Of DIV2K only validation images are below {folder}. Add DIV2K_train_HR."
        )
    return FileNotFoundError(
        f"No image ({', '.join(IMAGE_SUFFIXES)}) to train on is below {folder}."
    )


def check_outside(out: Path, images: Path) -> None:
    """Make sure that what is written is not among the images that it is made of.

    Raises
    ------
    ValueError
        If it would be.
    """
    if out.resolve().is_relative_to(images.resolve()):
        raise ValueError(f"{out} lies within the images, {images}. Name another folder.")
