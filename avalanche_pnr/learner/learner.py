"""A learner, in Python: what the command ``avalanche-pnr`` does."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.transforms import Compose

from avalanche_pnr.learner.builders import (
    check_choices,
    choose_device,
    is_imported,
    make_backbone,
    make_method,
    make_plain_data_set,
    make_plain_view,
)
from avalanche_pnr.learner.description import duration, file_size
from avalanche_pnr.learner.embedding import (
    Rows,
    check_ending,
    feature_rows,
    write_features,
)
from avalanche_pnr.learner.folder import BACKBONE, LearnerFolder, write_json
from avalanche_pnr.learner.images import (
    Arrivals,
    Digests,
    digests,
    find_images,
    first_of_each,
    keys,
    summary,
)
from avalanche_pnr.learner.judging import (
    Judgement,
    judge,
    labelled_images,
    table,
    verdict,
)
from avalanche_pnr.learner.kept import KeptImages
from avalanche_pnr.learner.learning import ExperienceTrainer, new_plan
from avalanche_pnr.learner.options import Reading, Settings, Training, differences
from avalanche_pnr.learner.watch import features_of
from avalanche_pnr.runs.files import save_state
from avalanche_pnr.runs.interruption import Interruption
from avalanche_pnr.runs.lock import locked
from avalanche_pnr.weights import export_backbone, load_backbone

FEW_IMAGES = 2000
"""Below this a first experience had better begin with published weights."""


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
        ValueError: If the learner exists and is another one than these settings say.

    Example:
        >>> learner = Learner("birds", method="vicreg", backbone="resnet18")
        >>> learner.learn("photos/2024")
        >>> learner.learn("photos/2025")
        >>> features, paths = learner.embed("photos/new")
    """

    def __init__(
        self, folder: str | Path, *, say: Callable[[str], None] = print, **settings: Any
    ) -> None:
        self.folder = LearnerFolder(folder)
        self.say = say
        self._options = {k: v for k, v in settings.items() if "." in k}
        self._given = {k: v for k, v in settings.items() if "." not in k}
        known = {each.name for each in fields(Settings)}
        if unknown := self._given.keys() - known:
            raise ValueError(
                f"{', '.join(sorted(unknown))}: a learner is made of "
                f"{', '.join(sorted(known))}"
            )
        if self.folder.exists:
            self._settings()

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
        interrupted is continued by the same call, to the last bit on the CPU.

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
            What is known of the experience, as ``experience.json`` has it; with ``dry``
            what would be known before it began.

        Raises:
            BlockingIOError: If another process learns in the folder.
            FileNotFoundError: If there are no images.
            InterruptedRunError: If the process is asked to end; all is saved.
            FloatingPointError: If the loss is not finite.
            ValueError: If nothing is new, settings cannot change, an option is not
                what it can be, or the images are others than when the experience was
                interrupted.
        """
        chosen = replace(self._last_training(), **training)
        check_choices(self._future_settings(), chosen)
        arrivals = find_images(data, skip_damaged=skip_damaged, max_pixels=max_pixels)
        rows = digests(arrivals)
        if dry:
            return self._dry_run(arrivals, rows, again, chosen)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        with self._alone(), Interruption() as interruption:
            self._make()
            if not self._has_entered(rows):
                plan = self._planned(arrivals, rows, again, training)
                self._train(plan, arrivals, rows, interruption)
            if forget_images:
                self._forget()
            self.folder.leave_current()
            self._write_status("idle")
            return self.folder.experiences()[-1]

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
        """Features of images, in their order.

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
            check_ending(out)
        images = find_images(data, skip_damaged=skip_damaged, max_pixels=max_pixels)
        number = self._number(after)
        for name in images.damaged:
            self.say(f"left out, since it cannot be read: {name}")
        rows = self._rows(images, number, Reading(**reading))
        if out is not None:
            write_features(out, rows, number)
            self.say(f"{len(images)} images, backbone after experience {number}: {out}")
            return np.empty((0, 0), np.float32), []
        parts = list(rows)
        features = np.concatenate([each for _, each in parts])
        return features, [name for names, _ in parts for name in names]

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
        options = Reading(**reading)
        view = self._view()
        images = labelled_images(data, layout, skip_damaged, max_pixels)
        judgements = judge(
            self._backbones(),
            images,
            view,
            batch_size=options.batch_size,
            device=choose_device(options.device),
            num_workers=options.workers,
        )
        text = table(judgements, images.domain_names)
        learned = len(self.folder.experiences()) > 0
        said = verdict(judgements[-2], judgements[-1]) if learned else ""
        self._write_judged(data, judgements, images, text, said)
        self.say("\n".join(["accuracy, percent", "", text, *([said] if said else [])]))
        return judgements

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
        if out.suffix == ".safetensors":
            export_backbone(self._backbone(number), out)
        elif out.suffix == ".onnx":
            _export_onnx(self._backbone(number), self._settings().image_size, out)
        else:
            raise ValueError(f"out={out} must end in .safetensors or .onnx")
        self.say(f"backbone after experience {number}: {out}")

    def report(self) -> Path:
        """Write ``report.html`` into the learner's folder."""
        from avalanche_pnr.learner.report import write_report

        self._settings()
        self.folder.last()
        sample, device = self._kept("sample"), choose_device("auto")
        images = make_plain_data_set(sample, self._view())

        def features(number: int) -> torch.Tensor | None:
            if not self._is_kept(number) or not len(sample):
                return None
            backbone = self._backbone(number).to(device)
            return features_of(backbone, {0: images}, device)[0]

        path = write_report(self.folder, sample, features)
        self.say(str(path))
        return path

    def info(self) -> dict[str, Any]:
        """What the learner is and has learned, and which images it keeps."""
        settings = self._settings()
        experiences = self.folder.experiences()
        kept = {
            name: {"images": len(images), "bytes": images.size}
            for name in ("sample", "memory")
            for images in [self._kept(name)]
        }
        return {
            "settings": {**asdict(settings), **self.folder.options()},
            "experiences": experiences,
            "in progress": self.folder.plan(),
            "kept images": kept,
        }

    def undo(self) -> int:
        """Go back to before the last experience, or drop one that was interrupted.

        Returns:
            Number of the experience that is gone.
        """
        self._settings()
        with self._alone():
            plan = self.folder.plan()
            if plan is not None:
                self.folder.leave_current()
                self.say(f"experience {plan['number']}, which was interrupted, is gone")
                return int(plan["number"])
            number = self.folder.undo()
            self.say(f"experience {number} is undone: its images can be learned again")
            return number

    def forget_images(self) -> None:
        """Remove the kept sample and the memory from all states, and the report.

        Raises:
            ValueError: If an experience is in progress, which replays them.
        """
        self._settings()
        with self._alone():
            if plan := self.folder.plan():
                raise ValueError(
                    f"experience {plan['number']} was interrupted and needs the images "
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

    def _make(self) -> None:
        """Make the learner if it is not there."""
        if self.folder.exists:
            self._network()  # refused before anything is written
            return
        settings = Settings(**self._given)

        def load(backbone: nn.Module) -> None:
            if settings.init is not None:
                path = Path(settings.init).expanduser()
                self.say(f"init: {load_backbone(backbone, path, settings.init_key)}")

        method = make_method(settings, self._options, load)
        self.folder.make(settings, self._options, partial(export_backbone, method))
        self.say(f"made {self.folder.path}: {settings.method} on {settings.backbone}")

    def _settings(self) -> Settings:
        """The learner's settings.

        Raises:
            ValueError: If those that were given differ.
        """
        stored = self.folder.settings()
        changed = differences(stored, replace(stored, **self._given))
        options = self.folder.options()
        changed += [
            f"{k}={v} (it has {k}={options.get(k, 'its default')})"
            for k, v in self._options.items()
            if options.get(k) != v
        ]
        if changed:
            raise ValueError(
                f"learner={self.folder.path} cannot change {', '.join(changed)}: make "
                "another learner, in a new folder"
            )
        return stored

    def _future_settings(self) -> Settings:
        """The settings, or those that the learner is going to be made with."""
        return self._settings() if self.folder.exists else Settings(**self._given)

    def _has_entered(self, rows: Digests) -> bool:
        """Whether a call for these images was ended when its experience had entered."""
        plan = self.folder.entered()
        if plan is None:
            return False
        if plan["arrived_digest"] == summary(rows):
            self.say(f"experience {plan['number']} had been learned already")
            return True
        self.folder.leave_current()
        return False

    def _train(
        self,
        plan: dict[str, Any],
        arrivals: Arrivals,
        rows: Digests,
        interruption: Interruption,
    ) -> None:
        """Learn what is planned, or go on with it."""
        chosen, learned = self._order(arrivals, rows)
        trainer = self._trainer(plan, interruption)
        self.say(
            f"experience {plan['number']}: {plan['images']:,} images, "
            f"{plan['epochs']} epochs of {plan['batch_size']} images a step, "
            f"{plan['steps']:,} steps, on {trainer.device}"
        )
        try:
            trainer.run(chosen, learned)
        except BaseException:
            self._write_status("stopped")
            raise

    def _next_number(self) -> int:
        return len(self.folder.experiences()) + 1

    def _network(self) -> tuple[Settings, dict[str, Any]]:
        """Settings and arguments from which the learner's networks are built.

        A folder may come from anyone, so it does not choose what is imported and
        called: a function named in it must also be named by the caller.

        Raises:
            ValueError: If the backbone is a function that only the folder names.
        """
        settings = self._settings()
        name = settings.backbone
        if is_imported(name) and self._given.get("backbone") != name:
            raise ValueError(
                f"learner={self.folder.path} was made with backbone={name}, a function "
                f"that is called to open it: if you trust it, write backbone={name} too"
            )
        return settings, self.folder.options()

    def _last_training(self) -> Training:
        experiences = self.folder.experiences() if self.folder.exists else []
        return Training(**experiences[-1]["training"]) if experiences else Training()

    def _planned(
        self, arrivals: Arrivals, rows: Digests, again: bool, given: dict[str, Any]
    ) -> dict[str, Any]:
        """The plan of the experience that was interrupted, or a new one."""
        plan = self.folder.plan()
        if plan is not None:
            _check_same_images(plan, np.load(self.folder.current / "learned.npy"), rows)
            before = Training(**plan["training"])
            if changed := differences(before, replace(before, **given)):
                raise ValueError(
                    f"experience {plan['number']} was interrupted with other options "
                    f"({', '.join(changed)}): finish it with those, or undo it"
                )
            return plan
        training = replace(self._last_training(), **given)
        indices, facts = self._new(arrivals, rows, again)
        for line in _sentences(facts, again):
            self.say(line)
        plan = new_plan(
            self._next_number(),
            arrivals.subset(indices.tolist()),
            facts,
            training,
        )
        self._advise(plan)
        self.folder.begin(plan, rows[indices])
        return plan

    def _new(
        self, arrivals: Arrivals, rows: Digests, again: bool
    ) -> tuple[NDArray[np.intp], dict[str, Any]]:
        """Which images are to be learned, and what was counted."""
        before = self.folder.learned() if self.folder.exists else []
        indices = first_of_each(rows, () if again else before)
        learned = {
            str(k): int(np.isin(keys(rows), keys(each)).sum())
            for k, each in enumerate(before, start=1)
        }
        if not len(indices):
            raise ValueError(
                f"all {len(arrivals)} images were learned before: add new ones, or "
                "learn them once more with again=true"
            )
        facts = {
            "arrived": len(arrivals),
            "duplicates": len(rows) - len(first_of_each(rows)),
            "learned_before": {k: n for k, n in learned.items() if n},
            "damaged": list(arrivals.damaged),
            "arrived_digest": summary(rows),
        }
        return indices, facts

    def _order(self, arrivals: Arrivals, rows: Digests) -> tuple[Arrivals, Digests]:
        """The images of the experience in progress, as they were ordered."""
        learned = np.load(self.folder.current / "learned.npy")
        place: dict[bytes, int] = {}
        for index, key in enumerate(keys(rows)):
            place.setdefault(bytes(key), index)
        indices = [place[bytes(key)] for key in keys(learned)]
        return arrivals.subset(indices), learned

    def _advise(self, plan: dict[str, Any]) -> None:
        settings = self._settings()
        if plan["number"] == 1 and plan["images"] < FEW_IMAGES and not settings.init:
            self.say(
                f"advice: {plan['images']} images are few to begin with; "
                "init=weights.pth starts from published weights"
            )

    def _dry_run(
        self, arrivals: Arrivals, rows: Digests, again: bool, training: Training
    ) -> dict[str, Any]:
        """Say what would happen."""
        indices, facts = self._new(arrivals, rows, again)
        chosen = arrivals.subset(indices.tolist())
        plan = new_plan(self._next_number(), chosen, facts, training)
        with self._trial() as trial:
            cost = trial._trainer(plan, Interruption()).cost(chosen)
        for line in [
            *_sentences(facts, again),
            f"would learn {plan['images']:,} images in {plan['epochs']} epochs of "
            f"{plan['batch_size']} images a step: {plan['steps']:,} steps of "
            f"{cost.seconds:.2g} s, {duration(cost.seconds * plan['steps'])} on "
            f"{choose_device(training.device)}; {file_size(cost.kept)} on the disk, "
            f"and {file_size(cost.meanwhile)} while it learns",
        ]:
            self.say(line)
        return plan

    @contextmanager
    def _trial(self) -> Iterator["Learner"]:
        """This learner, or if it is not made yet, one like it in a scratch folder."""
        if self.folder.exists:
            yield self
            return
        with tempfile.TemporaryDirectory() as scratch:
            trial = Learner(
                Path(scratch) / "learner",
                say=lambda _: None,
                **self._given,
                **self._options,
            )
            trial._make()
            yield trial

    def _trainer(
        self, plan: dict[str, Any], interruption: Interruption
    ) -> ExperienceTrainer:
        return ExperienceTrainer(
            self.folder,
            *self._network(),
            plan,
            interruption,
            self.say,
        )

    def _rows(self, images: Arrivals, number: int, options: Reading) -> Rows:
        device = choose_device(options.device)
        return feature_rows(
            self._backbone(number).to(device),
            images,
            self._view(),
            batch_size=options.batch_size,
            workers=options.workers,
            device=device,
        )

    def _view(self) -> Compose:
        """How an image is embedded and judged."""
        return make_plain_view(self._settings(), self._last_training().augment)

    def _number(self, after: int | None) -> int:
        last = len(self.folder.experiences())
        self._settings()
        return last if after is None else after

    def _is_kept(self, number: int) -> bool:
        return number >= 0 and (self.folder.experience(number) / BACKBONE).is_file()

    def _backbones(self) -> Iterator[tuple[str, nn.Module]]:
        """What is judged, one after the other, each with its name."""
        yield "random backbone", self._random_backbone()
        if self._settings().init is not None:
            yield "before learning", self._backbone(0)
        for number in range(1, len(self.folder.experiences()) + 1):
            if self._is_kept(number):
                yield f"after experience {number}", self._backbone(number)

    def _backbone(self, number: int) -> nn.Module:
        path = self.folder.backbone(number)
        backbone = self._random_backbone()
        load_backbone(backbone, path)
        return backbone.eval()

    def _random_backbone(self) -> nn.Module:
        settings, options = self._network()
        arguments = {
            k.removeprefix("backbone."): v
            for k, v in options.items()
            if k.startswith("backbone.")
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            return make_backbone(settings, arguments).eval()

    def _kept(self, name: str) -> KeptImages:
        last = len(self.folder.experiences())
        return (
            KeptImages.from_state(self.folder.state(last)[name])
            if last
            else KeptImages()
        )

    def _write_status(self, state: str) -> None:
        content = {"state": state, "experiences": len(self.folder.experiences())}
        write_json(self.folder.path / "status.json", content)

    def _write_judged(
        self,
        data: Any,
        judgements: Sequence[Judgement],
        images: Any,
        text: str,
        said: str,
    ) -> None:
        folder = self.folder.path / "judged"
        folder.mkdir(exist_ok=True)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        name = os.path.basename(str(data)) if isinstance(data, str | Path) else "data"
        content = {
            "data": name,
            "when": when,
            "images": len(images.test),
            "accuracy": {each.name: each.accuracy for each in judgements},
            "columns": [*images.domain_names, "all"],
            "table": text,
            "verdict": said,
        }
        safe = re.sub(r"[^\w.-]", "_", f"{when}_{name}")
        write_json(folder / f"{safe}.json", content)

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes from changing the learner."""
        return locked(self.folder.path, "learner")


def _check_same_images(plan: dict[str, Any], planned: Digests, rows: Digests) -> None:
    gone = int((~np.isin(keys(planned), keys(rows))).sum())
    if gone:
        new = int((~np.isin(keys(rows), keys(planned))).sum())
        raise ValueError(
            f"experience {plan['number']} was interrupted, and its images have "
            f"changed: {gone} of {len(planned)} are gone, {new} others are there; "
            f"restore them ({plan['data']}), or undo the experience"
        )


def _sentences(facts: dict[str, Any], again: bool) -> list[str]:
    lines = [
        f"{count:,} of {facts['arrived']:,} images were learned in experience {k}"
        + (", and are learned again" if again else ", and are left out")
        for k, count in facts["learned_before"].items()
    ]
    if facts["duplicates"]:
        lines.append(
            f"{facts['duplicates']:,} images are there twice: one of each counts"
        )
    if facts["damaged"]:
        lines.append(
            f"{len(facts['damaged']):,} images cannot be read, and are left out"
        )
    return lines


def _export_onnx(backbone: nn.Module, size: int, out: Path) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"out={out} needs onnx and onnxscript: pip install 'avalanche-pnr[onnx]'"
        ) from error
    part = out.with_name(f".{out.name}.part")
    try:
        torch.onnx.export(
            backbone.eval(),
            (torch.zeros(2, 3, size, size),),
            part,
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes={"x": {0: torch.export.Dim.DYNAMIC}},
            external_data=False,
        )
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
