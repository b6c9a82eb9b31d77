from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest

from napari_srgan.training.config import (
    Recipe,
    SRGANPhase,
    every_setting,
    from_settings,
    load_recipe,
    recipe_names,
    settings_of,
)

PAPER = {"srresnet-mse", "srresnet-vgg22", "srgan-mse", "srgan-vgg22", "srgan-vgg54"}


def text_of(recipe: str) -> str:
    return (files("napari_srgan.training") / "recipes" / f"{recipe}.toml").read_text("utf-8")


def test_the_five_networks_of_table_1_have_recipes() -> None:
    assert set(recipe_names()) >= PAPER | {"smoke"}


@pytest.mark.parametrize("name", sorted(PAPER))
def test_a_recipe_of_the_paper_has_its_numbers(name: str) -> None:
    recipe = load_recipe(name)
    assert (recipe.network.blocks, recipe.network.features, recipe.network.scale) == (16, 64, 4)
    assert (recipe.data.batch, recipe.data.crop) == (16, 96)
    first = recipe.srresnet
    assert (first.steps, first.learning_rate, first.beta1) == (10**6, 1e-4, 0.9)
    assert (first.schedule, first.warmup, first.start) == ("constant", 0, "paper")
    assert first.loss == ("vgg22" if name == "srresnet-vgg22" else "mse")
    assert recipe.vgg_scale == pytest.approx(1 / 12.75)
    if name.startswith("srgan"):
        second = recipe.srgan
        assert second is not None
        assert second.content == name.removeprefix("srgan-")
        assert (second.steps, second.drop_at) == (2 * 10**5, 10**5)
        assert (second.learning_rate, second.beta1, second.adversarial_weight) == (1e-4, 0.9, 1e-3)
    else:
        assert recipe.srgan is None


@pytest.mark.parametrize("name", sorted(PAPER))
def test_every_number_of_the_paper_is_cited(name: str) -> None:
    for line in text_of(name).splitlines():
        if re.match(r"(steps|learning_rate|beta1|blocks|features|batch|crop|drop_at)", line):
            assert re.search(r"#.*(§3\.2|Fig\. 4)", line), line


def test_the_defaults_are_the_papers_srgan() -> None:
    given, default = (
        settings_of(load_recipe("srgan-vgg54")),
        settings_of(Recipe(srgan=SRGANPhase())),
    )
    assert given.pop("precision") == "float32"
    assert default.pop("precision") == "auto"
    assert given == default


@pytest.mark.parametrize("name", sorted(PAPER | {"smoke", "srresnet-quick"}))
def test_a_recipe_spells_out_every_setting(name: str) -> None:
    spelled = tomllib.loads(text_of(name))
    flat = {
        f"{key}.{inner}" if isinstance(value, dict) else key
        for key, value in spelled.items()
        for inner in (value if isinstance(value, dict) else [""])
    }
    expected = {key for key in every_setting() if "srgan" in spelled or "srgan." not in key}
    assert flat == expected


def test_every_setting_is_described() -> None:
    assert all(text for _kind, text in every_setting().values())


def test_settings_make_the_recipe_that_they_are_of() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        assert from_settings(settings_of(recipe)) == recipe


def test_a_recipes_settings_can_be_replaced() -> None:
    recipe = load_recipe("srgan-mse", {"srgan.steps": 7, "seed": 3, "srresnet.learning_rate": 1})
    assert recipe.srgan is not None
    assert (recipe.srgan.steps, recipe.seed, recipe.srresnet.learning_rate) == (7, 3, 1.0)


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'srresnet-mse'"):
        load_recipe("srresnet-mes")


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'srgan\.content'"):
        load_recipe("srgan-mse", {"srgan.contents": "mse"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"srresnet.steps": "many"}, "srresnet.steps takes int"),
        ({"srresnet.steps": True}, "srresnet.steps takes int"),
        ({"srresnet.steps": 0}, "srresnet.steps must be above 0"),
        ({"data.crop": 90}, "multiple of the scale 4"),
        ({"data.crop": 24, "srgan.steps": 1}, "in sixteens"),
        ({"srresnet.loss": "l3"}, "srresnet.loss must be one of mse, l1"),
        ({"srgan.content": "vgg33"}, "srgan.content must be one of"),
        ({"srresnet.warmup": 10, "srresnet.steps": 10}, "warmup must be within"),
        ({"srresnet.learning_rate": -1.0}, "srresnet.learning_rate must be above 0"),
        ({"ema": 1.0}, "ema must be"),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_takes(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        from_settings(settings)


def test_a_recipe_file_is_read_and_broken_toml_is_named(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("seed = 3\n[srresnet]\nsteps = 7\n")
    assert settings_of(load_recipe(path))["srresnet.steps"] == 7
    path.write_text("steps = = 7")
    with pytest.raises(ValueError, match=r"mine.toml is not valid TOML"):
        load_recipe(path)
