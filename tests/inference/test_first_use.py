import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_srgan.inference import verify
from napari_srgan.inference.verify import PASSED, first_use_note
from napari_srgan.store.self_test import SelfTest, make_self_test

CPU = torch.device("cpu")


@pytest.fixture
def model(random_model):
    made = random_model()
    return replace(made, self_test=make_self_test(made.network))


@pytest.fixture
def wrong(model):
    """Return the model with an expectation that it does not meet."""
    low, upscaled = model.self_test.low, model.self_test.upscaled
    return replace(model, self_test=SelfTest(low, upscaled + np.float32(0.1)))


@pytest.fixture
def runs(monkeypatch):
    """Return the self-tests that have been run, as model and precision."""
    run, real = [], verify.verify

    def counted(model, device, precision):
        run.append((model.name, precision))
        return real(model, device, precision)

    monkeypatch.setattr(verify, "verify", counted)
    return run


def test_a_pass_is_silent_and_not_run_again(model, runs, tmp_path, caplog):
    notes = [first_use_note(model, CPU, torch.float32, tmp_path / "new") for _ in range(3)]

    assert notes == ["", "", ""]
    assert len(runs) == 1
    assert caplog.text == ""
    assert [path.name for path in (tmp_path / "new").iterdir()] == [PASSED]


def test_a_failure_is_told_and_logged_and_run_again(wrong, runs, tmp_path, caplog):
    notes = [first_use_note(wrong, CPU, torch.float32, tmp_path) for _ in range(2)]

    assert len(runs) == 2
    assert "This computer's cpu in float32 computes something else" in notes[0]
    assert notes[0] == notes[1]
    assert caplog.text.count(notes[0]) == 2
    assert not (tmp_path / PASSED).exists()


def test_another_precision_torch_or_device_is_tested_anew(model, runs, tmp_path, monkeypatch):
    first_use_note(model, CPU, torch.float32, tmp_path)
    first_use_note(model, CPU, torch.bfloat16, tmp_path)
    monkeypatch.setattr(torch, "__version__", "99.0")
    first_use_note(model, CPU, torch.float32, tmp_path)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "ABACUS")
    first_use_note(model, CPU, torch.float32, tmp_path)
    assert len(runs) == 4

    for precision in (torch.float32, torch.bfloat16):
        monkeypatch.undo()
        first_use_note(model, CPU, precision, tmp_path)
    assert len(json.loads((tmp_path / PASSED).read_text())) == 4


def test_what_passed_before_is_remembered_beside_what_passes_now(model, runs, tmp_path):
    for precision in (torch.float32, torch.bfloat16, torch.float32, torch.bfloat16):
        first_use_note(model, CPU, precision, tmp_path)

    assert [precision for _, precision in runs] == [torch.float32, torch.bfloat16]


def test_a_pass_of_one_model_is_none_of_another(model, wrong, runs, tmp_path):
    assert first_use_note(model, CPU, torch.float32, tmp_path) == ""

    assert first_use_note(wrong, CPU, torch.float32, tmp_path) != ""


def test_without_a_self_test_nothing_is_run_or_written(random_model, runs, tmp_path):
    assert first_use_note(random_model(), CPU, torch.float32, tmp_path) == ""

    assert runs == []
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_stops_nothing(model, runs, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")

    with caplog.at_level(logging.INFO):
        notes = [first_use_note(model, CPU, torch.float32, tmp_path / "file") for _ in range(2)]

    assert notes == ["", ""]
    assert len(runs) == 1  # this process remembers
    assert "cannot be written" in caplog.text
    assert {record.levelname for record in caplog.records} == {"INFO"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe{}"])
def test_a_damaged_memory_is_begun_anew(model, runs, tmp_path, content):
    (tmp_path / PASSED).write_bytes(content)

    for _ in range(2):
        assert first_use_note(model, CPU, torch.float32, tmp_path) == ""

    assert len(runs) == 1


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("bad_alloc")],
)
def test_no_memory_for_it_says_nothing_and_is_no_pass(model, monkeypatch, tmp_path, error):
    def full(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(verify, "verify", full)
        assert first_use_note(model, CPU, torch.float32, tmp_path) == ""

    assert not (tmp_path / PASSED).exists()


def test_other_troubles_of_a_device_are_raised(model, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(verify, "verify", broken)
    with pytest.raises(RuntimeError, match="no kernel image"):
        first_use_note(model, CPU, torch.float32, tmp_path)


@pytest.mark.gpu
def test_a_gpu_and_the_cpu_are_tested_each(model, runs, tmp_path):
    from napari_srgan.inference.devices import choose_device

    for device in (CPU, choose_device("auto"), CPU, choose_device("auto")):
        assert first_use_note(model, device, torch.float32, tmp_path) == ""

    assert len(runs) == 2
