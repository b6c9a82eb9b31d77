"""The cards' numbers are those that the weights measure, and one that is not is named."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from napari_srgan.resampling import shrink
from napari_srgan.store.checkpoint import save_checkpoint
from napari_srgan.store.registry import parse_registry

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
CARD = f"# A card\n\n{BEGIN}\n{END}\n\nProse: 3.14 of it.\n\n{BEGIN}\nold\n{END}\n\nLimits.\n"
TEXTS = {".md", ".json"}
README = f"# Title\n\n{BEGIN}\n{END}\n\nMore.\n"


@pytest.fixture
def measured(tool):
    return tool("measured")


@pytest.fixture
def cards(tool):
    return tool("cards")


@pytest.fixture
def benchmarks(tmp_path):
    """Both data sets, each of one image a little larger than a window of the measures."""
    for seed, name in enumerate(("Set5", "Set14")):
        folder = tmp_path / "benchmarks" / name
        folder.mkdir(parents=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)
        high = np.asarray(Image.fromarray(coarse).resize((40, 32), Image.Resampling.BICUBIC))
        Image.fromarray(high).save(folder / "img_001_SRF_4_HR.png")
        Image.fromarray(shrink(high)).save(folder / "img_001_SRF_4_LR.png")
    return tmp_path / "benchmarks"


@pytest.fixture
def checkout(tmp_path, random_network):
    """A checkout of two tiny models, nothing derived yet, and one that is not bundled."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "comparison.md").write_text(CARD)
    entries = []
    for features, name in ((4, "srresnet-x4"), (8, "other-x4")):
        network = random_network(blocks=1, features=features)
        save_checkpoint(weights / f"{name}.safetensors", network, {})
        (weights / f"{name}.md").write_text(CARD)
        entries.append(
            {
                "name": name,
                "purpose": f"Faithful, ×4: {name}",
                "file": f"{name}.safetensors",
                "urls": [],
                "sha256": "0" * 64,
                "size": 1,
                "licence": "BSD-3-Clause",
                "training_data": "None",
                "scale": 4,
                "scales": [4],
                "metrics": {"Old": {"psnr": 30.0}},
                "family": "srresnet",
                "generative": False,
                "uncertainty": None,
            }
        )
    away = {**entries[0], "name": "away-x4", "file": None, "urls": ["https://example.org/away"]}
    (weights / "registry.json").write_text(json.dumps([*entries, away]))
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def brightness(upscaled, reference):
    return float(abs(upscaled.mean() - reference.mean()))


DISTANCES = {"lpips_alex": brightness, "lpips_vgg": brightness, "dists": brightness}


@pytest.fixture
def filled(cards, checkout, benchmarks, capsys):
    assert cards.run(checkout, benchmarks, DISTANCES, check=False) == 0
    capsys.readouterr()
    return checkout


def named(cards, checkout, benchmarks, capsys, distances=DISTANCES):
    """Return what a check names."""
    capsys.readouterr()
    status = cards.run(checkout, benchmarks, distances, check=True)
    found = capsys.readouterr().out.rpartition("\n\n")[2].splitlines()
    assert status == (found != ["Every number is as measured."])
    return found if status else []


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_filled_checkout_passes_the_check_and_filling_again_changes_nothing(
    cards, filled, benchmarks, capsys
):
    assert named(cards, filled, benchmarks, capsys) == []
    before = {path: path.read_bytes() for path in filled.rglob("*.*")}
    cards.run(filled, benchmarks, DISTANCES, check=False)
    assert {path: path.read_bytes() for path in filled.rglob("*.*")} == before


def test_the_card_of_a_model_with_a_law_says_how_true_it_is(cards, checkout, benchmarks, capsys):
    registry = checkout / "weights" / "registry.json"
    entries = json.loads(registry.read_text())
    entries[1]["uncertainty"] = [2.0, 0.9]
    registry.write_text(json.dumps(entries))
    card = checkout / "weights" / "other-x4.md"
    with pytest.raises(ValueError, match="has 2 derived parts and should have 3"):
        cards.run(checkout, benchmarks, DISTANCES, check=False)
    card.write_text(f"{CARD}\n{BEGIN}\n{END}\n")
    cards.run(checkout, benchmarks, DISTANCES, check=False)

    part = card.read_text().rpartition(BEGIN)[2]
    assert "calibrate --model other-x4 --data BENCHMARKS --hold" in part
    assert "error to expect = 2 · spread ^ 0.9" in part
    assert "images            2" in part
    replace(card, "found / expected  ", "found / expected  9")
    found = named(cards, checkout, benchmarks, capsys)
    assert found
    assert all(line.startswith("other-x4.md: found / expected") for line in found)


