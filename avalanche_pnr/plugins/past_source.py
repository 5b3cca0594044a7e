"""Where the past model comes from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from avalanche_pnr.methods.checks import check_choice
from avalanche_pnr.plugins.protocols import LossContext

Past = Literal["experience", "ema"]
"""Choices of where the past model comes from."""

EMA_DECAY = 0.999
"""Decay of the moving average, unless another one is given."""


class PastSource(ABC):
    """Takes the past model. Plugins of equal sources share it."""

    @abstractmethod
    def begin(self, strategy: LossContext) -> None:
        """Prepare the past model for an experience, before the optimizer is made.

        Args:
            strategy: The strategy, about to train on the experience.

        Raises:
            ValueError: If the stream hides what is needed.
        """

    @abstractmethod
    def end(self, strategy: LossContext) -> None:
        """Follow the end of an experience, or of a sub-experience.

        Args:
            strategy: The strategy, which has trained on it.
        """


@dataclass(frozen=True)
class ExperienceEnd(PastSource):
    """A snapshot of the model at the end of each experience, as published.

    On online streams it is taken when the last sub-experience has been trained on.
    """

    def __str__(self) -> str:
        return "past='experience'"

    def begin(self, strategy: LossContext) -> None:
        """Refuse streams that hide where their experiences end."""
        if not getattr(strategy.experience, "access_task_boundaries", True):
            raise ValueError(
                f"{self} takes the past model where an experience ends, which this "
                "online stream hides: give the plugin past='ema', a moving average "
                "that needs no boundaries, or make the stream with "
                "split_online_stream(..., access_task_boundaries=True)"
            )
        strategy.past_model.decay = None

    def end(self, strategy: LossContext) -> None:
        """Take the snapshot when the last sub-experience has ended."""
        if strategy.sub_experience + 1 == strategy.sub_experiences:
            strategy.past_model.snapshot(strategy.model)


@dataclass(frozen=True)
class MovingAverage(PastSource):
    """An exponential moving average of the model over optimizer steps.

    It begins as the model itself when training begins. After each step
    w_past <- decay w_past + (1 - decay) w. Boundaries of experiences play no part.

    Args:
        decay: Weight of the average so far, in [0, 1).

    Raises:
        ValueError: If the decay is not in [0, 1).

    Source: Tarvainen & Valpola 2017, "Mean teachers are better role models",
    arXiv 1703.01780, section 2; as the past model of continual learning without
    boundaries, Arani et al. 2022 (CLS-ER), arXiv 2201.12604.
    """

    decay: float = EMA_DECAY

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ValueError(
                f"ema_decay must be in [0, 1), got {self.decay}: with 0.999 the past "
                "model reaches back some 1000 steps"
            )

    def __str__(self) -> str:
        return f"past='ema', ema_decay={self.decay:g}"

    def begin(self, strategy: LossContext) -> None:
        """Begin the average, unless there is a past model to go on from."""
        if not strategy.past_model.exists:
            strategy.past_model.snapshot(strategy.model)
        strategy.past_model.decay = self.decay

    def end(self, strategy: LossContext) -> None:
        """Do nothing: the average goes on."""


def past_source(past: Past, ema_decay: float | None) -> PastSource:
    """Choose where the past model comes from.

    Args:
        past: ``"experience"`` or ``"ema"``.
        ema_decay: Decay of ``"ema"``; ``None`` for :data:`EMA_DECAY`.

    Raises:
        ValueError: If ``past`` is unknown, or the decay does not belong to it or is not
            in [0, 1).
    """
    check_choice("past", past, Past)
    if past == "ema":
        return MovingAverage(EMA_DECAY if ema_decay is None else ema_decay)
    if ema_decay is not None:
        raise ValueError(
            f"ema_decay={ema_decay:g} is the decay of past='ema', and past is "
            f"{past!r}: give past='ema', or leave ema_decay out"
        )
    return ExperienceEnd()
