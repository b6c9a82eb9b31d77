"""How long a run will take, told from its own pace once it is under way."""

from __future__ import annotations

from dataclasses import dataclass

from napari_srgan.inference.settings import Progress

_SHARE = 0.02  # of the work, after which its pace is believed
WORTH_TELLING = 60.0  # seconds: what takes less is over before it is read
_SECONDS = 5.0  # and the least that it is watched for


@dataclass
class Budget:
    """The time that a run takes, told by the work that it has done itself.

    What an earlier run did passes in no time, and counts for nothing.

    Attributes
    ----------
    began : float
        When the first of its work was begun, on a clock in seconds; None before that.
    """

    began: float | None = None
    _first: Progress | None = None

    def seconds_left(self, progress: Progress, now: float) -> float | None:
        """Return the seconds that are left; None while too little has been done to say so.

        Parameters
        ----------
        progress : Progress
            Of the run.
        now : float
            On a clock in seconds.
        """
        if self._first is None or self.began is None or progress.kept > self._first.kept:
            self.began, self._first = now, progress
            return None
        mine = progress.done - self._first.done
        elapsed = now - self.began
        if mine < _SHARE * (progress.total - self._first.done) or elapsed < _SECONDS:
            return None
        return elapsed * (progress.total - progress.done) / mine


def in_words(seconds: float) -> str:
    """Return a length of time as people say it: ``40 s``, ``12 min``, ``3 h``, ``2.5 days``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 36 * 3600:
        hours = seconds / 3600
        return f"{hours:.1f} h" if hours < 10 and round(hours, 1) % 1 else f"{round(hours)} h"
    return f"{seconds / 86400:.1f} days"