def test_the_registry_gets_what_the_files_are_and_measure(filled):
    first, second, away = parse_registry((filled / "weights" / "registry.json").read_text())
    for one in (first, second):
        content = (filled / "weights" / one.file).read_bytes()
        assert (one.sha256, one.size) == (hashlib.sha256(content).hexdigest(), len(content))
        assert list(one.metrics) == ["Set5", "Set14"]
    assert first.metrics != second.metrics
    assert set(first.metrics["Set5"]) == {
        "psnr",
        "ssim_daala",
        "ssim_wang",
        "perceptual",
        "high_frequency",
        "colour_drift",
        "checkerboard",
        "flat_noise",
        "outside",
        *DISTANCES,
    }
    assert away.metrics == {"Old": {"psnr": 30.0}}


def test_cards_keep_their_prose_and_compare_their_model_with_interpolation(filled):
    card = (filled / "weights" / "other-x4.md").read_text()
    assert card.startswith("# A card\n")
    assert "\n\nProse: 3.14 of it.\n\n" in card
    assert card.endswith(f"```\n{END}\n\nLimits.\n")
    assert "old" not in card
    assert "evaluate --model other-x4 " in card
    rows = [line.split()[:2] for line in card.splitlines() if line.startswith("Set5")]
    assert rows == [["Set5", "nearest"], ["Set5", "bicubic"], ["Set5", "other-x4"]]


def test_the_readme_lists_bicubic_then_the_models_with_their_relative_cost(filled):
    lines = (filled / "README.md").read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")][2:]
    assert [row[0].split("`")[1] if "`" in row[0] else row[0].strip() for row in rows] == [
        "bicubic",
        "srresnet-x4",
        "other-x4",
    ]
    costs = [row[-1].strip() for row in rows]
    assert costs[1] == "1.00"
    assert float(costs[2]) > 2
    assert lines[-1] == "More."


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("registry.json", '"size": ', '"size": 1', "srresnet-x4, size is 1"),
        ("registry.json", '"colour_drift": ', '"colour_drift": 9', "Set5 colour_drift is 9"),
        ("registry.json", '"metrics": {', '"metrics": {"B": {"psnr": 1.0},', "B psnr is 1.00"),
        ("srresnet-x4.md", "sha256 | `", "sha256 | `x", "srresnet-x4.md: sha256 is `x"),
        ("srresnet-x4.md", "bicubic        ", "bicubic       9", "Set14, bicubic: PSNR dB is 9"),
        ("srresnet-x4.md", "Set5      nearest", "Set6      nearest", "Set6, nearest does not"),
        ("../README.md", "| 1.00 |", "| 1.02 |", "x4.md): cost is 1.02, measured 1.00"),
        ("../README.md", "Faithful", "Fateful", "for is Fateful"),
    ],
)
def test_what_was_changed_is_named(cards, filled, benchmarks, capsys, file, old, new, expected):
    replace(filled / "weights" / file, old, new)
    found = named(cards, filled, benchmarks, capsys)
    assert any(expected in line for line in found)


def test_without_networks_all_else_is_checked_and_nothing_filled_in(
    cards, filled, benchmarks, capsys
):
    assert named(cards, filled, benchmarks, capsys, {}) == []
    replace(filled / "README.md", "| Set5 LPIPS |", "| Set5 LPIPS  |")
    replace(filled / "weights" / "registry.json", '"psnr": ', '"psnr": 1')
    assert len(named(cards, filled, benchmarks, capsys, {})) == 1
    with pytest.raises(FileNotFoundError, match=r"^LPIPS-Alex, LPIPS-VGG: .* fetch "):
        cards.run(filled, benchmarks, {"dists": brightness}, check=False)


def test_checking_writes_nothing(cards, checkout, benchmarks, capsys):
    before = {path: path.read_bytes() for path in checkout.rglob("*.*")}
    assert len(named(cards, checkout, benchmarks, capsys)) > 20
    assert {path: path.read_bytes() for path in checkout.rglob("*.*")} == before


