"""The page on a result: whole in itself, escaped, and right about what it shows."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_srgan.cli import app
from napari_srgan.files import Picture, write_picture
from napari_srgan.inference.settings import Settings, finish
from napari_srgan.trust.report import WIDEST, iter_report

FAST = Settings("cpu", "float32")
SMALL = ["--model", "srresnet-small-x4", "--device", "cpu"]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def pictures(page: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


@pytest.fixture
def made(random_model):
    """Return what makes the page on pixels."""

    def make(
        pixels: np.ndarray, rgb: bool = False, name: str = "cells.png", **model: object
    ) -> str:
        drawn, sure = random_model(0, **model), random_model(1, **model)
        return finish(iter_report(Picture(pixels, rgb), name, drawn, sure, settings=FAST))

    return make


@pytest.mark.parametrize(("shape", "rgb"), [((20, 30), False), ((20, 30, 3), True)])
def test_it_has_image_result_maps_and_details(made, shape, rgb):
    page = made(noise(*shape), rgb)
    found = pictures(page)
    assert len(found) == 2 * 5
    assert {picture.size for picture in found[:5]} == {(120, 80)}
    assert (
        np.asarray(found[0])[::4, ::4].tolist()
        == np.asarray(Image.fromarray(noise(*shape)).convert("RGB")).tolist()
    )


def test_it_asks_nothing_of_the_network(made):
    page = made(noise(20, 30))
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page


def test_what_a_file_is_called_cannot_become_markup(made):
    page = made(noise(8, 9), name='<img src=x onerror="alert(1)">&.png')
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_tags_are_closed(made):
    class Nesting(HTMLParser):
        open_tags: list[str] = []  # noqa: RUF012 - of this one parser

        def handle_starttag(self, tag, attrs):
            if tag not in ("img", "meta"):
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    parser = Nesting()
    parser.feed(made(noise(8, 9)))
    assert parser.open_tags == []


def test_a_stack_shows_a_plane_and_says_which(made):
    assert re.search(r"Shown is plane \(\d,\) of 3\.", made(noise(3, 8, 9)))


def test_a_large_picture_is_made_to_fit_and_its_detail_is_not(made):
    found = pictures(made(noise(8, 300)))
    assert found[0].size == (WIDEST, 24)
    assert found[-1].size == (384, 64)


def test_hidden_pixels_are_shown_on_white(made):
    image = noise(8, 9, 4)
    image[..., 3] = 0
    first = np.asarray(pictures(made(image, rgb=True))[0])
    assert (first == 255).all()


def test_the_command_writes_a_page_and_never_over_a_file(tmp_path):
    source, page = tmp_path / "in.png", tmp_path / "page.html"
    write_picture(source, Picture(noise(8, 9), rgb=False))
    run = ["report", str(source), "-o", str(page), *SMALL]
    result = CliRunner().invoke(app, run)
    assert result.exit_code == 0, result.output
    assert "srresnet-small-x4" in page.read_text(encoding="utf-8")
    again = CliRunner().invoke(app, run)
    assert again.exit_code == 2
    assert "--overwrite" in again.output


@pytest.mark.parametrize(
    ("output", "word"), [("page.pdf", ".html"), ("away/page.html", "no folder"), (".", ".html")]
)
def test_a_page_that_cannot_be_written_is_refused_before_the_work(tmp_path, output, word):
    source = tmp_path / "in.png"
    write_picture(source, Picture(noise(8, 9), rgb=False))
    result = CliRunner().invoke(app, ["report", str(source), "-o", str(tmp_path / output), *SMALL])
    assert result.exit_code == 2
    assert word in result.output


def test_a_noisy_image_is_said_to_be_so_and_a_flat_one_is_not(made):
    grains = np.random.default_rng(0).normal(128, 20, (48, 40)).clip(0, 255).astype(np.uint8)
    assert "This image looks noisy" in made(grains)
    assert "This image looks" not in made(np.tile(np.arange(40, dtype=np.uint8), (48, 1)))
