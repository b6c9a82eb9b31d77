"""Dialogs that ask for OME-Zarr stores, which are folders."""

from __future__ import annotations

from pathlib import Path

_SUFFIX = ".ome.zarr"


def store_to_write(name: str) -> Path | None:
    """Ask where a store is to be written; None where nobody says."""
    from qtpy.QtWidgets import QFileDialog

    suggested = f"{name.replace('/', '-')}{_SUFFIX}"
    path, _ = QFileDialog.getSaveFileName(
        None, "Write to OME-Zarr", suggested, f"OME-Zarr (*{_SUFFIX})"
    )
    if not path:
        return None
    return Path(path if path.endswith(".zarr") else f"{path}{_SUFFIX}").absolute()


def store_to_open() -> Path | None:
    """Ask for a store; None where nobody says."""
    from qtpy.QtWidgets import QFileDialog

    path = QFileDialog.getExistingDirectory(None, "Open OME-Zarr with its pixel size")
    return Path(path) if path else None
