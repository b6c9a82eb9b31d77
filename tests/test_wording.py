"""Text out of files can be shown anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.wording import listed, printable

JOINERS = "\u200c\u200d"


@given(st.text(), st.integers(5, 300))
def test_text_of_a_file_is_one_printable_line_no_longer_than_said(text, most):
    shown = printable(text, most)

    assert "".join(letter for letter in shown if letter not in JOINERS).isprintable()
    assert len(shown) <= most
    if len(text) <= most and text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202eb", r"a\u202eb"),
        ("\ufeffa\x00", r"\ufeffa\x00"),
        ("two\nlines\tand\u2028more", "two lines and more"),
        ("\ud800", r"\ud800"),
        ("Zürich 東京 می‌خواهم", "Zürich 東京 می‌خواهم"),
    ],
)
def test_what_can_rewrite_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown


def test_what_is_long_is_cut_in_the_middle():
    assert printable("a" * 500_000 + "b", 10) == "aaaaaa…aab"


def test_lists_show_each_thing_so():
    assert listed(["\x1b", "b" * 1000, 3, 4, 5]) == rf"\x1b, {printable('b' * 1000)}, 3 and 2 more"
