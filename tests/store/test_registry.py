import json
import re

import pytest

from napari_srgan.store.registry import Weights, entry, parse_registry, registry

VALID = {
    "name": "toy-x4",
    "purpose": "A toy",
    "file": None,
    "urls": ["https://example.org/toy.safetensors", "http://mirror.example.org/toy"],
    "sha256": "0123456789abcdef" * 4,
    "size": 12,
    "licence": "BSD-3-Clause",
    "training_data": "None",
    "scale": 4,
    "scales": [2, 4],
    "metrics": {"Set5": {"psnr": 30, "ssim_daala": 0.87}},
    "family": "srresnet",
    "generative": False,
    "uncertainty": [4.0, 0.75],
}


def changed(**changes):
    return json.dumps([{**VALID, **changes}])


def test_a_valid_entry_is_read_as_it_is_written():
    (weights,) = parse_registry(json.dumps([VALID]))

    assert weights == Weights(
        **{**VALID, **{key: tuple(VALID[key]) for key in ("urls", "scales", "uncertainty")}}
    )
    assert hash(weights) == hash(parse_registry(json.dumps([VALID]))[0])


def test_the_shipped_registry_is_valid_and_has_the_faithful_model():
    names = [weights.name for weights in registry()]

    assert "srresnet-x4" in names
    assert entry("srresnet-x4").generative is False
    assert entry("srgan-x4").generative is True
    assert all(weights.purpose and weights.licence for weights in registry())


def test_it_may_not_be_known_whether_a_model_is_generative():
    (weights,) = parse_registry(changed(generative=None))

    assert weights.generative is None


@pytest.mark.parametrize("key", VALID)
def test_a_missing_key_is_named(key):
    text = json.dumps([{name: value for name, value in VALID.items() if name != key}])

    with pytest.raises(ValueError, match=rf"lacks {key}\."):
        parse_registry(text)


def test_an_unknown_key_is_named():
    with pytest.raises(ValueError, match=r"'toy-x4'.*unknown keys: license"):
        parse_registry(changed(license="MIT"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "", "name must be"),
        ("name", "../toy", "name must be"),
        ("name", 4, "name must be str"),
        ("file", "../toy.safetensors", "bare file name"),
        ("urls", [], "bundled file or at least one URL"),
        ("urls", "https://example.org/toy", "urls must be list"),
        ("urls", ["ftp://example.org/toy"], "only http and https"),
        ("urls", ["file:///etc/passwd"], "only http and https"),
        ("urls", [7], "only http and https"),
        ("sha256", "0123", "64 lower-case hexadecimal"),
        ("sha256", "G" * 64, "64 lower-case hexadecimal"),
        ("size", 0, "at least 1 byte, not 0"),
        ("size", 1.5, "size must be int"),
        ("size", True, "size must be int"),
        ("scale", 0, "scale must be at least 1"),
        ("scales", [2, 3], "scales must be factors with scale among them, not [2, 3]"),
        ("scales", [4, "2"], "scales must be factors"),
        ("metrics", {"Set5": 30.0}, "metrics of 'Set5'"),
        ("metrics", {"Set5": {"psnr": "30"}}, "metrics of 'Set5'"),
        ("generative", 1, "generative must be bool or NoneType"),
        ("uncertainty", 4.0, "uncertainty must be list"),
        ("uncertainty", [4.0], "two numbers above 0"),
        ("uncertainty", [4.0, 0], "two numbers above 0"),
        ("uncertainty", [True, "1"], "two numbers above 0"),
    ],
)
def test_a_malformed_value_is_named(key, value, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_registry(changed(**{key: value}))


def test_every_fault_of_an_entry_is_named_at_once():
    with pytest.raises(ValueError, match=r"sha256.*size.*scale"):
        parse_registry(changed(sha256="x", size=-1, scale=-4))


def test_two_entries_of_one_name_are_refused():
    with pytest.raises(ValueError, match="more than once: toy-x4"):
        parse_registry(json.dumps([VALID, VALID]))


@pytest.mark.parametrize("text", ["{}", "[7]", "not JSON"])
def test_what_is_not_a_list_of_entries_is_refused(text):
    with pytest.raises(ValueError, match=r"must be a list|must be an object|Expecting value"):
        parse_registry(text)


def test_an_unknown_name_suggests_the_nearest_and_lists_all():
    with pytest.raises(ValueError, match=r"'srresnet_x4'; did you mean 'srresnet-x4'") as caught:
        entry("srresnet_x4")

    assert all(weights.name in str(caught.value) for weights in registry())


def test_a_name_like_no_other_gets_the_list_alone():
    with pytest.raises(ValueError, match="Models: ") as caught:
        entry("qqqq")

    assert "did you mean" not in str(caught.value)
