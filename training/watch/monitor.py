"""A watch over adversarial training: it says in words when a known failure begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

# The discriminator has won: it is hardly ever wrong. In good runs D(HR) stays around 0.6 to 0.9
# and D(SR) around 0.1 to 0.4; at D(SR) = 0.02, -log D is 3.9, over 5 times what it is at balance.
WON_HIGH, WON_UPSCALED = 0.98, 0.02
NOT_WON_HIGH, NOT_WON_UPSCALED = 0.95, 0.05

# The discriminator has collapsed: it says the same of both. That is also where a perfect generator
# would end, so it is a failure only if content grows worse meanwhile, or if the answers no longer
# move at all: batches alone move the mean of a live discriminator by more than 0.005.
SAME_ANSWER, OTHER_ANSWER = 0.05, 0.1
CONTENT_RISE = 1.1  # of what it was when the discriminator last told the two apart
DEAD_RANGE, DEAD_REPORTS = 0.005, 5

# content : adversarial. They are meant to be comparable; a fifth is what a factor of 1/12.75 on VGG
# features leaves of the content term where it does not fit, with 25.7 dB on Set5 for 29.4.
CONTENT_SHARE, ENOUGH_CONTENT = 1 / 5, 1 / 3

COLOUR_SHIFT, COLOURS_RIGHT = 1.5, 1.0  # levels of 255: beyond 1.5 a shift shows side by side
# Of `perceptual.checkerboard`: SRResNet has up to 0.04, ±2 levels on photographs 0.1 to 0.4.
CHECKERBOARD, NO_CHECKERBOARD = 0.15, 0.1
TOO_SHARP, SHARP = 1.5, 1.25  # energy of HR's high frequencies; the aim is 0.75 to 1.25

# Spikes, in multiples of the median of what came before: batches differ by less than twofold.
LOSS_SPIKE, GRADIENT_SPIKE, NO_SPIKE = 3.0, 10.0, 1.5
HISTORY, LEAST_HISTORY = 20, 5  # reports

CALM_REPORTS = 2  # in a row, until a failure counts as over


@dataclass(frozen=True)
class Health:
    """What one report of phase 2 says of the two networks; None where it was not measured.

    Attributes
    ----------
    step : int
        Of phase 2.
    d_high, d_upscaled : float
        Mean of the discriminator's probability that an image is real, on HR and on SR.
    content, adversarial : float
        The generator's two losses, each as it enters their sum: with its weight.
    gradient_generator, gradient_discriminator : float, optional
        Norms of the gradients.
    colour_drift : float, optional
        Largest mean difference of a channel from the input, in levels of 255.
    high_frequency : float, optional
        Energy of high frequencies, in parts of HR's.
    checkerboard : float, optional
        Contrast of the grid frequencies, beyond HR's.
    """

    step: int
    d_high: float
    d_upscaled: float
    content: float
    adversarial: float
    gradient_generator: float | None = None
    gradient_discriminator: float | None = None
    colour_drift: float | None = None
    high_frequency: float | None = None
    checkerboard: float | None = None


@dataclass(frozen=True)
class HealthWarning:
    """A known failure that begins at `step`, and in words what it is and what to do."""

    step: int
    failure: str
    text: str


# Of a report and those before it. True: the failure's sign is there. False: all is well. None:
# neither.
_Sign = Callable[[Health, Sequence[Health]], bool | None]


@dataclass(frozen=True)
class _Failure:
    sign: _Sign
    after: int  # reports in a row with the sign: one may be chance
    text: str  # formatted with the fields of Health
    of: str = "content"  # the field it is about: where that was not measured, nothing is known


class Monitor:
    """Follows a run of phase 2, and warns of each failure once, when it begins.

    A failure begins when its sign is there for some reports in a row. It can begin again only
    after it was over, and for that the sign's absence is not enough: a stricter threshold has to
    be met twice in a row. Nothing but the reports counts: fed the same ones, a monitor says the
    same, and its state belongs in a checkpoint.
    """

    def __init__(self) -> None:
        self._past: deque[Health] = deque(maxlen=HISTORY)
        self._signs = dict.fromkeys(FAILURES, 0)  # in a row
        self._calm = dict.fromkeys(FAILURES, 0)  # in a row
        self._under_way = dict.fromkeys(FAILURES, False)

    def observe(self, health: Health) -> list[HealthWarning]:
        """Take in a report, and return a warning of each failure that begins with it."""
        values = asdict(health)
        past = tuple(self._past)
        begun = [
            HealthWarning(health.step, name, failure.text.format(**values))
            for name, failure in FAILURES.items()
            if values[failure.of] is not None
            and self._begins(name, failure.sign(health, past), failure.after)
        ]
        self._past.append(health)
        return begun

    def _begins(self, name: str, sign: bool | None, after: int) -> bool:
        self._signs[name] = self._signs[name] + 1 if sign else 0
        self._calm[name] = self._calm[name] + 1 if sign is False else 0
        if self._calm[name] >= CALM_REPORTS:
            self._under_way[name] = False
        begins = self._signs[name] >= after and not self._under_way[name]
        self._under_way[name] = self._under_way[name] or begins
        return begins

    def state(self) -> dict[str, Any]:
        """Return everything an exact continuation needs, as plain values."""
        return {
            "past": [asdict(health) for health in self._past],
            "signs": dict(self._signs),
            "calm": dict(self._calm),
            "under_way": dict(self._under_way),
        }

    @property
    def step(self) -> int:
        """The step of the latest report, 0 before there is one."""
        return self._past[-1].step if self._past else 0

    def restore(self, state: dict[str, Any], step: int) -> None:
        """Continue from what :meth:`state` returned, forgetting reports of later steps."""
        past = [Health(**health) for health in state["past"] if health["step"] <= step]
        self._past = deque(past, maxlen=HISTORY)
        self._signs = dict(state["signs"])
        self._calm = dict(state["calm"])
        self._under_way = dict(state["under_way"])


def _discriminator_wins(now: Health, _past: Sequence[Health]) -> bool | None:
    if now.d_high > WON_HIGH and now.d_upscaled < WON_UPSCALED:
        return True
    return _well(now.d_high < NOT_WON_HIGH or now.d_upscaled > NOT_WON_UPSCALED)


def _discriminator_collapses(now: Health, past: Sequence[Health]) -> bool | None:
    if not _says_the_same(now):
        return _well(abs(now.d_high - now.d_upscaled) > OTHER_ANSWER)
    apart = [one for one in past if not _says_the_same(one)]
    before = [*apart[-1:], *past[:1]]
    if before and now.content > CONTENT_RISE * before[0].content:
        return True
    recent = [*past, now][-DEAD_REPORTS:]
    dead = len(recent) == DEAD_REPORTS and all(
        max(answers) - min(answers) < DEAD_RANGE
        for answers in ([one.d_high for one in recent], [one.d_upscaled for one in recent])
    )
    return True if dead else None


def _says_the_same(health: Health) -> bool:
    return abs(health.d_high - health.d_upscaled) < SAME_ANSWER


def _adversarial_dwarfs(now: Health, _past: Sequence[Health]) -> bool | None:
    if now.content < CONTENT_SHARE * now.adversarial:
        return True
    return _well(now.content >= ENOUGH_CONTENT * now.adversarial)


def _above(field: str, bad: float, good: float) -> _Sign:
    """Return the sign that a measure is above a bound; all is well below another one."""

    def sign(now: Health, _past: Sequence[Health]) -> bool | None:
        value = getattr(now, field)
        return True if value > bad else _well(value < good)

    return sign


def _spikes(field: str, bad: float) -> _Sign:
    """Return the sign that a value is a multiple of the median of those before."""

    def sign(now: Health, past: Sequence[Health]) -> bool | None:
        before = [old for one in past if (old := getattr(one, field)) is not None]
        if len(before) < LEAST_HISTORY:
            return None
        value, usual = getattr(now, field), median(before)
        return True if value > bad * usual else _well(value < NO_SPIKE * usual)

    return sign


def _well(is_well: bool) -> bool | None:
    return False if is_well else None


FAILURES = {
    "discriminator_wins": _Failure(
        _discriminator_wins,
        after=5,
        text="The discriminator wins: D(HR) is {d_high:.3f} and D(SR) {d_upscaled:.3f}, so it no "
        "longer tells the generator which way is better. Lower the discriminator's learning rate, "
        "or go on from an earlier checkpoint.",
    ),
    "discriminator_collapses": _Failure(
        _discriminator_collapses,
        after=3,
        text="The discriminator has collapsed: it says {d_high:.3f} of HR and {d_upscaled:.3f} of "
        "SR, and content is at {content:.3g}. Go on from an earlier checkpoint with a lower "
        "learning rate.",
    ),
    "adversarial_dwarfs_content": _Failure(
        _adversarial_dwarfs,
        after=3,
        text="The adversarial term dwarfs content: {adversarial:.3g} against {content:.3g}; they "
        "should be comparable, or the result forgets its input. Raise the VGG scale, or lower the "
        "adversarial weight.",
    ),
    "colour_shift": _Failure(
        _above("colour_drift", COLOUR_SHIFT, COLOURS_RIGHT),
        after=1,
        of="colour_drift",
        text="Colours shift: a channel is {colour_drift:.1f} levels off the input's. Unless it "
        "comes back by itself, lower the learning rate, or take an earlier checkpoint.",
    ),
    "checkerboard": _Failure(
        _above("checkerboard", CHECKERBOARD, NO_CHECKERBOARD),
        after=1,
        of="checkerboard",
        text="A checkerboard begins: the periods of 2 or 4 pixels stand out by {checkerboard:.2f}. "
        "Look at the validation images. More of pretrain.mesh_weight, or in phase 2 of "
        "adversarial.grid_weight (10 is a start), takes it away; else lower the learning rate, or "
        "take an earlier checkpoint.",
    ),
    "too_sharp": _Failure(
        _above("high_frequency", TOO_SHARP, SHARP),
        after=1,
        of="high_frequency",
        text="Too sharp: high frequencies have {high_frequency:.2f} times HR's energy, which "
        "is noise or ringing. Lower the adversarial weight or the learning rate.",
    ),
    "content_spike": _Failure(
        _spikes("content", LOSS_SPIKE),
        after=1,
        text="The content loss spikes to {content:.3g}. If it does not fall back within a few "
        "reports, go on from an earlier checkpoint with a lower learning rate.",
    ),
    "generator_gradient_spike": _Failure(
        _spikes("gradient_generator", GRADIENT_SPIKE),
        after=1,
        of="gradient_generator",
        text="The generator's gradient spikes to a norm of {gradient_generator:.3g}. If it goes "
        "on, lower the learning rate.",
    ),
    "discriminator_gradient_spike": _Failure(
        _spikes("gradient_discriminator", GRADIENT_SPIKE),
        after=1,
        of="gradient_discriminator",
        text="The discriminator's gradient spikes to a norm of {gradient_discriminator:.3g}. If it "
        "goes on, lower the learning rate.",
    ),
}
