"""Processes that were forked: torch's threads are not copied with them, and are waited for."""

from __future__ import annotations

import os
import sys


class _Fork:
    """Whether this process was forked from one that had loaded torch."""

    after_torch = False


def _note_fork() -> None:
    _Fork.after_torch = "torch" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def compute_after_fork() -> None:
    """Make torch compute in this process even if it was forked, which is said in the log.

    To be called before torch is set to work. torch keeps threads once it has computed anything; a
    forked process has none of them, and would wait for them forever. With one thread, which it does
    the work itself with, it does not.
    """
    if not _Fork.after_torch:
        return
    _Fork.after_torch = False
    import logging  # neither is needed to watch for forks, which starts with the package

    import torch

    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
        logging.getLogger(__name__).warning(
            "This process was forked from one that had loaded torch, whose threads it does not "
            "have: it computes with one thread. To use all, start processes by spawn: "
            "multiprocessing.get_context('spawn')."
        )
