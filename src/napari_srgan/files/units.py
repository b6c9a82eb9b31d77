"""Units of length and time: pint's names, which napari understands, and how files spell them."""

from __future__ import annotations

import re
import unicodedata

_PREFIXES = {
    "Y": ("yotta", 24), "Z": ("zetta", 21), "E": ("exa", 18), "P": ("peta", 15), "T": ("tera", 12),
    "G": ("giga", 9), "M": ("mega", 6), "k": ("kilo", 3), "h": ("hecto", 2), "da": ("deca", 1),
    "": ("", 0), "d": ("deci", -1), "c": ("centi", -2), "m": ("milli", -3), "µ": ("micro", -6),
    "n": ("nano", -9), "p": ("pico", -12), "f": ("femto", -15), "a": ("atto", -18),
    "z": ("zepto", -21), "y": ("yocto", -24),
}  # fmt: skip

# Names to OME's symbols (UnitsLength and UnitsTime of its schema), and to metres.
_LENGTHS = {f"{name}meter": f"{symbol}m" for symbol, (name, _) in _PREFIXES.items()}
METERS = {f"{name}meter": 10.0**power for name, power in _PREFIXES.values()}
_OTHER_LENGTHS = {
    "angstrom": ("Å", 1e-10), "thou": ("thou", 25.4e-6), "inch": ("in", 0.0254),
    "foot": ("ft", 0.3048), "yard": ("yd", 0.9144), "mile": ("mi", 1609.344),
    "astronomical_unit": ("ua", 149_597_870_700.0), "light_year": ("ly", 9.4607304725808e15),
    "parsec": ("pc", 3.0856775814913673e16),
}  # fmt: skip
_LENGTHS |= {name: symbol for name, (symbol, _) in _OTHER_LENGTHS.items()}
METERS |= {name: size for name, (_, size) in _OTHER_LENGTHS.items()}
_TIMES = {f"{name}second": f"{symbol}s" for symbol, (name, _) in _PREFIXES.items()}
_TIMES |= {"minute": "min", "hour": "h", "day": "d"}

OME_SYMBOLS = {**_LENGTHS, **_TIMES, "pixel": "pixel"}

# As ImageJ, microscopes and people write them; of any case.
_OTHER_SPELLINGS = {
    "micron": "micrometer", "um": "micrometer", "us": "microsecond", "inches": "inch",
    "feet": "foot", "sec": "second", "secs": "second", "msec": "millisecond",
    "usec": "microsecond", "nsec": "nanosecond", "mins": "minute", "hr": "hour", "hrs": "hour",
    "reference frame": "pixel", "none": "pixel", "": "pixel",
}  # fmt: skip
_SYMBOLS = {unicodedata.normalize("NFKC", symbol): name for name, symbol in OME_SYMBOLS.items()}
_NAMES = {name: name for name in OME_SYMBOLS}


def unit_named(text: str) -> str | None:
    """Return pint's name of a unit that a file states; None if it is none of length or time.

    Symbols tell millimetres from megametres by their case; spelled out, names do not. ``"pixel"``
    is the name of no unit.
    """
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)  # ImageJ's
    text = unicodedata.normalize("NFKC", text.replace("Â", "")).strip().rstrip(".")
    if text in _SYMBOLS:
        return _SYMBOLS[text]
    lower = text.lower().replace("metre", "meter").replace("μ", "u")
    for word in (lower, lower.removesuffix("s") if len(lower) > 3 else lower):  # plurals
        if found := _NAMES.get(word) or _OTHER_SPELLINGS.get(word):
            return found
    return None
