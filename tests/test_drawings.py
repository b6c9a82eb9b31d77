"""Drawn pages: each follows from its number and the seed, and has edges worth learning."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="its fonts are what pages are written in")


@pytest.fixture
def drawings(tool):
    return tool("drawings")


@pytest.mark.parametrize("number", range(4))
def test_a_page_is_of_the_promised_size_and_neither_empty_nor_noise(drawings, number):
    page = drawings.drawn(number)
    assert (page.mode, page.size) == ("RGB", drawings.SIZE)
    steps = np.abs(np.diff(np.asarray(page.convert("L"), np.int16), axis=1))
    assert 0.003 < np.mean(steps > 32) < 0.35, "share of pixels with an edge beside them"
    assert np.mean(steps == 0) > 0.4, "pages are flat between edges"


def test_edges_are_antialiased(drawings):
    """A page of two colours has shades between them, and none beyond."""
    pen = drawings.Pen(np.random.default_rng(0))
    pen.draw.rectangle((0, 0, *pen.image.size), (255, 255, 255))
    pen.line([(10, 10), (300, 222)], (0, 0, 0), 3)
    shades = np.unique(np.asarray(pen.finished()))
    assert {0, 255} < set(shades.tolist())
    assert len(shades) > 8


def test_pages_follow_from_their_number_and_the_seed(drawings):
    again = [np.asarray(drawings.drawn(2, seed=5)) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert not np.array_equal(again[0], np.asarray(drawings.drawn(2, seed=6)))
    assert not np.array_equal(again[0], np.asarray(drawings.drawn(6, seed=5)))


def test_words_have_the_letters_asked_for(drawings):
    text = drawings.chance_words(np.random.default_rng(0), 200)
    assert len(text) == 200
    assert all(1 <= len(word) <= 10 for word in text.split())


def test_the_command_writes_the_pages(drawings, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["drawings.py", str(tmp_path / "new" / "pages"), "--count=2"])
    assert drawings.main() == 0
    made = sorted((tmp_path / "new" / "pages").iterdir())
    assert [path.name for path in made] == ["page_000.png", "page_001.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(made[1])), np.asarray(drawings.drawn(1)))
    assert "2 pages of 720 × 560 pixels" in capsys.readouterr().out


def test_a_count_of_none_is_refused(drawings, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "argv", ["drawings.py", str(tmp_path), "--count", "0"])
    with pytest.raises(SystemExit):
        drawings.main()
    assert "--count must be at least 1; got 0" in capsys.readouterr().err
