"""Means over seeds and their uncertainty."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from statistics import fmean, stdev

from scipy import stats

CONFIDENCE = 0.95
NOT_MEASURED, NOT_DEFINED = "n/a", "not defined"


@dataclass(frozen=True)
class Summary:
    """Mean and sample standard deviation, in percent; NaN where not defined."""

    mean: float
    deviation: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Summary":
        """Summarise fractions; the deviation needs two of them."""
        percent = [100 * value for value in values]
        mean = fmean(percent) if percent else nan
        several = len(percent) > 1 and isfinite(mean)
        return cls(mean, stdev(percent) if several else nan, len(percent))

    def __str__(self) -> str:
        if not self.n:
            return NOT_MEASURED
        if not isfinite(self.mean):
            return NOT_DEFINED
        mean = _signless_zero(self.mean)
        return f"{mean} ± {self.deviation:.1f}" if self.n > 1 else mean


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences with its confidence interval, in percentage points.

    With a single pair there is no interval: its ends are NaN.
    """

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, points: Sequence[float]) -> "Difference":
        """Student's t interval of the mean of some differences."""
        mean, n = fmean(points), len(points)
        if n == 1:
            return cls(mean, nan, nan, n)
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(points) / sqrt(n)
        return cls(mean, mean - half, mean + half, n)

    @property
    def excludes_zero(self) -> bool:
        """True if the difference is more than chance between seeds."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        low, high = _signless_zero(self.low), _signless_zero(self.high)
        return f"{self.mean:+.1f} [{low}, {high}]"


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float]
) -> Difference | None:
    """Compare seed by seed, with Student's t interval of the mean difference.

    Args:
        values: Fractions by seed.
        baseline: Fractions by seed to compare with.

    Returns:
        The difference, or None with fewer than two common seeds or undefined values.
    """
    points = paired_points(values, baseline)
    return Difference.of(points) if len(points) > 1 else None


def paired_points(
    values: Mapping[int, float], baseline: Mapping[int, float]
) -> list[float]:
    """Differences of the common seeds, in percentage points; none if one is undefined.

    Args:
        values: Fractions by seed.
        baseline: Fractions by seed to compare with.
    """
    common = sorted(values.keys() & baseline.keys())
    points = [100 * (values[seed] - baseline[seed]) for seed in common]
    return points if all(map(isfinite, points)) else []


def _signless_zero(value: float) -> str:
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text
