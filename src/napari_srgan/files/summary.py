"""What an image file is and how it was made, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from napari_srgan.files.metadata import Metadata
from napari_srgan.files.picture import Header
from napari_srgan.files.provenance import caption_in, record_in, steps_of
from napari_srgan.wording import printable

_KINDS = {0: "grey", 3: "RGB", 4: "RGBA"}


def summary_of(header: Header) -> Iterator[str]:
    """Yield lines on a file's format, size, axes, pixel size, and what else it says of itself."""
    *leading, height, width = header.shape[:-1] if header.rgb else header.shape
    kind = _KINDS[header.shape[-1] if header.rgb else 0]
    bits = f", {header.bits} bits of it used" if header.bits else ""
    yield f"{header.format}, {width} × {height} pixels, {kind}, {header.dtype}{bits}"
    if leading:
        lengths = " × ".join(str(length) for length in leading)
        names = ", ".join((header.axis_labels or ())[: len(leading)])
        yield f"a stack of {lengths} planes" + (f" (axes {names})" if names else "")
    if header.pixel_scale and header.units:
        labels = header.axis_labels or [f"axis {i}" for i in range(len(header.units))]
        sizes = zip(labels, header.pixel_scale, header.units, strict=False)
        known = [f"{label} {size:g} {unit}" for label, size, unit in sizes if unit != "pixel"]
        yield f"size of a pixel: {', '.join(known) or 'not in any unit'}"
    yield from _of_metadata(header.metadata)
    for note in header.notes:
        yield f"it {printable(note, 500)}"


def _of_metadata(known: Metadata) -> Iterator[str]:
    if known.density is not None:
        density = known.density
        if per_inch := density.per("inch"):
            yield f"for print: {per_inch[0]:.4g} × {per_inch[1]:.4g} pixels per inch"
        else:
            yield f"shape of a pixel: {density.down:g} wide to {density.across:g} high"
    yield f"colour profile: {_profile_name(known.profile)}"
    held = {"EXIF": known.exif, "XMP": known.xmp, "IPTC": known.iptc, "georeference": known.geo}
    if words := [word for word, value in held.items() if value]:
        yield f"also: {', '.join(words)}"
    if caption := caption_in(known.description):
        yield f"description: {printable(caption)}"


def _profile_name(profile: bytes | None) -> str:
    if profile is None:
        return "none"
    return f"{_profile_description(profile) or 'without a name'} ({len(profile):,} bytes)"


def _profile_description(profile: bytes) -> str:
    """Return the name in an ICC profile's description, of either version; empty without one."""
    count = int.from_bytes(profile[128:132], "big")
    for at in range(132, 132 + 12 * min(count, 100), 12):
        if profile[at : at + 4] == b"desc":
            place = int.from_bytes(profile[at + 4 : at + 8], "big")
            data = profile[place : place + int.from_bytes(profile[at + 8 : at + 12], "big")]
            if data[:4] == b"mluc":
                start = int.from_bytes(data[24:28], "big")
                length = int.from_bytes(data[20:24], "big")
                return printable(data[start : start + length].decode("utf-16-be", "replace"))
            length = int.from_bytes(data[8:12], "big")
            return printable(data[12 : 12 + length].rstrip(b"\0").decode("latin-1"))
    return ""


def origin_of(header: Header) -> Iterator[str]:
    """Yield lines on how a picture was made: each step, and whether texture was invented."""
    record = record_in(header.metadata.description)
    if record is None:
        yield "not upscaled by napari-srgan, as far as the file says"
        return
    for step in steps_of(record):
        yield f"upscaled {_step(step)}"
    drawn = record.get("generative")
    if drawn is True:
        yield "CAUTION: texture in it was invented by a network; it is not for measurement"
    elif drawn is False:
        yield "no texture in it was invented"
    else:
        yield "it is not known whether texture in it was invented"


def _step(step: Mapping[str, Any]) -> str:
    """Tell what made one step; the words are a file's, and may be anything."""
    model, scale = (printable(step.get(name, "?"), 80) for name in ("model", "scale"))
    details = [f"version {printable(step['version'], 40)}"] if "version" in step else []
    if digest := step.get("weights_sha256"):
        details.append(f"weights {printable(digest, 80)[:12]}…")
    details += [printable(step[name], 40) for name in ("precision", "device") if step.get(name)]
    if step.get("source"):
        details.append(f"from {printable(step['source'])}")
    return f"×{scale} by {model} ({', '.join(details)})"
