"""A learner, in Python: what the command ``avalanche-pnr`` does."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import Compose

from avalanche_pnr.learner.builders import make_plain_data_set, make_plain_view
from avalanche_pnr.learner.embedding import (
    FeatureBatches,
    check_format,
    feature_batches,
    write_features,
)
from avalanche_pnr.learner.exporting import export
from avalanche_pnr.learner.folder import LearnerFolder
from avalanche_pnr.learner.images import Arrivals, find_images
from avalanche_pnr.learner.judging import (
    Judgement,
    judge,
    labelled_images,
    table,
    verdict,
)
from avalanche_pnr.learner.kept import KeptImages
from avalanche_pnr.learner.keywords import Keywords
from avalanche_pnr.learner.networks import LearnerNetworks
from avalanche_pnr.learner.next_experience import NextExperience
from avalanche_pnr.learner.options import (
    NETWORKS,
    Once,
    Opening,
    Reading,
    Settings,
    Training,
)
from avalanche_pnr.learner.watch import features_of
from avalanche_pnr.runs.devices import AUTO, choose_device
from avalanche_pnr.runs.files import save_state
from avalanche_pnr.runs.interruption import Interruption
from avalanche_pnr.runs.lock import locked

takes = Keywords()
"""Decorates methods whose ``**options`` are the fields of a dataclass."""


class Learner:
    """Learns representations from images that arrive in experiences, without labels.

    It lives in a folder, which later processes open again; the folder can be moved, and
    the images that it learned from can be deleted. Two processes cannot learn in one
    folder at a time.

    Args:
        folder: Where the learner is, or will be made by the first ``learn``.
        say: Shows a line; ``print`` by default.
        **settings: Fields of :class:`~avalanche_pnr.learner.options.Settings`, and
            arguments of backbone and method as ``{"backbone.width": 32}``.

    Raises:
        TypeError: If there is no such setting, with the method that takes it or the
            nearest name, or it is of another type.
        ValueError: If the learner exists and is another one than these settings say.

    Example:
        >>> learner = Learner("birds", method="vicreg", backbone="resnet18")
        >>> learner.learn("photos/2024")
        >>> learner.learn("photos/2025")
        >>> features, paths = learner.embed("photos/new")
    """

    @takes(Settings, groups=NETWORKS)
    def __init__(
        self, folder: str | Path, *, say: Callable[[str], None] = print, **settings: Any
    ) -> None:
        self.folder = LearnerFolder(folder)
        self.networks = LearnerNetworks(self.folder, settings)
        self.say = say

    @takes(Training)
    def learn(
        self,
        data: Any,
        *,
        again: bool = False,
        dry: bool = False,
        skip_damaged: bool = False,
        max_pixels: int | None = None,
        forget_images: bool = False,
        **training: Any,
    ) -> dict[str, Any]:
        """Learn from images; the first ones make the learner.

        Optimizer and schedule begin anew, and from the second experience on the
        regularizer holds the network towards the past model. A call that was
        interrupted is continued by the same call, to the last bit on the CPU. One that
        fails before anything is saved changes nothing: a first one makes no learner.

        Args:
            data: Images, see :func:`~avalanche_pnr.learner.images.find_images`.
            again: Whether to learn images once more that were learned before.
            dry: Whether only to say what would happen.
            skip_damaged: Whether to leave out images that cannot be read.
            max_pixels: Pixels that an image may have; about 179 million by default.
            forget_images: Whether to remove the kept images afterwards.
            **training: Fields of :class:`~avalanche_pnr.learner.options.Training`; by
                default those of the experience before.

        Returns:
            Facts about the experience, as in ``experience.json``; with ``dry`` those
            that are known before it begins.

        Raises:
            BlockingIOError: If another process learns in the folder.
            FileNotFoundError: If there are no images.
            InterruptedRunError: If the process is asked to end; all is saved.
            FloatingPointError: If the loss is not finite.
            TypeError: If there is no such option, or it is of another type.
            UnreadableImageError: If images cannot be read: how many, which, and why.
            ValueError: If nothing is new, settings cannot change, an option has no such
                value, or the images of an interrupted experience have changed.
        """
        Opening(skip_damaged=skip_damaged, max_pixels=max_pixels)  # checks their types
        Once(again=again, dry=dry, forget_images=forget_images)
        following = NextExperience(self.folder, self.networks, training, self.say)
        arrivals = find_images(data, max_pixels=max_pixels)
        how = {"again": again, "skip_damaged": skip_damaged}
        if dry:
            return following.dry_run(arrivals, **how)
        with self.folder.present(), self._alone(), Interruption() as interruption:
            with self.folder.unless_refused():
                following.learn(arrivals, interruption, **how)
            if forget_images:
                self._forget()
            self.folder.leave_current()
            self.folder.write_status("idle")
            return self.folder.experiences()[-1]

    @takes(Reading)
    def embed(
        self,
        data: Any,
        out: str | Path | None = None,
        *,
        after: int | None = None,
        skip_damaged: bool = False,
        max_pixels: int | None = None,
        **reading: Any,
    ) -> tuple[NDArray[np.float32], list[str]]:
        """Compute features of images, in their order.

        Args:
            data: Images, see :func:`~avalanche_pnr.learner.images.find_images`.
            out: ``.csv``, ``.npz`` or ``.parquet`` to write to; memory then does not
                grow with the number of images, and nothing is returned.
            after: Number of the experience after which the backbone is taken, 0 for the
                one before the first; the last by default. Features of different
                backbones do not mix.
            skip_damaged: Whether to leave out images that cannot be read.
            max_pixels: As for :meth:`learn`.
            **reading: Fields of :class:`~avalanche_pnr.learner.options.Reading`.

        Returns:
            Features (N, F) and the path of each image; empty with ``out``.

        Raises:
            FileNotFoundError: If there are no images, or no such backbone.
            UnreadableImageError: If a file cannot be read, with its name.
        """
        if out is not None:
            out = Path(out).expanduser()
            check_format(out)
        options, number = Reading(**reading), self._number(after)
        choose_device(options.device)
        self.folder.backbone(number)
        images = find_images(data, skip_damaged=skip_damaged, max_pixels=max_pixels)
        for name in images.damaged:
            self.say(f"left out, since it cannot be read: {name}")
        batches = self._features(images, number, options)
        if out is not None:
            write_features(out, batches, number)
            self.say(f"{len(images)} images, backbone after experience {number}: {out}")
            return np.empty((0, 0), np.float32), []
        parts = list(batches)
        features = np.concatenate([each for _, each in parts])
        return features, [name for names, _ in parts for name in names]

    @takes(Reading)
    def judge(
        self,
        data: Any,
        *,
        layout: str = "class",
        skip_damaged: bool = False,
        max_pixels: int | None = None,
        **reading: Any,
    ) -> list[Judgement]:
        """Judge the backbones by labelled images; nothing that was learned changes.

        Args:
            data: Labelled images, see
                :func:`~avalanche_pnr.learner.judging.labelled_images`.
            layout: What a folder holds, ``class`` or ``experience/class``.
            skip_damaged: Whether to leave out images that cannot be read.
            max_pixels: As for :meth:`learn`.
            **reading: Fields of :class:`~avalanche_pnr.learner.options.Reading`.

        Returns:
            A judgement of a random backbone; of the one before learning, where ``init``
            gave it weights; and of that after each experience whose backbone was kept.
        """
        options, view = Reading(**reading), self._view()
        device = choose_device(options.device)
        images = labelled_images(data, layout, skip_damaged, max_pixels)
        judgements = judge(
            self.networks.backbones(),
            images,
            view,
            batch_size=options.batch_size,
            device=device,
            num_workers=options.workers,
        )
        text = table(judgements, images.domain_names)
        learned = len(self.folder.experiences()) > 0
        said = verdict(judgements[-2], judgements[-1]) if learned else ""
        name = os.path.basename(data) if isinstance(data, str | Path) else "data"
        content = {
            "data": name,
            "images": len(images.test),
            "accuracy": {each.name: each.accuracy for each in judgements},
            "columns": [*images.domain_names, "all"],
            "table": text,
            "verdict": said,
        }
        self.folder.add_judged(name, content)
        self.say(
            "\n".join(["accuracy, percent", "", text, *(["", said] if said else [])])
        )
        return judgements

    @takes()
    def export(self, out: str | Path, *, after: int | None = None) -> None:
        """Write a backbone's weights as safetensors, or the backbone as ONNX.

        Args:
            out: ``.safetensors`` or ``.onnx``.
            after: As for :meth:`embed`.

        Raises:
            ImportError: If ONNX is asked for and not installed.
            ValueError: If the ending is another.
        """
        out, number = Path(out).expanduser(), self._number(after)
        size = self.networks.settings().image_size
        export(self.networks.backbone(number), size, out)
        self.say(f"backbone after experience {number}: {out}")

    def report(self) -> Path:
        """Write ``report.html`` into the learner's folder, and return its path."""
        from avalanche_pnr.learner.report import write_report

        self.networks.settings()
        self.folder.last()
        sample, device = self._kept()["sample"], choose_device(AUTO)
        images = make_plain_data_set(sample, self._view())

        def features(number: int) -> torch.Tensor | None:
            if not self.folder.keeps_backbone(number) or not len(sample):
                return None
            backbone = self.networks.backbone(number).to(device)
            return features_of(backbone, {0: images}, device)[0]

        path = write_report(self.folder, sample, features)
        self.say(str(path))
        return path

    def info(self) -> dict[str, Any]:
        """Return settings, experiences, and the number and size of kept images."""
        settings, plan = self.networks.settings(), self.folder.plan()
        return {
            "settings": {**asdict(settings), **self.folder.options()},
            "experiences": self.folder.experiences(),
            "in progress": plan and plan.as_dict(),
            "kept images": {
                name: {"images": len(images), "bytes": images.size}
                for name, images in self._kept().items()
            },
        }

    def undo(self) -> int:
        """Go back to before the last experience, or drop one that was interrupted.

        Returns:
            Number of the experience that is gone.

        Raises:
            BlockingIOError: If another process learns in the folder.
            ValueError: If nothing was learned, or the state before was not kept.
        """
        self.networks.settings()
        with self._alone():
            # Of one that was killed early nothing may be saved: it is the last as well.
            if plan := self.folder.begun():
                self.folder.leave_current()
                self.say(f"experience {plan.number}, which was interrupted, is gone")
                return plan.number
            number = self.folder.undo()
            self.say(f"experience {number} is undone: its images can be learned again")
            return number

    def forget_images(self) -> None:
        """Remove the kept sample and the memory from all states, and the report.

        Raises:
            ValueError: If an experience is in progress, which replays them.
        """
        self.networks.settings()
        with self._alone():
            if plan := self.folder.plan():
                raise ValueError(
                    f"experience {plan.number} was interrupted and needs the images "
                    "that are kept: finish it, or undo it, before they are forgotten"
                )
            self._forget()

    def _forget(self) -> None:
        (self.folder.path / "report.html").unlink(missing_ok=True)  # it shows some
        for number in range(1, len(self.folder.experiences()) + 1):
            path = self.folder.experience(number) / "state.pt"
            if path.exists():
                state = self.folder.state(number)
                empty = KeptImages().state_dict()
                save_state(path, {**state, "sample": empty, "memory": empty})
                path.with_name(f"{path.name}.previous").unlink(missing_ok=True)
        self.say("no image is kept any more")

    def _features(
        self, images: Arrivals, number: int, options: Reading
    ) -> FeatureBatches:
        device = choose_device(options.device)
        return feature_batches(
            self.networks.backbone(number).to(device),
            images,
            self._view(),
            batch_size=options.batch_size,
            workers=options.workers,
            device=device,
        )

    def _view(self) -> Compose:
        """Make the view with which images are embedded and judged."""
        augment = self.folder.last_training().augment
        return make_plain_view(self.networks.settings(), augment)

    def _number(self, after: int | None) -> int:
        """Return the number of an experience whose backbone is there.

        Raises:
            FileNotFoundError: If it is not.
        """
        self.networks.settings()
        number = len(self.folder.experiences()) if after is None else after
        self.folder.backbone(number)
        if number == 0 and after is None:
            self.say("nothing is learned yet: this is the backbone before learning")
        return number

    def _kept(self) -> dict[str, KeptImages]:
        """Read the kept sample and the memory."""
        last = len(self.folder.experiences())
        if not last:
            return {"sample": KeptImages(), "memory": KeptImages()}
        state = self.folder.state(last)
        return {k: KeptImages.from_state(state[k]) for k in ("sample", "memory")}

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the learner."""
        return locked(self.folder.path, "learner")
