from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest

from napari_srgan.models.families import FAMILIES
from napari_srgan.training.citations import citations_of
from napari_srgan.training.config import (
    Adversarial,
    Recipe,
    current_names,
    every_setting,
    from_settings,
    headings,
    load_recipe,
    recipe_names,
    resolve,
    settings_of,
)
from napari_srgan.training.run.trainers import build_network

OTHER_PAPERS = {"srcnn", "espcn", "drcn", "edsr-baseline", "edsr-8", "mdsr", "report-srgan"}
PAPER = {"srresnet-mse", "srresnet-vgg22", "srgan-mse", "srgan-vgg22", "srgan-vgg54"}


def text_of(recipe: str) -> str:
    return (files("napari_srgan.training") / "recipes" / f"{recipe}.toml").read_text("utf-8")


def test_the_five_networks_of_table_1_have_recipes() -> None:
    assert set(recipe_names()) >= PAPER | {"smoke"}


@pytest.mark.parametrize("name", sorted(PAPER))
def test_a_recipe_of_the_paper_has_its_numbers(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.network.family == "srresnet"
    assert recipe.network.arguments == {
        "blocks": 16, "features": 64, "channels": 3, "scale": 4, "batch_norm": True
    }  # fmt: skip
    assert (recipe.data.batch, recipe.data.crop) == (16, 96)
    first = recipe.pretrain
    assert (first.steps, first.learning_rate, first.beta1) == (10**6, 1e-4, 0.9)
    assert (first.schedule, first.warmup, first.start) == ("constant", 0, "paper")
    assert first.content_loss == ("vgg22" if name == "srresnet-vgg22" else "mse")
    assert first.variation_weight == (2e-8 if name == "srresnet-vgg22" else 0)
    assert recipe.vgg_scale == pytest.approx(1 / 12.75)
    assert recipe.precision == "float32"
    if name.startswith("srgan"):
        second = recipe.adversarial
        assert second is not None
        assert second.content_loss == name.removeprefix("srgan-")
        assert (second.steps, second.drop_at) == (2 * 10**5, 10**5)
        assert (second.learning_rate, second.beta1, second.adversarial_weight) == (1e-4, 0.9, 1e-3)
    else:
        assert recipe.adversarial is None


def test_the_reports_generator_has_its_parameters() -> None:
    network = build_network(load_recipe("report-srgan"))
    values = [v for key, v in network.state_dict().items() if not key.endswith("tracked")]
    assert sum(value.numel() for value in network.parameters()) == 1_341_571
    assert sum(value.numel() for value in values) == 1_344_643


def test_the_reports_edsr_is_validated_as_it_says() -> None:
    recipe = load_recipe("edsr-8")
    chosen = recipe.validation
    assert (chosen.images, chosen.take, chosen.best_by) == (10, "first", "psnr")
    assert chosen.restore_best
    assert load_recipe("edsr-gan").adversarial == load_recipe("srgan-vgg54").adversarial
    assert (recipe.network.arguments["blocks"], recipe.pretrain.steps) == (8, 300_000)


def test_edsrs_baseline_has_its_papers_numbers() -> None:
    recipe = load_recipe("edsr-baseline")
    assert recipe.network.arguments == {
        "blocks": 16, "features": 64, "channels": 3, "scale": 4, "residual_scaling": 1.0
    }  # fmt: skip
    assert (recipe.data.batch, recipe.data.crop // recipe.network.scale) == (16, 48)
    phase = recipe.pretrain
    assert (phase.learning_rate, phase.schedule, phase.halve_every) == (1e-4, "halving", 200_000)
    assert (phase.beta1, phase.beta2, phase.content_loss) == (0.9, 0.999, "l1")


def test_every_number_of_a_paper_is_cited() -> None:
    for setting in resolve("srgan-vgg54"):
        number = type(setting.value) in (int, float)
        is_papers = setting.name.endswith(
            ("steps", "rate", "beta1", "blocks", "features", "batch", "crop", "drop_at", "scale")
        )
        if number and is_papers:
            assert re.search(r"§3|Fig\. 4", setting.text), setting


@pytest.mark.parametrize("name", sorted(OTHER_PAPERS))
def test_what_a_recipe_of_another_paper_sets_is_cited_or_said_to_be_ours(name: str) -> None:
    for setting in resolve(name):
        if setting.source == name:
            assert re.search(r"§|eq\.|not (in )?the (paper|report)", setting.text), setting
    assert re.match(rf"{name}: .*(arXiv|Guo and Zhou)", headings(name)[0])


def test_a_citation_is_the_comment_behind_a_value() -> None:
    text = 'a = "x # y"  # §1\nb = 2\n[table]\n# c = 4  # no\nc = [1, 2] # §2: "3 # 4"\n'
    assert citations_of(text) == {"a": "§1", "table.c": '§2: "3 # 4"'}


def test_the_defaults_are_the_papers_srgan() -> None:
    given, default = (
        settings_of(load_recipe("srgan-vgg54")),
        settings_of(Recipe(adversarial=Adversarial())),
    )
    assert given.pop("precision") == "float32"
    assert default.pop("precision") == "auto"
    assert given == default


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_holds_its_differences_alone(name: str) -> None:
    values = tomllib.loads(text_of(name))
    base = values.pop("base", None)
    inherited = {} if base is None else settings_of(load_recipe(base))
    defaults = settings_of(Recipe(adversarial=Adversarial()))
    cited = OTHER_PAPERS  # whose numbers may happen to be defaults here
    for table, value in values.items():
        for key, given in value.items() if isinstance(value, dict) else [("", value)]:
            setting = f"{table}.{key}" if key else table
            if name not in cited and setting != "adversarial.content_loss":
                assert inherited.get(setting, defaults[setting]) != given, setting


# Bases


def recipe_file(folder, name: str, text: str):
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_file_may_differ_from_a_shipped_recipe_or_from_a_file_beside_it(tmp_path) -> None:
    recipe_file(tmp_path, "first", 'base = "srgan-mse"\nseed = 3\n[pretrain]\nsteps = 7\n')
    second = recipe_file(tmp_path, "second", 'base = "first.toml"\n[pretrain]\nwarmup = 2\n')
    recipe = load_recipe(second, {"ema": 0.5})
    assert (recipe.seed, recipe.pretrain.steps, recipe.pretrain.warmup) == (3, 7, 2)
    assert recipe.adversarial is not None
    sources = {setting.name: setting.source for setting in resolve(second, {"ema": 0.5})}
    assert sources["ema"] == "--set"
    assert sources["pretrain.warmup"] == str(second)
    assert sources["pretrain.steps"] == str(tmp_path / "first.toml")
    assert sources["adversarial.content_loss"] == "srgan-mse"
    assert sources["precision"] == "srresnet-mse"
    assert sources["pretrain.beta1"] == "default"


def test_another_family_inherits_no_arguments(tmp_path) -> None:
    path = recipe_file(
        tmp_path,
        "mine",
        'base = "smoke"\n[network]\nfamily = "edsr"\n[pretrain]\nstart = "paper"\n',
    )
    recipe = load_recipe(path)
    assert (recipe.network.family, recipe.network.arguments["blocks"]) == ("edsr", 16)
    assert recipe.data.crop == 48


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('base = "mine.toml"', "is its own base"),
        ('base = "srgan-msi"', "did you mean 'srgan-mse'"),
        ("base = 3", "base takes the name of a recipe; got 3"),
        ("[adversarial]", r"the table \[adversarial\] is empty"),
        (
            '[network]\nfamily = "vdsr"',
            f"network.family must be one of {', '.join(FAMILIES)}; got 'vdsr'",
        ),
        ("[network]\nresidual_scaling = 0.1", "Unknown setting 'network.residual_scaling'"),
        ('[network]\nfamily = "edsr"\nbatch_norm = true', "Unknown setting 'network.batch_norm'"),
        ('[network]\nfamily = "edsr"\nscale = 2.0', "network.scale takes int"),
        (
            '[network]\nfamily = "espcn"\n[pretrain]\nstart = "interpolation"',
            "families srresnet, srcnn, edsr, mdsr",
        ),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(tmp_path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_recipe(recipe_file(tmp_path, "mine", text))


# Former names


def test_former_names_are_read_with_a_warning(tmp_path, caplog) -> None:
    path = recipe_file(
        tmp_path, "mine",
        '[srresnet]\noptimiser = "muon"\nloss = "l1"\nnorms = "running"\nsteps = 5\n'
        '[srgan]\ncontent = "mse"\nnorms = "batch"\nshift = 4\n',
    )  # fmt: skip
    recipe = load_recipe(path)
    assert recipe.pretrain.optimizer == "muon"
    assert (recipe.pretrain.content_loss, recipe.pretrain.batch_norm) == ("l1", "frozen")
    assert recipe.adversarial is not None
    assert (recipe.adversarial.content_loss, recipe.adversarial.batch_norm) == ("mse", "train")
    assert recipe.adversarial.random_translation == 4
    assert "The setting srresnet.loss is called pretrain.content_loss today" in caplog.text
    assert len(caplog.records) == 7


def test_a_setting_under_both_names_is_refused() -> None:
    with pytest.raises(ValueError, match=r"srresnet.steps is pretrain.steps today, and both"):
        current_names({"srresnet.steps": 1, "pretrain.steps": 2})


def test_the_settings_of_a_former_run_are_read_in_silence(caplog) -> None:
    assert from_settings({"srresnet.steps": 7}).pretrain.steps == 7
    assert not caplog.records


def test_every_setting_is_described() -> None:
    assert all(text for _kind, text in every_setting().values())


def test_settings_make_the_recipe_that_they_are_of() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        assert from_settings(settings_of(recipe)) == recipe


def test_a_recipes_settings_can_be_replaced() -> None:
    recipe = load_recipe(
        "srgan-mse", {"adversarial.steps": 7, "seed": 3, "pretrain.learning_rate": 1}
    )
    assert recipe.adversarial is not None
    assert (recipe.adversarial.steps, recipe.seed, recipe.pretrain.learning_rate) == (7, 3, 1.0)


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'srresnet-mse'"):
        load_recipe("srresnet-mes")


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'adversarial\.content_loss'"):
        load_recipe("srgan-mse", {"adversarial.content_los": "mse"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pretrain.steps": "many"}, "pretrain.steps takes int"),
        ({"pretrain.steps": True}, "pretrain.steps takes int"),
        ({"pretrain.steps": 0}, "pretrain.steps must be above 0"),
        ({"data.crop": 90}, "multiple of the scale 4"),
        ({"data.crop": 24, "adversarial.steps": 1}, "in sixteens"),
        ({"pretrain.content_loss": "l3"}, "pretrain.content_loss must be one of mse, l1"),
        ({"adversarial.content_loss": "vgg33"}, "adversarial.content_loss must be one of"),
        ({"pretrain.warmup": 10, "pretrain.steps": 10}, "warmup must be within"),
        ({"pretrain.learning_rate": -1.0}, "pretrain.learning_rate must be above 0"),
        ({"ema": 1.0}, "ema must be"),
        ({"ema": float("nan")}, "ema must be a finite number; got nan"),
        ({"adversarial.beta2": 1.0}, "adversarial.beta2 must be from 0 up to 1; got 1.0"),
        ({"pretrain.beta1": -0.1}, "pretrain.beta1 must be from 0 up to 1"),
        ({"pretrain.learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"pretrain.learning_rate": float("inf")}, "learning_rate must be a finite number"),
        ({"adversarial.adversarial_weight": float("nan")}, "must be a finite number"),
        ({"adversarial.grid_weight": -1.0}, "adversarial.grid_weight must be 0 or more"),
        ({"adversarial.drop_at": -1}, "adversarial.drop_at must be 0 or more"),
        ({"vgg_scale": 0.0}, "vgg_scale must be above 0"),
        ({"seed": 2**70}, "seed must be at most"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_takes(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        from_settings(settings)


def test_a_recipe_file_is_read_and_broken_toml_is_named(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("seed = 3\n[pretrain]\nsteps = 7\n")
    assert settings_of(load_recipe(path))["pretrain.steps"] == 7
    path.write_text("steps = = 7")
    with pytest.raises(ValueError, match=r"mine.toml is not valid TOML"):
        load_recipe(path)
