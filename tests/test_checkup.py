from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_srgan.cli import Finding, iter_checkup
from napari_srgan.inference import verify as verification
from napari_srgan.store import cache, load
from napari_srgan.store.cache import Fetch, Refuse, registry
from napari_srgan.store.self_test import SelfTest, make_self_test


@pytest.fixture
def shelf(random_model, monkeypatch):
    """Have every model be a small one with this self-test, on the CPU in two arithmetics."""
    made = random_model()
    right = make_self_test(made.network)
    monkeypatch.setattr(verification, "available_devices", lambda: ["cpu"])
    monkeypatch.setattr(verification, "half_precision", lambda device: torch.bfloat16)

    def put(*, off=0.0, tested=True):
        test = SelfTest(right.low, right.upscaled + np.float32(off)) if tested else None
        monkeypatch.setattr(
            load, "load_model", lambda name: replace(made, name=name, self_test=test)
        )

    return put


def test_every_model_is_verified_in_every_arithmetic_of_a_device(shelf):
    shelf()

    found = list(iter_checkup())

    assert not any(finding.wrong for finding in found)
    assert [finding.text.split(":")[0] for finding in found] == [
        f"{weights.name} on cpu, {precision}"
        for weights in registry()
        for precision in ("float32", "bfloat16")
    ]


def test_what_is_not_as_expected_is_wrong(shelf):
    shelf(off=0.1)

    assert all(finding.wrong for finding in iter_checkup())


def test_a_model_without_a_self_test_says_so(shelf):
    shelf(tested=False)

    for weights, finding in zip(registry(), iter_checkup(), strict=True):
        assert finding == Finding(False, f"{weights.name}: its file has no self-test.")


def test_nothing_is_downloaded(shelf, monkeypatch):
    shelf(off=0.1)
    monkeypatch.setattr(cache, "plan", lambda *_, **__: Fetch(("http://x",), Path("y")))

    for finding in iter_checkup():
        assert not finding.wrong
        assert "not downloaded" in finding.text


def test_a_file_that_is_missing_or_damaged_is_wrong(monkeypatch):
    monkeypatch.setattr(cache, "plan", lambda *_, **__: Refuse("The file is damaged."))
    assert all(finding.wrong for finding in iter_checkup())
    assert all("The file is damaged." in finding.text for finding in iter_checkup())
    monkeypatch.undo()

    def damaged(name):
        raise OSError("the digest is another")

    monkeypatch.setattr(load, "load_model", damaged)
    assert all(finding.wrong and "the digest" in finding.text for finding in iter_checkup())