def test_other_weights_under_the_same_name_are_noticed(
    cards, filled, benchmarks, capsys, random_network
):
    path = filled / "weights" / "other-x4.safetensors"
    save_checkpoint(path, random_network(seed=3, blocks=1, features=8), {})
    found = named(cards, filled, benchmarks, capsys)
    assert any("other-x4, sha256" in line for line in found)
    assert any(line.startswith("other-x4.md: Set5, other-x4: PSNR dB") for line in found)
    assert any(line.startswith("README.md: ") for line in found)
    assert not any("srresnet-x4" in line for line in found)


def test_one_model_is_measured_alone_and_the_tables_keep_the_others(
    cards, filled, benchmarks, capsys, random_network
):
    before = {path: path.read_text() for path in filled.rglob("*.*") if path.suffix in TEXTS}
    for name in "srresnet-x4", "other-x4":
        features = 4 if name == "srresnet-x4" else 8
        network = random_network(seed=3, blocks=1, features=features)
        save_checkpoint(filled / "weights" / f"{name}.safetensors", network, {})

    assert cards.run(filled, benchmarks, DISTANCES, only=["other-x4"], check=False) == 0

    scores = capsys.readouterr().out
    assert "other-x4" in scores
    assert "srresnet-x4" not in scores
    changed = {path.name for path, text in before.items() if path.read_text() != text}
    assert changed == {"registry.json", "other-x4.md", "README.md"}
    assert cards.run(filled, benchmarks, DISTANCES, only=["other-x4"], check=True) == 0
    found = named(cards, filled, benchmarks, capsys)
    assert found
    assert not any("other-x4" in line for line in found)


def test_a_model_that_is_not_there_to_be_measured_alone_is_named(cards, filled, benchmarks):
    with pytest.raises(ValueError, match=r"no away-x4 and no x to measure: srresnet-x4, other-x4"):
        cards.run(filled, benchmarks, DISTANCES, only=["x", "other-x4", "away-x4"], check=True)


def test_a_model_without_scores_cannot_be_left_out(cards, checkout, benchmarks):
    (benchmarks / "Set5" / "img_001_SRF_4_HR.png").unlink()  # it is told before the measuring
    with pytest.raises(ValueError, match=r"The registry has no scores of srresnet-x4: measure"):
        cards.run(checkout, benchmarks, DISTANCES, only=["other-x4"], check=False)


def test_what_is_written_while_it_measures_is_kept(cards, checkout, benchmarks, monkeypatch):
    measure = cards.measure

    def meanwhile(*arguments):
        replace(checkout / "weights" / "other-x4.md", "Limits.", "Other limits.")
        replace(checkout / "weights" / "registry.json", '"None"', '"Much"')
        return measure(*arguments)

    monkeypatch.setattr(cards, "measure", meanwhile)
    assert cards.run(checkout, benchmarks, DISTANCES, check=False) == 0

    card = (checkout / "weights" / "other-x4.md").read_text()
    assert "Other limits." in card
    assert "evaluate --model other-x4 " in card
    assert '"Much"' in (checkout / "weights" / "registry.json").read_text()


def test_a_card_without_marks_is_named_before_anything_is_measured(cards, checkout, benchmarks):
    (checkout / "weights" / "other-x4.md").write_text("# A card\n")
    (benchmarks / "Set5" / "img_001_SRF_4_HR.png").unlink()
    with pytest.raises(ValueError, match=r"other-x4\.md has 0 derived parts and should have 2"):
        cards.run(checkout, benchmarks, DISTANCES, check=False)


def test_a_missing_data_set_is_named(cards, checkout, benchmarks):
    (benchmarks / "Set14").rename(benchmarks / "Set15")
    with pytest.raises(FileNotFoundError, match=r"No Set14 in .*make evaluate"):
        cards.run(checkout, benchmarks, {}, check=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("31.76", "31.75", True),
        ("31.76", "31.74", False),
        ("0.8987", "0.8988", True),
        ("0.8987", "0.8989", False),
        ("-0.01", "0.00", True),
        ("1.5", "1.54", True),
        ("6239160", "6239161", False),
        ("inf", "inf", True),
        ("inf", "31.76", False),
        ("a", "b", False),
    ],
)
def test_numbers_agree_within_the_last_digit_shown(measured, one, other, same):
    assert measured.agree(one, other) is same
    assert measured.agree(other, one) is same


def test_a_missing_row_is_named(measured):
    table = (
        "data set  upscaler  PSNR dB\nSet5      nearest     26.25\nSet5      bicubic     28.42\n"
    )
    assert measured.compare(table, table) == []
    shorter = table.rpartition("Set5")[0]
    assert measured.compare(shorter, table)[0] == "Set5, bicubic is missing"
