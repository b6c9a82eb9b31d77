"""Networks for photographs are measured on pairs that are the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_srgan.resampling import shrink


@pytest.fixture
def scenes(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "scenes" / "below").mkdir(parents=True)
    for name, size in [("a.png", (530, 47, 3)), ("below/b.png", (41, 600, 3))]:
        pixels = rng.integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "scenes" / name)
    return tmp_path / "scenes"


def test_each_scene_is_there_clean_degraded_once_and_twice(tool, scenes, tmp_path):
    photographs = tool("photographs")
    lows = []
    for out in (tmp_path / "one", tmp_path / "other"):
        photographs.write_sets(scenes, out, [])
        assert sorted(path.name for path in out.iterdir()) == ["clean", "once", "twice"]
        lows.append({p.relative_to(out): p.read_bytes() for p in out.rglob("*_LR.png")})
    assert lows[0] == lows[1]
    assert len(set(lows[0].values())) == 6
    high = np.asarray(Image.open(tmp_path / "one" / "clean" / "below_b_HR.png"))
    assert high.shape == (40, 512, 3)
    low = np.asarray(Image.open(tmp_path / "one" / "clean" / "below_b_LR.png"))
    np.testing.assert_array_equal(low, shrink(high))


def test_pairs_that_can_be_chosen_are_measured(tool, scenes, tmp_path, monkeypatch, capsys):
    arguments = [str(scenes), str(tmp_path / "out"), "--only", "a*"]
    monkeypatch.setattr("sys.argv", ["photographs.py", *arguments])
    assert tool("photographs").main() == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows[1:]] == [
        [name, control] for name in ("clean", "once", "twice") for control in ("nearest", "bicubic")
    ]
