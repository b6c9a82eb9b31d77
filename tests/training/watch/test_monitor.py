import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_srgan.training.watch.monitor import FAILURES, Health, Monitor

HEALTHY = Health(
    step=0,
    d_high=0.75,
    d_upscaled=0.25,
    content=4e-3,
    adversarial=3e-3,
    gradient_generator=0.2,
    gradient_discriminator=0.5,
    colour_drift=0.3,
    high_frequency=1.0,
    checkerboard=0.02,
)

# What a report of each failure differs in, and after how many such reports it is warned of.
SICK = {
    "discriminator_wins": ({"d_high": 0.995, "d_upscaled": 0.004}, 5),
    "discriminator_collapses": ({"d_high": 0.51, "d_upscaled": 0.49, "content": 5e-3}, 3),
    "adversarial_dwarfs_content": ({"adversarial": 3e-2}, 3),
    "colour_shift": ({"colour_drift": 1.6}, 1),
    "checkerboard": ({"checkerboard": 0.2}, 1),
    "too_sharp": ({"high_frequency": 1.6}, 1),
    "content_spike": ({"content": 13e-3}, 1),
    "generator_gradient_spike": ({"gradient_generator": 2.5}, 1),
    "discriminator_gradient_spike": ({"gradient_discriminator": 6.0}, 1),
}

# Content that meanders by less than twofold about its usual value, as between batches; answers of
# the discriminator that differ; images measured at some reports only.
healthy_reports = st.builds(
    Health,
    step=st.just(0),
    d_high=st.floats(0.55, 0.97),
    d_upscaled=st.floats(0.03, 0.45),
    content=st.floats(3e-3, 6e-3),
    adversarial=st.floats(1e-3, 8e-3),
    gradient_generator=st.floats(0.1, 0.5),
    gradient_discriminator=st.none() | st.floats(0.2, 1.5),
    colour_drift=st.none() | st.floats(0, 1.4),
    high_frequency=st.none() | st.floats(0, 1.4),
    checkerboard=st.none() | st.floats(0, 0.14),
)


def _warnings(monitor, reports):
    """Return the names of the failures that begin, with the number of the report they begin at."""
    return [
        (number, warning.failure)
        for number, report in enumerate(reports)
        for warning in monitor.observe(replace(report, step=100 * number))
    ]


def _sick(failure):
    return replace(HEALTHY, **SICK[failure][0])


def test_every_failure_has_a_test():
    assert set(SICK) == set(FAILURES)


@given(st.lists(healthy_reports, max_size=60))
def test_healthy_runs_give_no_warning(reports):
    assert _warnings(Monitor(), reports) == []


# Up to 0.47, the two are told apart; from 0.475 on, content that rises is a collapse.
@given(st.lists(st.floats(0.3, 0.47), min_size=30, max_size=60))
def test_two_networks_in_balance_give_no_warning_though_content_rises_at_first(answers):
    # The adversarial term trades content for texture, and then content stays where it is.
    contents = [3e-3 + min(number, 10) * 2e-4 for number in range(len(answers))]
    reports = [
        replace(HEALTHY, d_high=1 - answer, d_upscaled=answer, content=content)
        for answer, content in zip(answers, contents, strict=True)
    ]
    assert _warnings(Monitor(), reports) == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_warned_of_once_and_not_before_it_has_lasted(failure):
    after = SICK[failure][1]
    reports = [HEALTHY] * 10 + [_sick(failure)] * 9
    assert _warnings(Monitor(), reports) == [(10 + after - 1, failure)]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_single_bad_report_is_no_failure_where_chance_can_bring_it(failure):
    after = SICK[failure][1]
    reports = ([HEALTHY] * 10 + [_sick(failure)] * (after - 1)) * 3
    assert _warnings(Monitor(), reports) == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_warned_of_again_once_it_was_over(failure):
    round_ = [HEALTHY] * 10 + [_sick(failure)] * 5
    found = _warnings(Monitor(), round_ * 2)
    assert [name for _, name in found] == [failure, failure]
    assert found[1][0] == found[0][0] + len(round_)


