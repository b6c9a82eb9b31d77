"""How long choices would take: tried out once for each, away from the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_srgan._background import try_out
from napari_srgan._requests import Choices, Failed, Source
from napari_srgan._threads import in_background

if TYPE_CHECKING:
    from napari_srgan._trials import Trial


class Estimates:
    """The trials so far, and the one that is running."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Trial | Failed] = {}
        self._busy = False

    def of(self, choices: Choices, source: Source) -> Trial | Failed | None:
        """Return what is known of a choice, or None where it has not been tried out."""
        return self._known.get(_key(choices, source))

    def forget_failures(self) -> None:
        """Try again, when asked, what has failed: a network or a file may be back."""
        self._known = {key: it for key, it in self._known.items() if not isinstance(it, Failed)}

    def ask(self, choices: Choices, source: Source, known: Callable[[], None]) -> None:
        """Try a choice out and call ``known``; nothing where another trial is still running."""
        if self._busy:
            return
        self._busy = True
        key, colour, dtype = _key(choices, source), source.rgb, source.layout.dtype

        def finished(trial: Trial | Failed) -> None:
            self._busy = False
            self._known[key] = trial
            known()

        in_background(lambda: try_out(choices, colour, dtype), finished)


def _key(choices: Choices, source: Source) -> tuple[Any, ...]:
    # Everything that a trial depends on; not the image's size, which it is scaled to.
    settings = choices.settings
    how = settings.device, settings.precision, settings.tile
    return choices.model, *how, source.rgb, source.layout.dtype
