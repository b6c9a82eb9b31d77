"""What a file says of its picture besides pixels and axes: one record, whatever the format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from napari_srgan.files import exif, georeference
from napari_srgan.files.exif import Directory

# Where a text that PNG has a keyword for stands in EXIF and in TIFF.
TEXT_TAGS = {
    "Title": exif.DOCUMENT_NAME,
    "Author": exif.ARTIST,
    "Copyright": exif.COPYRIGHT,
    "Software": exif.SOFTWARE,
}
COMMENT = "Comment"  # PNG's keyword; JPEG has a segment for it

_WORDS = {
    "profile": "colour profile",
    "density": "pixel density",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC records",
    "geo": "georeference",
}
_METERS = {"inch": 0.0254, "centimeter": 0.01, "meter": 1.0}
_EXIF_UNITS = {2: "inch", 3: "centimeter"}


@dataclass(frozen=True)
class Density:
    """Pixels in a unit of length, as printers and scanners count them.

    Attributes
    ----------
    across, down : float
        Pixels in a unit; positive.
    unit : str
        ``inch``, ``centimeter`` or ``meter``; empty where only their ratio is known.
    """

    across: float
    down: float
    unit: str

    def upscaled(self, scale: int) -> Density:
        """Return the density where each pixel became `scale` × `scale`; a ratio stays."""
        return self if not self.unit else Density(self.across * scale, self.down * scale, self.unit)

    def per(self, unit: str) -> tuple[float, float] | None:
        """Return the pixels in another unit; None where only their ratio is known."""
        if not self.unit:
            return None
        if unit == self.unit:
            return self.across, self.down
        factor = _METERS[unit] / _METERS[self.unit]
        return self.across * factor, self.down * factor


def density_of(across: float, down: float, unit: str) -> Density | None:
    """Return the density that a file states, or None where that says nothing."""
    if not (0 < across < 1e12 and 0 < down < 1e12) or (not unit and across == down):
        return None
    return Density(across, down, unit)


@dataclass(frozen=True)
class Metadata:
    """What a file says of its picture besides pixels and axes.

    Of the picture that is upright: orientations are applied, and what says so is taken away.

    Attributes
    ----------
    profile : bytes, optional
        The ICC profile that says what the colours are.
    density : Density, optional
        Pixels in a unit of length.
    exif : Directory
        EXIF's tags, or TIFF's of the same kind: camera, date, place, author.
    xmp : bytes, optional
        An XMP packet.
    iptc : bytes, optional
        IPTC's records.
    colour_chunks : tuple of (name, data)
        PNG's chunks on colour: gAMA, cHRM, sRGB, cICP, mDCV, cLLI.
    texts : tuple of (keyword, text)
        PNG's texts, JPEG's comment.
    geo : Directory
        GeoTIFF's tags: where on Earth the picture lies.
    description : str, optional
        What the picture is, in its author's words; and how it was made, where we did.
    """

    profile: bytes | None = None
    density: Density | None = None
    exif: Directory = field(default_factory=Directory)
    xmp: bytes | None = None
    iptc: bytes | None = None
    colour_chunks: tuple[tuple[str, bytes], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    geo: Directory = field(default_factory=Directory)
    description: str | None = None

    def upscaled(self, scale: int) -> Metadata:
        """Return what holds where each pixel became `scale` × `scale` of them."""
        density = self.density and self.density.upscaled(scale)
        return replace(self, density=density, geo=georeference.upscaled(self.geo, scale))

    def of_size(self, width: int, height: int) -> Metadata:
        """Return the record where it gives the size in pixels, with that size."""
        xmp = self.xmp
        for names, side in ((_XMP_WIDTHS, width), (_XMP_HEIGHTS, height)):
            for name in names:
                xmp = xmp and _with_property(xmp, name, side)
        return replace(self, exif=self.exif.of_size(width, height), xmp=xmp)

    def upright(self, *, turned: bool) -> Metadata:
        """Return the record of the picture with its orientation applied, which may turn it."""
        density = self.density
        if density is not None and turned:
            density = Density(density.down, density.across, density.unit)
        xmp = self.xmp and _with_property(self.xmp, _XMP_ORIENTATION, 1)
        return replace(self, density=density, exif=self.exif.without(exif.ORIENTATION), xmp=xmp)

    def given_as(self, *, from_ink: bool, coloured: bool) -> tuple[Metadata, list[str]]:
        """Return what holds of pixels that are given in other colours, and what is said of it.

        Parameters
        ----------
        from_ink : bool
            Whether they are RGB made of ink.
        coloured : bool
            Whether they are colours.
        """
        if from_ink:
            by = "by its profile" if is_of_ink(self.profile) else "without a colour profile"
            return replace(self, profile=None), [f"is CMYK; it is turned to RGB {by}"]
        if coloured and self.profile is not None and self.profile[16:20] == b"GRAY":
            note = "has a profile of grey, which is left out: it is given as colours"
            return replace(self, profile=None), [note]
        return self, []

    @property
    def orientation(self) -> int:
        """The orientation by EXIF's numbers, 1 where nothing is said of it."""
        stated = self.exif.numbers(exif.ORIENTATION)
        if stated:
            return int(stated[0])
        return _property(self.xmp or b"", _XMP_ORIENTATION) or 1

    def exif_block(self, *, with_density: bool = False, with_description: bool = True) -> bytes:
        """Return all that EXIF can say, as a block; empty where there is nothing.

        Parameters
        ----------
        with_density : bool
            Whether the format has no other place for the density.
        with_description : bool
            Whether it has none for the description.
        """
        found = self.described_exif if with_description else self.exif
        if self.density is not None and (found or with_density):
            found = found.with_tags(_resolution(self.density, found.order))
        return exif.block_of(found) if found else b""

    @property
    def described_exif(self) -> Directory:
        """EXIF's tags, together with the texts that it has tags for."""
        texts = {TEXT_TAGS[word]: exif.text(text) for word, text in self.texts if word in TEXT_TAGS}
        tags = {number: tag for number, tag in texts.items() if number not in self.exif.tags}
        if self.description is not None:
            tags[exif.DESCRIPTION] = exif.text(self.description)
        return self.exif.with_tags(tags)

    def lost(self, *kept: str) -> Iterator[str]:
        """Yield what a format does not hold, in words.

        Parameters
        ----------
        *kept : str
            Names of attributes that it holds; ``tags`` are the texts that EXIF has tags for,
            ``comment`` is that text.
        """
        for name, word in _WORDS.items():
            if getattr(self, name) and name not in kept:
                yield word
        if self.colour_chunks and "colour_chunks" not in kept:
            yield f"colour chunks ({', '.join(name for name, _ in self.colour_chunks)})"
        if self.description and "description" not in kept:
            yield "description"
        texts = [word for word, _ in self.texts if not _is_kept(word, kept)]
        if texts:
            yield f"texts ({', '.join(texts)})"


