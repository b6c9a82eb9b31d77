"""The page in napari's preferences gives what the widget starts with."""

from pathlib import Path

import pytest
from napari.settings import get_plugin_settings

from napari_srgan.inference.settings import Settings
from napari_srgan.inference.values.rules import parse_normalize
from napari_srgan.plugin.preferences import PLUGIN, preferred_cache, preferred_choices
from napari_srgan.store.registry import DEFAULT_MODEL


@pytest.fixture
def page():
    return get_plugin_settings(PLUGIN).inference


def test_the_page_has_its_fields_with_titles_and_descriptions(page):
    fields = type(page).model_fields

    assert set(fields) == {"model", "device", "tile", "cache_folder"}
    assert all(field.title and field.description for field in fields.values())


def test_untouched_preferences_are_the_defaults():
    choices = preferred_choices()

    assert choices.model == DEFAULT_MODEL
    assert choices.settings == Settings()
    assert choices.cache is None
    assert parse_normalize(choices.normalize) == "auto"


def test_what_is_preferred_is_chosen(page):
    page.model, page.device, page.tile, page.cache_folder = "srgan-x4", "cuda", 96, "~/weights"

    choices = preferred_choices()
    assert choices.model == "srgan-x4"
    assert choices.settings == Settings(device="cuda", tile=96)
    assert choices.cache == Path("~/weights")


@pytest.mark.parametrize("folder", ["", "  "])
def test_a_blank_folder_is_the_systems(page, folder):
    page.cache_folder = folder

    assert preferred_cache() is None


@pytest.mark.parametrize(("field", "value"), [("device", "gpu"), ("tile", -1), ("tile", 100_000)])
def test_a_preference_out_of_range_is_refused(page, field, value):
    with pytest.raises(ValueError, match=field):
        setattr(page, field, value)
