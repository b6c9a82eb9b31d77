"""Papers' figures stand beside what is measured, and what is not measured says so."""

from __future__ import annotations

import pytest


@pytest.fixture
def papers(tool):
    return tool("papers")


def test_a_system_is_measured_beside_its_papers_figures_or_marked_as_published(papers) -> None:
    bicubic = {"psnr": 28.418, "ssim_daala": 0.82149, "ssim_wang": 0.811, "lpips_alex": 0.34}
    text = papers.as_markdown(papers.TABLE_2, {"Set5": {"bicubic": bicubic}})
    lines = text.splitlines()
    assert lines[0] == "| system | PSNR dB | paper's | SSIM daala | paper's SSIM | LPIPS-Alex |"
    assert "| bicubic, Set5 | 28.42 | 28.43 | 0.8215 | 0.8211 | 0.3400 |" in lines
    assert "| SelfExSR, Set5 (as published) | – | 30.33 | – | 0.8720 | – |" in lines
    assert len(lines) == 2 + len(papers.TABLE_2.systems)
