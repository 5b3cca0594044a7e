"""Conclusions of a report, in sentences computed from its numbers."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean

from experiments.constants import JOINT, RANDOM, RAW
from experiments.reporting.measures import FORGETTING, accuracy, over_stream
from experiments.reporting.rows import Values, by_seed
from experiments.reporting.summaries import Difference, Summary, paired_points
from experiments.reporting.tables import BASELINE
from experiments.seed_results import is_learner
from experiments.sweep import Group

SPOKEN = {
    "finetune": "finetuning",
    "cassle": "CaSSLe",
    "pnr": "PNR",
    "pfr": "PFR",
    "less_forget": "Less-Forget",
    "er": "ER",
    "der": "DER",
    "lump": "LUMP",
    "cromo_mixup": "CroMo-Mixup",
    "osiris": "Osiris",
    "ewc": "EWC",
    JOINT: "joint training",
    RANDOM: "the random backbone",
    RAW: "raw pixels",
}
"""Names of regularizers and references in sentences."""

NO_GAIN = (
    "no regularizer can show a gain; a narrower backbone, more epochs or fewer classes "
    "an experience would"
)
MAY_BE_CHANCE = "that may be chance, although a regularizer gains: more seeds can tell"
ONE_SEED = "one seed cannot tell whether any of this is chance: seeds=3 runs three"


def conclusions(groups: Sequence[Group]) -> list[str]:
    """Sentences that compare regularizers, and say how much there was to gain."""
    found = [
        f"{group.label}: {sentence}" if group.label else sentence
        for group in groups
        for sentence in (*_comparisons(group), *_headroom(group))
    ]
    seeds = {results.seed for group in groups for results in group.seed_results}
    return [*found, ONE_SEED] if found and len(seeds) == 1 else found


@dataclass(frozen=True)
class Contrast:
    """One regularizer or reference beside another, on the seeds that both have.

    Attributes:
        name: The regularizer or reference.
        other: The one with which it is compared.
        gain: Its average accuracy minus the other's.
        kept: Its forgetting minus the other's; None where not defined.
        forgets: Forgetting of the two, in points.
    """

    name: str
    other: str
    gain: Difference
    kept: Difference | None
    forgets: tuple[float, float]

    @classmethod
    def of(cls, group: Group, name: str, other: str) -> "Contrast | None":
        """Compare, if there is a seed that has both."""
        gain = _difference(*(_accuracy(group, each) for each in (name, other)))
        if gain is None:
            return None
        own, others = (_forgetting(group, each) for each in (name, other))
        common = own.keys() & others.keys()
        forgets = _mean(own, common), _mean(others, common)
        spoken = SPOKEN.get(name, name), SPOKEN.get(other, other)
        return cls(*spoken, gain, _difference(own, others), forgets)

    def __str__(self) -> str:
        """The differences that are more than chance between seeds, as a sentence."""
        forgets = "forgets {:.1f} points instead of {:.1f}".format(*self.forgets)
        amounts = "{:.1f} and {:.1f} points".format(*self.forgets)
        clear = self.gain.excludes_zero or self.gain.n == 1
        head = self.ends if clear else self.cannot_be_told
        if self.kept is None:
            return head
        if self.kept.n == 1 or self.kept.excludes_zero:
            return f"{head}{' and' if clear else ', but'} {forgets}"
        if clear:
            return f"{head}; that they forget {amounts} may be chance"
        return f"{head}, nor by what they forget ({amounts})"

    @property
    def ends(self) -> str:
        """The final difference, with its interval if there are several seeds."""
        gain, side = self.gain, "below" if self.gain.mean < 0 else "above"
        text = f"{self.name} ends {abs(gain.mean):.1f} points {side} {self.other}"
        if gain.n == 1:
            return text
        low, high = (gain.low, gain.high) if gain.mean > 0 else (-gain.high, -gain.low)
        return f"{text} ({low:.1f} to {high:.1f}, {gain.n} seeds)"

    @property
    def cannot_be_told(self) -> str:
        """A sentence saying that the difference may be chance."""
        low, high, n = self.gain.low, self.gain.high, self.gain.n
        return (
            f"{self.name} cannot be told from {self.other} by accuracy "
            f"({low:+.1f} to {high:+.1f} points, {n} seeds)"
        )


def _comparisons(group: Group) -> Iterator[str]:
    """Compare the last regularizer with all others, and all with the baseline."""
    learners = [name for name in group.names if is_learner(name)]
    if len(learners) < 2:
        return
    baseline = BASELINE if BASELINE in learners else learners[0]
    *before, last = [name for name in learners if name != baseline]
    pairs = [(last, baseline), *((last, each) for each in before)]
    for name, other in [*pairs, *((each, baseline) for each in before)]:
        if (contrast := Contrast.of(group, name, other)) is not None:
            yield str(contrast)


def _headroom(group: Group) -> Iterator[str]:
    """Say how much there was to gain and to lose."""
    if not any(map(is_learner, group.names)):
        return
    if BASELINE not in group.names:
        yield f"what there was to gain is unknown: add {BASELINE} to regularizers"
        return
    gained = _someone_gains(group)
    yield from _room_above(group, gained)
    forgets = _forgetting(group, BASELINE)
    kept = _difference(forgets, dict.fromkeys(forgets, 0.0))
    if kept is not None:
        amount = f"finetuning forgets {Summary.of(forgets.values())} points"
        lost = kept.n == 1 or kept.excludes_zero
        yield amount if lost else f"{amount} here{_advice(kept, gained)}"


def _someone_gains(group: Group) -> bool:
    """Whether one ends above finetuning by more than chance between seeds."""
    others = [name for name in group.names if is_learner(name) and name != JOINT]
    found = [Contrast.of(group, name, BASELINE) for name in others]
    return any(each.gain.n > 1 and each.gain.low > 0 for each in found if each)


def _advice(room: Difference, gained: bool) -> str:
    """What to do where there is no room for a gain, or none that can be told."""
    if not gained:
        return f": {NO_GAIN}"
    return "" if room.excludes_zero else f": {MAY_BE_CHANCE}"


def _room_above(group: Group, gained: bool) -> Iterator[str]:
    """Compare joint training with finetuning, or finetuning with no training."""
    joint = Contrast.of(group, JOINT, BASELINE)
    if joint is not None:
        clear = joint.gain.n == 1 or joint.gain.low > 0
        advice = _advice(joint.gain, gained)
        yield f"headroom: {joint.ends}" if clear else f"{joint.ends}{advice}"
        return
    untrained = [Contrast.of(group, BASELINE, name) for name in (RANDOM, RAW)]
    ends = [contrast.ends for contrast in untrained if contrast is not None]
    if not ends:
        yield f"what there was to gain is unknown: add {JOINT} to regularizers"
        return
    yield f"without joint training to tell the headroom, {', and '.join(ends)}"
    random = untrained[0]
    if random is not None and random.gain.n > 1 and random.gain.low <= 0:
        advice = _advice(random.gain, gained)
        yield f"little was learned that could be forgotten{advice}"


def _accuracy(group: Group, name: str) -> Values:
    return by_seed(group.seed_results, name, accuracy(group.probe))


def _forgetting(group: Group, name: str) -> Values:
    """Forgetting, for the seeds where it is defined."""
    (measure,) = (m for m in over_stream(group.probe) if m.title == FORGETTING)
    found = by_seed(group.seed_results, name, measure)
    return {seed: value for seed, value in found.items() if isfinite(value)}


def _difference(values: Values, baseline: Values) -> Difference | None:
    """The paired difference, of a single seed too."""
    points = paired_points(values, baseline)
    return Difference.of(points) if points else None


def _mean(values: Values, seeds: Set[int]) -> float:
    """Mean over some seeds, in percentage points."""
    return 100 * fmean(values[seed] for seed in seeds) if seeds else nan
