"""Models that a person has added are there in the next session, until they are forgotten."""

import json

import pytest

from napari_srgan.store import registry
from napari_srgan.store.checkpoint import save_checkpoint
from napari_srgan.store.load import load_model, remember
from napari_srgan.store.own_models import (
    FILE,
    forget_own_model,
    keep_own_models,
    recall_own_models,
)
from napari_srgan.store.registry import info_of, list_models


@pytest.fixture
def added(tmp_path, random_network, monkeypatch):
    """Return the file of a model that has been added."""
    monkeypatch.setattr(registry, "own_models", {})
    path = tmp_path / "my own.safetensors"
    save_checkpoint(path, random_network(), {"invents": "true", "licence": "CC0-1.0"})
    remember(path)
    return path


def test_they_are_recalled_with_all_that_was_known(added, tmp_path):
    before = vars(info_of("my own"))
    keep_own_models(tmp_path / "cache")
    registry.own_models.clear()
    recall_own_models(tmp_path / "cache")

    assert vars(info_of("my own")) == before
    assert load_model("my own").generative


def test_a_list_of_an_earlier_version_is_recalled(added, tmp_path):
    keep_own_models(tmp_path)
    entries = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    for entry in entries:
        del entry["scales"]
    (tmp_path / FILE).write_text(json.dumps(entries), encoding="utf-8")
    registry.own_models.clear()
    recall_own_models(tmp_path)

    assert info_of("my own").scales == (4,)


def test_what_was_added_meanwhile_keeps_its_name(added, tmp_path):
    keep_own_models(tmp_path)
    recall_own_models(tmp_path)

    assert list_models().count("my own") == 1


def test_one_whose_file_is_gone_is_left_out(added, tmp_path):
    keep_own_models(tmp_path)
    registry.own_models.clear()
    added.unlink()
    recall_own_models(tmp_path)

    assert registry.own_models == {}


def test_one_that_is_forgotten_stays_away_and_its_file_stays(added, tmp_path):
    keep_own_models(tmp_path)
    forget_own_model("my own", tmp_path)
    recall_own_models(tmp_path)

    assert registry.own_models == {}
    assert added.is_file()
    with pytest.raises(ValueError, match="'srresnet-x4' is none of the models that were added"):
        forget_own_model("srresnet-x4", tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[{}]", "[3]", "3", json.dumps([{"name": "a", "path": "b", "scale": True}])]
)
def test_a_list_that_cannot_be_read_is_logged_and_adds_nothing(added, tmp_path, caplog, text):
    registry.own_models.clear()
    (tmp_path / FILE).write_text(text)
    recall_own_models(tmp_path)

    assert registry.own_models == {}
    assert f"{FILE} cannot be read" in caplog.text


def test_without_a_list_there_is_nothing_to_recall(tmp_path, caplog):
    recall_own_models(tmp_path / "nowhere")

    assert caplog.text == ""
