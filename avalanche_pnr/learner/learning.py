"""Learning one experience, so that it can be stopped at any batch and continued."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.training.determinism.rng_manager import RNGManager
from torch import Tensor

from avalanche_pnr.benchmarks.reading.images import reduced
from avalanche_pnr.benchmarks.reading.in_memory import in_memory
from avalanche_pnr.learner.builders import (
    VIEWS,
    FixedReplayPlugin,
    choose_device,
    make_method,
    make_optimizer,
    make_plain_view,
    make_precision,
    make_regularizer,
    make_schedule,
    make_silent_evaluator,
    make_views,
)
from avalanche_pnr.learner.folder import LearnerFolder, is_saved
from avalanche_pnr.learner.images import Arrivals, Digests
from avalanche_pnr.learner.kept import KeptImages, smallest
from avalanche_pnr.learner.options import Settings, Training
from avalanche_pnr.learner.watch import ProgressPlugin, WatchPlugin, features_of
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.runs.files import load_state, save_state
from avalanche_pnr.runs.interruption import Interruption
from avalanche_pnr.training import SelfSupervised
from avalanche_pnr.transforms.reduction import Reduction
from avalanche_pnr.weights import export_backbone, load_backbone

ENLARGED = 1.15
"""Kept images are larger than a view by this factor, so that crops can be drawn."""


@dataclass(frozen=True)
class Schedule:
    """How long an experience is trained: passes follow from the number of images.

    Attributes:
        images: New images.
        batch_size: Images in a step.
        epochs: Passes.
    """

    images: int
    batch_size: int
    epochs: int

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.images // self.batch_size * self.epochs

    @classmethod
    def of(cls, images: int, training: Training) -> "Schedule":
        """The schedule for some images.

        Without ``epochs`` about 400,000 images are passed, in 20 to 200 epochs. Without
        ``batch_size`` a batch is the largest power of two, up to 256, of which an epoch
        holds four.

        Raises:
            ValueError: If there are fewer images than a batch.
        """
        batch_size = training.batch_size or min(
            256, 1 << max(images // 4, 2).bit_length() - 1
        )
        if images < max(batch_size, 2):
            raise ValueError(
                f"{images} new images are fewer than a batch of {batch_size}: add "
                "images, or lower batch_size"
            )
        epochs = training.epochs or min(200, max(20, 400_000 // images))
        return cls(images, batch_size, epochs)


class Cost(NamedTuple):
    """What an experience takes.

    Attributes:
        seconds: Of a step, loading in one process included.
        kept: Bytes that its weights take on the disk.
        meanwhile: Bytes of states on the disk while it is learned.
    """

    seconds: float
    kept: int
    meanwhile: int


class ExperienceTrainer:
    """Trains a learner on images and adds the experience to its folder.

    Args:
        folder: Of the learner.
        settings: Its settings.
        options: Arguments of backbone and method.
        plan: What is known of the experience; see :meth:`LearnerFolder.plan`.
        interruption: Asks to save and stop.
        say: Shows a line.
    """

    def __init__(
        self,
        folder: LearnerFolder,
        settings: Settings,
        options: dict[str, Any],
        plan: dict[str, Any],
        interruption: Interruption,
        say: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.options = options
        self.plan = plan
        self.training = Training(**plan["training"])
        self.interruption = interruption
        self.say = say
        self.number: int = plan["number"]
        self.device = choose_device(self.training.device)
        before = len(folder.experiences())
        self._state = folder.state(before) if before else None
        self._last_save = time.monotonic()
        self._one_size = False

    def run(self, arrivals: Arrivals, learned: Digests) -> None:
        """Learn, or continue, and let the experience enter the folder.

        Args:
            arrivals: The images, in their order.
            learned: Their digests.

        Raises:
            InterruptedRunError: If the process is asked to end; all is saved.
        """
        self._one_size = arrivals.have_one_size
        sample = self._kept("sample").with_arrivals(
            *self._chosen(arrivals, learned, self.training.sample), self._side
        )
        new = self.data_set(self._held(arrivals))
        memory = self.data_set(self._held(self._kept("memory")))
        sets = {k: self.data_set(sample.of(k)) for k in set(sample.experiences)}
        reference = self._state["reference"] if self._state else {}
        watch = WatchPlugin(sets, reference, self.say)
        strategy = self._strategy([watch, self._progress()], memory)
        stream = benchmark_from_datasets(
            train=[memory, new] if len(memory) else [new]
        ).train_stream
        path = self.folder.current / "state.pt"
        if is_saved(path):
            strategy.load_state_dict(load_state(path), stream)
        self._seed()
        strategy.checkpoint_callback = self._pause
        with self.interruption.noted(), self._explained():
            strategy.train(stream[-1], num_workers=self.training.workers)
        features = features_of(strategy.model.backbone, sets, self.device)
        state = {
            "model": strategy.model.state_dict(),
            "sample": sample.state_dict(),
            "memory": self._memory(arrivals, learned).state_dict(),
            # As the representation of an experience was when it ended.
            "reference": {
                **reference,
                **{k: v for k, v in features.items() if k == self.number},
            },
        }
        experience = {
            **self.plan,
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "history": watch.history,
        }
        self.folder.add(
            experience, learned, state, partial(export_backbone, strategy.model)
        )

    def cost(self, arrivals: Arrivals, steps: int = 3) -> Cost:
        """What the experience will take on this machine, tried on some steps.

        Args:
            arrivals: The images.
            steps: How many to try.

        Returns:
            What it takes.
        """
        few = arrivals.subset(range(self.plan["batch_size"]))
        self._one_size = arrivals.have_one_size
        strategy = self._strategy([], self.data_set(KeptImages()))
        strategy.train_epochs = steps
        new = self.data_set(self._held(few))
        begun = time.monotonic()
        strategy.train(benchmark_from_datasets(train=[new]).train_stream[0])
        seconds = (time.monotonic() - begun) / steps
        state, model = strategy.state_dict(), strategy.model
        kept = _size(model.state_dict()) + _size(model.backbone.state_dict())
        return Cost(seconds, kept, 2 * _size(state))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what helps where a loss is not finite."""
        try:
            yield
        except FloatingPointError as error:
            raise FloatingPointError(
                f"experience {self.number} of the learner cannot go on: {error}. Undo "
                f"it (avalanche-pnr undo learner={self.folder.path}) and begin it "
                "anew, with a lower base_lr"
            ) from error

    def _strategy(
        self, watch: Sequence[Any], memory: AvalancheDataset[Any]
    ) -> SelfSupervised:
        first = self.folder.backbone(0)
        method = make_method(
            self.settings, self.options, lambda each: load_backbone(each, first)
        )
        plugins = make_regularizer(self.training)
        if self._state is not None:
            load_weights(method, plugins, self._state["model"])
        batch_size, epochs = self.plan["batch_size"], self.plan["epochs"]
        optimizer = make_optimizer(self.settings, self.training, method, batch_size)
        plugins.append(make_schedule(self.training, optimizer, epochs))
        if len(memory):
            plugins.append(FixedReplayPlugin(memory, batch_size))
        strategy = SelfSupervised(
            model=method,
            optimizer=optimizer,
            train_mb_size=batch_size,
            train_epochs=epochs,
            device=self.device,
            precision=make_precision(self.training),
            plugins=[*plugins, *watch],
            evaluator=make_silent_evaluator(),
        )
        if self._state is not None:
            strategy.past_model.snapshot(method.to(self.device))
        return strategy

    def _seed(self) -> None:
        seed = np.random.SeedSequence([self.settings.seed, self.number - 1])
        RNGManager.set_random_seeds(int(seed.generate_state(1)[0]))

    def _pause(self, strategy: SelfSupervised) -> None:
        minutes = (time.monotonic() - self._last_save) / 60
        due = minutes >= self.training.save_every_minutes and not strategy.within_epoch
        if self.interruption.requested or due:
            save_state(self.folder.current / "state.pt", strategy.state_dict())
            self._last_save = time.monotonic()
            self.interruption.saved = True
        self.interruption.stop_if_requested()

    def _progress(self) -> ProgressPlugin:
        status = self.folder.path / "status.json"
        facts = {"experience": self.number}
        return ProgressPlugin(f"experience {self.number}", status, facts, self.say)

    def _kept(self, name: str) -> KeptImages:
        return KeptImages.from_state(self._state[name]) if self._state else KeptImages()

    def _memory(self, arrivals: Arrivals, learned: Digests) -> KeptImages:
        """The images of all experiences so far with the smallest digests."""
        size = self.training.memory
        if not size:
            return KeptImages()
        chosen = self._chosen(arrivals, learned, size)
        together = self._kept("memory").with_arrivals(*chosen, self._side)
        return together.subset(smallest(together.digests, size))

    def _chosen(
        self, arrivals: Arrivals, learned: Digests, number: int
    ) -> tuple[Arrivals, Digests, int]:
        indices = smallest(learned, number)
        return arrivals.subset(indices), learned[indices], self.number

    @property
    def _side(self) -> int:
        return round(ENLARGED * self.settings.image_size)

    def _held(self, images: Any) -> Any:
        """Images in memory, where whole batches of views are drawn of them."""
        if VIEWS[self.training.views] and len(images):
            return in_memory(
                images, self.device, None if self._one_size else self._side
            )
        return images

    def data_set(self, images: Any) -> AvalancheDataset[Any]:
        """Images with their random views for training, and the plain one to judge."""
        views = make_views(self.settings, self.training)
        plain = make_plain_view(self.settings, self.training.augment)
        groups = {"train": (views, None), "eval": (plain, None)}
        images = reduced(images, Reduction.for_transforms(views, plain))
        made: AvalancheDataset[Any] = as_classification_dataset(images, groups)
        return made


def _size(state: Any) -> int:
    """Bytes of the tensors in nested containers."""
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(map(_size, state.values()))
    return sum(map(_size, state)) if isinstance(state, list | tuple) else 0


def load_weights(
    method: SelfSupervisedMethod, plugins: Iterable[Any], weights: dict[str, Tensor]
) -> None:
    """Let a method go on from weights, with the heads of the plugins at work.

    Args:
        method: The method.
        plugins: Plugins of the experience; heads of others are left behind.
        weights: As an experience ended with.
    """
    for plugin in plugins:
        plugin.add_heads(method, among=weights)
    wanted = method.state_dict()
    method.load_state_dict(
        {
            name: weight
            for name, weight in weights.items()
            if name in wanted or not name.startswith("heads.")
        }
    )


def new_plan(
    number: int, arrivals: Arrivals, facts: dict[str, Any], training: Training
) -> dict[str, Any]:
    """What is known of an experience when it begins."""
    schedule = Schedule.of(len(arrivals), training)
    return {
        "number": number,
        "data": arrivals.source,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "images": len(arrivals),
        **facts,
        "epochs": schedule.epochs,
        "batch_size": schedule.batch_size,
        "steps": schedule.steps,
        "training": asdict(training),
        "torch": torch.__version__,
    }