@pytest.mark.parametrize("failure", FAILURES)
def test_one_good_report_does_not_end_a_failure(failure):
    reports = [HEALTHY] * 10 + ([_sick(failure)] * 5 + [HEALTHY]) * 3
    assert [name for _, name in _warnings(Monitor(), reports)] == [failure]


@pytest.mark.parametrize(
    ("field", "above", "between"),
    [("colour_drift", 1.6, 1.2), ("checkerboard", 0.2, 0.12), ("high_frequency", 1.6, 1.4)],
)
def test_a_measure_that_hovers_about_its_threshold_is_warned_of_once(field, above, between):
    reports = [HEALTHY, *[replace(HEALTHY, **{field: v}) for v in (above, between) * 10]]
    assert len(_warnings(Monitor(), reports)) == 1


@pytest.mark.parametrize("field", ["colour_drift", "checkerboard", "high_frequency"])
def test_reports_without_a_measure_neither_end_nor_repeat_a_failure(field):
    bad, unmeasured = (replace(HEALTHY, **{field: v}) for v in (9.0, None))
    reports = [bad, *[unmeasured] * 5] * 4
    assert len(_warnings(Monitor(), reports)) == 1
    over = [bad, unmeasured, HEALTHY, unmeasured, HEALTHY, unmeasured, bad]
    assert len(_warnings(Monitor(), over)) == 2


def test_a_discriminator_whose_answers_never_move_has_collapsed():
    dead = replace(HEALTHY, d_high=0.5, d_upscaled=0.5)
    assert _warnings(Monitor(), [HEALTHY] * 5 + [dead] * 12) == [(11, "discriminator_collapses")]


def test_a_discriminator_that_is_undecided_but_alive_has_not_collapsed():
    alive = [replace(HEALTHY, d_high=0.5 + 0.01 * (n % 3), d_upscaled=0.5) for n in range(20)]
    assert _warnings(Monitor(), [HEALTHY] * 5 + alive) == []


def test_an_adversarial_term_without_weight_dwarfs_nothing():
    assert _warnings(Monitor(), [replace(HEALTHY, adversarial=0.0)] * 10) == []


def test_a_spike_needs_something_to_be_compared_with():
    spike = replace(HEALTHY, content=1.0, gradient_generator=100.0)
    assert _warnings(Monitor(), [HEALTHY, HEALTHY, spike]) == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_warning_names_the_step_the_value_and_what_to_do(failure):
    monitor = Monitor()
    reports = [HEALTHY] * 10 + [_sick(failure)] * 5
    (warning,) = [
        found
        for number, report in enumerate(reports)
        for found in monitor.observe(replace(report, step=number))
    ]
    assert warning.step == 10 + SICK[failure][1] - 1
    assert "{" not in warning.text
    assert any(character.isdigit() for character in warning.text)
    assert any(word in warning.text for word in ("ower the", "earlier checkpoint", "Raise"))


@given(st.lists(st.sampled_from(sorted(SICK)), max_size=25), st.data())
def test_a_restored_monitor_says_what_an_uninterrupted_one_says(failures, data):
    reports = [HEALTHY] * 5 + [_sick(failure) for failure in failures]
    cut = data.draw(st.integers(0, len(reports)))
    whole, first, second = Monitor(), Monitor(), Monitor()
    expected = _warnings(whole, reports)
    found = _warnings(first, reports[:cut])
    second.restore(
        json.loads(json.dumps(first.state())), 100 * cut
    )  # plain values, as a checkpoint holds
    found += [(number + cut, name) for number, name in _warnings(second, reports[cut:])]
    assert found == expected


def test_reports_are_plain_values():
    assert json.loads(json.dumps(asdict(HEALTHY))) == asdict(HEALTHY)
