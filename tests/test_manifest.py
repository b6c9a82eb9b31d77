"""The manifest says what there is; the checks here are those that npe2 leaves out."""

import pkgutil
from importlib import resources
from pathlib import Path

import pytest
import yaml
from napari._app_model.constants._menus import is_menu_contributable
from npe2 import PluginManifest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_distribution("napari-srgan")


@pytest.fixture(scope="module")
def contributions():
    """The manifest as it is written: npe2 drops keys that it does not know."""
    text = (ROOT / "napari.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["contributions"]


def test_the_installed_manifest_is_the_one_at_the_top():
    installed = resources.files("napari_srgan").joinpath("napari.yaml").read_bytes()

    assert installed == (ROOT / "napari.yaml").read_bytes()


def test_npe2_finds_the_manifest_valid_and_its_names_importable(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-srgan"
    assert manifest.display_name == "SRGAN"


def test_every_command_names_something_to_call(manifest):
    for command in manifest.contributions.commands:
        assert callable(pkgutil.resolve_name(command.python_name)), command.id


def test_every_contribution_refers_to_a_command_and_every_command_is_referred_to(contributions):
    defined = {command["id"] for command in contributions["commands"]}
    kinds = "widgets", "readers", "writers", "sample_data"
    items = [item for kind in kinds for item in contributions[kind]]
    items += [item for menu in contributions["menus"].values() for item in menu]
    used = [item["command"] for item in items]

    assert set(used) == defined
    assert len(contributions["commands"]) == len(defined)


def test_commands_that_need_arguments_cannot_be_chosen_from_the_palette(contributions):
    """napari's command palette lists all, and calls them with a viewer at most."""
    called_with_a_path = {
        item["command"] for kind in ("readers", "writers") for item in contributions[kind]
    }
    disabled = {command["id"] for command in contributions["commands"] if command.get("enablement")}

    assert disabled == called_with_a_path


def test_napari_takes_menu_items_where_they_are_put(contributions):
    assert all(is_menu_contributable(menu) for menu in contributions["menus"])


def test_only_known_kinds_of_contributions_are_made(manifest, contributions):
    assert set(contributions) <= set(type(manifest.contributions).model_fields)


def test_the_widget_that_most_people_come_for_is_the_first(manifest):
    names = [widget.display_name for widget in manifest.contributions.widgets]

    assert names[0] == "SRGAN upscale"
    assert names[1:] == ["SRGAN lens", "SRGAN compare", "SRGAN train"]


def test_the_reader_is_asked_about_every_suffix_that_it_reads(contributions):
    from napari_srgan.store.registry import MODEL_SUFFIXES

    (reader,) = contributions["readers"]
    suffixes = {pattern.removeprefix("*") for pattern in reader["filename_patterns"]}

    assert suffixes == set(MODEL_SUFFIXES)
    assert not reader["accepts_directories"]


def test_the_devices_to_prefer_are_devices(contributions):
    from napari_srgan.inference.devices import choose_devices

    (page,) = contributions["configurations"].values()
    properties = page["properties"]
    for name in properties["device"]["enum"]:
        try:
            choose_devices(name)
        except ValueError as error:
            assert "not available here" in str(error)  # noqa: PT017  # it is a device, elsewhere


def test_the_preferred_model_is_one_that_ships(contributions):
    from napari_srgan.store.cache import registry
    from napari_srgan.store.registry import DEFAULT_MODEL

    (page,) = contributions["configurations"].values()

    assert page["properties"]["model"]["default"] == DEFAULT_MODEL
    assert DEFAULT_MODEL in [weights.name for weights in registry()]
