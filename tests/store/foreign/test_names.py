"""Templates of names: what they match, and what they are filled with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.store.foreign.names import Template


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("conv1.0", "conv1.0", {}),
        ("conv1.0", "conv1x0", None),
        ("block{n+2}.conv1", "block6.conv1", {"n": 4}),
        ("block{n+2}.conv1", "block1.conv1", None),
        ("up.{4n+1}", "up.5", {"n": 1}),
        ("up.{4n+1}", "up.6", None),
        ("body.{n}.rdb{m+1}.conv{k+1}", "body.22.rdb3.conv5", {"n": 22, "m": 2, "k": 4}),
        ("body.{n}.rdb{m+1}.conv{k+1}", "body.22.rdb3.conv5.0", None),
    ],
)
def test_a_template_matches_the_names_of_its_form(text, name, values) -> None:
    assert Template(text).match(name) == values


@given(
    times=st.integers(1, 9), plus=st.integers(0, 9), n=st.integers(0, 10**4), m=st.integers(0, 99)
)
def test_what_a_template_is_filled_with_is_what_it_matches(times, plus, n, m) -> None:
    template = Template(f"a.{{{times}n+{plus}}}.b{{m}}")
    assert template.match(template.filled({"n": n, "m": m})) == {"n": n, "m": m}


def test_the_last_number_is_the_highest_at_its_place() -> None:
    names = ["model.0.weight", "model.10.weight", "model.8.bias", "model.1.sub.16.weight"]
    assert Template("model.{last}").settled(names) == Template("model.10")
    assert Template("model.{last-2}").settled(names) == Template("model.8")
    assert Template("model.1.sub.{last}").settled(names) == Template("model.1.sub.16")
    assert Template("other.{last}").settled(names) == Template("other.0")
