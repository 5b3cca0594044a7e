"""The next experience of a learner: planned, tried, learned, or gone on with."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from avalanche_pnr.benchmarks.reading.text_lists import counted
from avalanche_pnr.learner.description import duration, file_size
from avalanche_pnr.learner.digests import summary
from avalanche_pnr.learner.experience_trainer import ExperienceTrainer
from avalanche_pnr.learner.folder import LearnerFolder
from avalanche_pnr.learner.images import Arrivals
from avalanche_pnr.learner.inspection import readable
from avalanche_pnr.learner.networks import LearnerNetworks
from avalanche_pnr.learner.planning import (
    Plan,
    continued,
    plan_experience,
    planned_images,
)
from avalanche_pnr.runs.failures import sentence
from avalanche_pnr.runs.interruption import Interruption

FEW_IMAGES = 2000
"""Below this a first experience had better begin with published weights."""


class NextExperience:
    """Learns the next experience, or goes on with the one that was interrupted.

    Args:
        folder: Of the learner, existing or not.
        networks: Of the learner.
        given: Options of the experience by name; others are those of the last one.
        say: Shows a line.

    Raises:
        TypeError: If an option is of another type.
        ValueError: If it has no such value.
    """

    def __init__(
        self,
        folder: LearnerFolder,
        networks: LearnerNetworks,
        given: dict[str, Any],
        say: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.networks = networks
        self.say = say
        self._given = given
        self._training = replace(folder.last_training(), **given)
        networks.check(self._training)

    def learn(
        self,
        arrivals: Arrivals,
        interruption: Interruption,
        *,
        again: bool,
        skip_damaged: bool,
    ) -> None:
        """Learn images; the learner is made if it is not there.

        Args:
            arrivals: The images that are given.
            interruption: Asks to save and stop.
            again: Whether to learn images once more that were learned before.
            skip_damaged: Whether to leave out images that cannot be read.
        """
        if self.folder.exists:
            self.networks.trusted()  # refused before anything is written
        arrivals = self._readable(arrivals, skip_damaged)
        if not self._has_entered(arrivals):
            plan, images = self._planned(arrivals, again)
            self._train(plan, images, interruption)
            self.say(f"experience {plan.number} is learned")

    def dry_run(
        self, arrivals: Arrivals, *, again: bool, skip_damaged: bool
    ) -> dict[str, Any]:
        """Say what would happen.

        Args:
            arrivals: The images that are given.
            again: As for :meth:`learn`.
            skip_damaged: As for :meth:`learn`.

        Returns:
            Facts about the experience.
        """
        arrivals = self._readable(arrivals, skip_damaged)
        interrupted = self.folder.plan()
        plan, images = (
            self._taken_up(interrupted, arrivals)
            if interrupted
            else self._new(arrivals, again)
        )
        with self._built() as (folder, networks):
            trainer = self._trainer(folder, networks, plan, Interruption())
            cost = trainer.cost(images)
        self.say(
            f"would {'go on with' if interrupted else 'learn'} {plan.images:,} images "
            f"in {counted(plan.epochs, 'epoch')} of {plan.batch_size} images a step: "
            f"{counted(plan.steps, 'step')} of {cost.seconds:.2g} s, "
            f"{duration(cost.seconds * plan.steps)} on {plan.device}; on the disk "
            f"{file_size(cost.weights)} of weights and {file_size(cost.images)} of "
            f"images, and {file_size(cost.meanwhile)} while it learns"
        )
        return plan.as_dict()

    def _readable(self, arrivals: Arrivals, skip_damaged: bool) -> Arrivals:
        """Look at images that were not learned, if a new experience begins."""
        if self.folder.plan():
            return arrivals
        with self._built():  # what is refused in a moment is refused before
            return readable(arrivals, self.folder.learned(), skip_damaged=skip_damaged)

    def _has_entered(self, arrivals: Arrivals) -> bool:
        """Return whether these images' experience had entered as its call was ended."""
        plan = self.folder.entered()
        if plan is None:
            return False
        if plan.arrived_digest == summary(arrivals.digests):
            self.say(f"experience {plan.number} had been learned already")
            return True
        self.folder.leave_current()
        return False

    def _planned(self, arrivals: Arrivals, again: bool) -> tuple[Plan, Arrivals]:
        """Take up the experience that was interrupted, or begin a new one."""
        if interrupted := self.folder.plan():
            plan, images = self._taken_up(interrupted, arrivals)
            self.say(f"experience {plan.number} goes on where it was interrupted")
            self.folder.change_plan(plan)
        else:
            plan, images = self._new(arrivals, again)
            if not self.folder.exists:
                for line in self.networks.make():
                    self.say(line)
            self._advise(plan)
            self.folder.begin(plan, images.digests)
        return plan, images

    def _taken_up(self, plan: Plan, arrivals: Arrivals) -> tuple[Plan, Arrivals]:
        """Return the plan that was interrupted, and its images in order."""
        images = planned_images(plan, self.folder.planned(), arrivals)
        return continued(plan, self._given, self.say), images

    def _new(self, arrivals: Arrivals, again: bool) -> tuple[Plan, Arrivals]:
        """Return a new plan and its images, and say what becomes of the others."""
        learned = self.folder.learned()
        plan, images = plan_experience(arrivals, learned, self._training, again=again)
        for line in plan.sentences():
            self.say(line)
        return plan, images

    def _advise(self, plan: Plan) -> None:
        has_init = self.networks.settings().init is not None
        if plan.number == 1 and plan.images < FEW_IMAGES and not has_init:
            self.say(
                f"advice: {counted(plan.images, 'image')} to begin with are few; "
                "init=weights.pth starts from published weights"
            )

    def _train(self, plan: Plan, images: Arrivals, interruption: Interruption) -> None:
        trainer = self._trainer(self.folder, self.networks, plan, interruption)
        self.say(
            f"experience {plan.number}: {plan.images:,} images, "
            f"{counted(plan.epochs, 'epoch')} of {plan.batch_size} images a step, "
            f"{counted(plan.steps, 'step')}, on {plan.device}"
        )
        try:
            trainer.run(images)
        except BaseException as error:
            self.folder.write_status("stopped", sentence(error))
            raise

    def _trainer(
        self,
        folder: LearnerFolder,
        networks: LearnerNetworks,
        plan: Plan,
        interruption: Interruption,
    ) -> ExperienceTrainer:
        return ExperienceTrainer(
            folder, *networks.trusted(), plan, interruption, self.say
        )

    @contextmanager
    def _built(self) -> Iterator[tuple[LearnerFolder, LearnerNetworks]]:
        """Yield the learner, or a new one in a scratch folder if it is not made."""
        if self.folder.exists:
            yield self.folder, self.networks
            return
        with tempfile.TemporaryDirectory() as scratch:
            folder = LearnerFolder(Path(scratch) / "learner")
            networks = LearnerNetworks(folder, self.networks.given)
            networks.make()
            yield folder, networks
