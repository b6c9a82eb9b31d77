import os
import shutil

import pytest

from napari_srgan.store import load as library
from napari_srgan.store import registry
from napari_srgan.store.checkpoint import CheckpointError, save_checkpoint
from napari_srgan.store.load import load_model, remember
from napari_srgan.store.registry import DEFAULT_MODEL, info_of, list_models


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(registry, "own_models", {})
    library.forget_loaded()


@pytest.fixture
def file(random_network, tmp_path):
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, random_network(), {})
    return path


def test_the_default_model_is_listed_first_and_can_be_loaded_offline(monkeypatch):
    monkeypatch.setenv("NAPARI_SRGAN_OFFLINE", "1")

    model = load_model(DEFAULT_MODEL)

    assert list_models()[0] == DEFAULT_MODEL == model.name
    assert model.scale == 4
    assert not model.generative


def test_every_listed_model_says_what_it_is_for(file):
    remember(file)

    assert all(info_of(name).purpose for name in list_models())
    assert str(file) in info_of("mine").purpose


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_path_is_loaded(file, kind):
    assert load_model(kind(file)).name == "mine"


def test_a_path_below_the_home_folder_is_found(file, monkeypatch):
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.setenv("USERPROFILE", str(file.parent))

    assert load_model("~/mine.safetensors").name == "mine"


def test_a_file_without_a_known_suffix_is_loaded_by_its_content(file):
    other = file.rename(file.with_name("epoch-7"))

    assert load_model(str(other)).name == "epoch-7"


def test_a_model_is_passed_through(random_model):
    model = random_model()

    assert load_model(model) is model


def test_an_unknown_name_gets_the_nearest_and_all_names():
    with pytest.raises(
        ValueError, match=f"no model named 'srresnet_x4'; did you mean '{DEFAULT_MODEL}'"
    ):
        load_model("srresnet_x4")


@pytest.mark.parametrize("name", ["qqqq", "", "."])
def test_a_name_like_no_other_gets_the_list_alone(name):
    with pytest.raises(
        ValueError, match=f"no model named '{name}'. Models: {DEFAULT_MODEL}"
    ) as caught:
        load_model(name)

    assert "did you mean" not in str(caught.value)


def test_a_folder_of_a_models_name_is_not_taken_for_it(tmp_path, monkeypatch):
    (tmp_path / "srresnet").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match="did you mean 'srresnet-x4'"):
        load_model("srresnet")


def test_a_file_of_a_listed_name_does_not_hide_the_listed_model(file, monkeypatch):
    file.rename(file.with_name(DEFAULT_MODEL))
    monkeypatch.chdir(file.parent)

    assert load_model(DEFAULT_MODEL).network.blocks == 16


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No model file at .*gone\.pth"):
        load_model(tmp_path / "gone.pth")


def test_the_purpose_of_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'nobody'"):
        info_of("nobody")


def test_whether_a_model_invents_texture_is_known_without_loading_it(random_network, tmp_path):
    path = tmp_path / "dreamer.safetensors"
    save_checkpoint(path, random_network(), {"invents": "true"})
    name = remember(path)
    path.unlink()

    assert info_of(name).generative
    assert not info_of(DEFAULT_MODEL).generative
    with pytest.raises(ValueError, match="'nobody'"):
        info_of("nobody")


# Files of the session


def test_a_remembered_file_is_listed_and_loaded_by_its_name(file):
    name = remember(file)

    assert list_models()[-1] == name == "mine"
    assert load_model(name).name == "mine"


def test_a_file_is_remembered_once_however_it_is_named(file, monkeypatch):
    monkeypatch.chdir(file.parent)

    assert remember(file) == remember(file.relative_to(file.parent)) == "mine"
    assert list_models().count("mine") == 1


def test_another_file_of_the_same_name_gets_a_number(file, random_network, tmp_path):
    twin = tmp_path / "other" / file.name
    twin.parent.mkdir()
    save_checkpoint(twin, random_network(blocks=3), {})

    assert (remember(file), remember(twin)) == ("mine", "mine (2)")
    assert load_model("mine (2)").name == "mine (2)"
    assert load_model("mine (2)").network.blocks == 3
    assert load_model("mine").network.blocks == 2


def test_a_file_keeps_its_name_whatever_its_metadata_say(random_network, tmp_path):
    path = tmp_path / "my model.safetensors"
    save_checkpoint(path, random_network(), {"name": DEFAULT_MODEL})

    assert remember(path) == "my model"
    assert load_model("my model").name == "my model"


def test_a_file_cannot_take_the_name_of_a_model_that_ships(random_network, tmp_path):
    path = tmp_path / f"{DEFAULT_MODEL}.safetensors"
    save_checkpoint(path, random_network(), {})

    assert remember(path) == f"{DEFAULT_MODEL} (2)"
    assert load_model(DEFAULT_MODEL).network.blocks == 16


def test_what_is_no_model_is_not_remembered(tmp_path):
    path = tmp_path / "page.safetensors"
    path.write_text("<html>")

    with pytest.raises(CheckpointError, match="web page"):
        remember(path)

    assert "page" not in list_models()


def test_a_remembered_file_that_is_gone_is_named(file):
    name = remember(file)
    file.unlink()

    with pytest.raises(FileNotFoundError, match=r"mine\.safetensors"):
        load_model(name)


# Loading once


def test_a_file_is_loaded_once(file):
    assert load_model(file).network is load_model(str(file)).network


def test_a_file_that_has_changed_is_loaded_again(file, random_network):
    before = load_model(file)

    save_checkpoint(file, random_network(blocks=3), {})

    assert before.network.blocks == 2
    assert load_model(file).network.blocks == 3


def test_a_file_that_changed_but_not_its_size_is_loaded_again(file, random_network):
    before, status = load_model(file), file.stat()

    save_checkpoint(file, random_network(seed=1), {})
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 10_000_000))

    assert file.stat().st_size == status.st_size
    assert not (load_model(file).network.tail.last.weight == before.network.tail.last.weight).all()


def test_a_file_of_the_same_relative_path_in_another_folder_is_another(
    file, random_network, tmp_path, monkeypatch
):
    twin = tmp_path / "other" / file.name
    twin.parent.mkdir()
    save_checkpoint(twin, random_network(seed=1), {})
    shutil.copystat(file, twin)

    monkeypatch.chdir(file.parent)
    one = load_model(file.name)
    monkeypatch.chdir(twin.parent)
    other = load_model(file.name)

    assert not (one.network.tail.last.weight == other.network.tail.last.weight).all()


def test_a_scale_given_as_a_name_gives_the_models_that_have_it():
    with pytest.raises(ValueError, match=r"named 'x4'; models that enlarge by 4: srresnet-x4, "):
        load_model("x4")
    with pytest.raises(ValueError, match=r"named 'x2'; models that enlarge by 2: mdsr\."):
        load_model("x2")
    with pytest.raises(ValueError, match=r"'x8', and none enlarges by 8: there is ×2, ×3, ×4\."):
        load_model("x8")


def test_a_scale_that_a_model_has_not_names_those_that_have_it():
    with pytest.raises(ValueError, match=r"enlarges by 4, not by 2\. Models that do: mdsr\."):
        load_model("srresnet-small-x4", scale=2)