def is_of_ink(profile: bytes | None) -> bool:
    """Tell an ICC profile of CMYK: its header names its colours."""
    return profile is not None and profile[16:20] == b"CMYK"


def from_exif(directory: Directory) -> Metadata:
    """Return the record of a picture of which there is EXIF alone."""
    units = directory.numbers(exif.RESOLUTION_UNIT) or (2,)
    across, down = directory.numbers(exif.X_RESOLUTION), directory.numbers(exif.Y_RESOLUTION)
    density = None
    if across and down:
        density = density_of(across[0], down[0], _EXIF_UNITS.get(int(units[0]), ""))
    kept = directory.without(exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT)
    return Metadata(
        density=density,
        exif=kept.without(exif.DESCRIPTION),
        description=directory.text(exif.DESCRIPTION),
    )


def _is_kept(word: str, kept: tuple[str, ...]) -> bool:
    return (
        "texts" in kept
        or ("tags" in kept and word in TEXT_TAGS)
        or ("comment" in kept and word == COMMENT)
    )


def _resolution(density: Density, order: str) -> dict[int, exif.Tag]:
    unit = 1 if not density.unit else 3 if density.unit == "centimeter" else 2
    in_unit = _EXIF_UNITS.get(unit, "")
    across, down = density.per(in_unit) or (density.across, density.down)
    ratios = exif.ratio(across, order), exif.ratio(down, order)
    if ratios[0] is None or ratios[1] is None:
        return {}
    return {
        exif.X_RESOLUTION: ratios[0],
        exif.Y_RESOLUTION: ratios[1],
        exif.RESOLUTION_UNIT: exif.short(unit, order),
    }


_XMP_ORIENTATION = b"tiff:Orientation"
_XMP_WIDTHS = (b"tiff:ImageWidth", b"exif:PixelXDimension")
_XMP_HEIGHTS = (b"tiff:ImageLength", b"exif:PixelYDimension")


def _pattern(name: bytes) -> re.Pattern[bytes]:
    # As an attribute, or as an element.
    return re.compile(rb"(" + name + rb"""(?:\s*=\s*["']|>)\s*)(\d{1,9})(?=\s*["'<])""")


def _property(xmp: bytes, name: bytes) -> int | None:
    """Read a whole number out of an XMP packet."""
    found = _pattern(name).search(xmp)
    return int(found[2]) if found else None


def _with_property(xmp: bytes, name: bytes, value: int) -> bytes:
    """Return an XMP packet with another number where it has one."""
    return _pattern(name).sub(rb"\g<1>%d" % value, xmp)
