"""Planning an experience: which images are new, and how long they are learned."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from avalanche_pnr.benchmarks.reading.text_lists import counted
from avalanche_pnr.learner.digests import Digests, first_of_each, keys, summary
from avalanche_pnr.learner.images import Arrivals
from avalanche_pnr.learner.options import MAY_DIFFER, Training, differences
from avalanche_pnr.runs.devices import choose_device


@dataclass(frozen=True)
class Schedule:
    """Length of the training of an experience.

    Attributes:
        batch_size: Images in a step.
        epochs: Passes over the images.
        steps: Optimizer steps in all.
    """

    batch_size: int
    epochs: int
    steps: int

    @classmethod
    def of(cls, images: int, training: Training) -> "Schedule":
        """Choose the schedule for some images.

        Without ``epochs`` about 400,000 images are passed, in 20 to 200 epochs. Without
        ``batch_size`` a batch is the largest power of two, up to 256, of which an epoch
        holds four.

        Args:
            images: New images.
            training: Options of the experience.

        Raises:
            ValueError: If there are fewer images than a batch.
        """
        batch_size = training.batch_size
        if batch_size is None:
            batch_size = min(256, 1 << max(images // 4, 2).bit_length() - 1)
        if images < batch_size:
            fewer = f", or write batch_size={images} or less" if images > 1 else ""
            raise ValueError(
                f"{counted(images, 'new image')}, and a step takes {batch_size}: add "
                f"images{fewer}"
            )
        epochs = training.epochs
        if epochs is None:
            epochs = min(200, max(20, 400_000 // images))
        return cls(batch_size, epochs, images // batch_size * epochs)


@dataclass(frozen=True)
class Plan:
    """Facts about an experience that are known when it begins.

    Attributes:
        number: Its number, from 1.
        data: Where its images come from, as text.
        begun: When it began, ISO 8601, UTC.
        images: Number of images that are learned.
        arrived: Number of images that were given.
        arrived_digest: One digest of all that were given.
        duplicates: Number of images that are there more than once.
        learned_before: Numbers of images that were learned in earlier experiences, by
            the number of the experience as text.
        damaged: Names of files that were left out.
        again: Whether images that were learned before are learned once more.
        epochs: Passes over the images.
        batch_size: Images in a step.
        steps: Optimizer steps in all.
        training: Options of the experience.
        device: Where it is learned.
        torch: Version of PyTorch.
    """

    number: int
    data: str
    begun: str
    images: int
    arrived: int
    arrived_digest: str
    duplicates: int
    learned_before: dict[str, int]
    damaged: list[str]
    again: bool
    epochs: int
    batch_size: int
    steps: int
    training: Training
    device: str
    torch: str

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Plan":
        """Restore a plan from plain data, as :meth:`as_dict` made it."""
        return cls(**{**plain, "training": Training(**plain["training"])})

    def as_dict(self) -> dict[str, Any]:
        """Convert to plain data."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """Say what becomes of images that are not simply new."""
        fate = "learned again" if self.again else "left out"
        lines = [
            f"{count:,} of {self.arrived:,} images were learned in experience {number}"
            f", and are {fate}"
            for number, count in self.learned_before.items()
        ]
        if self.duplicates:
            lines.append(
                f"{counted(self.duplicates, 'image')} left out with the content of "
                "another: one of each counts"
            )
        if self.damaged:
            lines.append(
                f"{counted(len(self.damaged), 'image')} left out that cannot be read, "
                f"such as {self.damaged[0]}"
            )
        return lines


def plan_experience(
    arrivals: Arrivals,
    learned: Sequence[Digests],
    training: Training,
    *,
    again: bool = False,
) -> tuple[Plan, Arrivals]:
    """Choose the images of the next experience, and how long they are learned.

    Args:
        arrivals: The images that are given.
        learned: Digests of the images of each experience so far.
        training: Options of the experience.
        again: Whether images that were learned before are learned once more.

    Returns:
        The plan, and the images that are learned.

    Raises:
        ValueError: If no image is new, or they are fewer than a batch.
    """
    chosen = first_of_each(arrivals.digests, () if again else learned)
    if not len(chosen):
        raise ValueError(
            f"all {len(arrivals)} images were learned before: add new ones, or "
            "learn them once more with again=true"
        )
    schedule = Schedule.of(len(chosen), training)
    plan = Plan(
        number=len(learned) + 1,
        data=arrivals.source,
        begun=datetime.now(UTC).isoformat(timespec="seconds"),
        images=len(chosen),
        arrived=len(arrivals),
        arrived_digest=summary(arrivals.digests),
        duplicates=len(arrivals) - len(first_of_each(arrivals.digests)),
        learned_before={
            str(number): count
            for number, digests in enumerate(learned, start=1)
            if (count := len(arrivals) - _missing(arrivals.digests, digests))
        },
        damaged=list(arrivals.damaged),
        again=again,
        **asdict(schedule),
        training=training,
        device=str(choose_device(training.device)),
        torch=torch.__version__,
    )
    return plan, arrivals.subset(chosen.tolist())


def planned_images(plan: Plan, planned: Digests, arrivals: Arrivals) -> Arrivals:
    """Find the images of an experience that was interrupted, in its order.

    Args:
        plan: The experience.
        planned: Digests of its images, in its order.
        arrivals: The images that are given now.

    Raises:
        ValueError: If some have gone.
    """
    gone = _missing(planned, arrivals.digests)
    if gone == len(planned):
        raise ValueError(
            f"experience {plan.number} was interrupted, and learns other images: "
            f"finish it with those, data={plan.data}, or undo it"
        )
    if gone:
        new = _missing(arrivals.digests, planned)
        raise ValueError(
            f"experience {plan.number} was interrupted, and its images have "
            f"changed: {gone} of {len(planned)} are gone, {new} others are there; "
            f"restore them ({plan.data}), or undo the experience"
        )
    places: dict[bytes, int] = {}
    for index, key in enumerate(keys(arrivals.digests)):
        places.setdefault(bytes(key), index)
    return arrivals.subset([places[bytes(key)] for key in keys(planned)])


def continued(plan: Plan, given: Mapping[str, Any], say: Callable[[str], None]) -> Plan:
    """Return the plan of an interrupted experience with the options of another call.

    Args:
        plan: As it was begun.
        given: Options of the call that continues it.
        say: Shows a line, where bits may differ from those of an experience that was
            not interrupted.

    Raises:
        ValueError: If options differ that change what is learned.
    """
    training = replace(plan.training, **given)
    if changed := differences(plan.training, training, except_for=MAY_DIFFER):
        raise ValueError(
            f"experience {plan.number} was interrupted with other options "
            f"({', '.join(changed)}): finish it with those, or undo it"
        )
    device = str(choose_device(training.device))
    there = {"device": plan.device, "PyTorch": plan.torch}
    here = {"device": device, "PyTorch": torch.__version__}
    if other := [
        f"{k} {here[k]}, not {there[k]}" for k in there if there[k] != here[k]
    ]:
        say(
            f"note: experience {plan.number} goes on with {', '.join(other)}: what "
            "follows may differ in the last digits"
        )
    return replace(plan, training=training, device=device, torch=torch.__version__)


def _missing(these: Digests, there: Digests) -> int:
    """Count the images that are not among others."""
    return int((~np.isin(keys(these), keys(there))).sum())
