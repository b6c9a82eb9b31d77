"""What is not known of a model stays unknown."""

from itertools import product

import pytest

from napari_srgan.store.generative import as_metadata, either, generative_by, in_words

VALUES = (True, False, None)


@pytest.mark.parametrize("value", VALUES)
def test_what_is_written_is_what_is_read(value):
    assert generative_by(as_metadata(value)) is value


def test_a_file_that_says_nothing_is_not_known():
    assert generative_by({}) is None


@pytest.mark.parametrize(("one", "other"), [*product(VALUES, repeat=2)])
def test_of_two_models_invented_detail_stays_and_doubt_too(one, other):
    both = either(one, other)

    assert both is either(other, one)
    assert (both is True) == (True in (one, other))
    assert (both is False) == (one is False and other is False)


def test_each_is_said_in_other_words():
    assert len({in_words(value) for value in VALUES}) == 3
