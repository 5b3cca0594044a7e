"""Learning one experience, so that it can be stopped at any batch and continued."""

import shlex
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.benchmarks.utils.utils import as_classification_dataset
from torch import Tensor

from avalanche_pnr.benchmarks.reading.file_images import REPLACE, UnreadableImageError
from avalanche_pnr.benchmarks.reading.images import reduced
from avalanche_pnr.benchmarks.reading.in_memory import in_memory
from avalanche_pnr.learner.builders import (
    VIEWS,
    FixedReplayPlugin,
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
from avalanche_pnr.learner.images import Arrivals
from avalanche_pnr.learner.kept import KeptImages, smallest
from avalanche_pnr.learner.options import Settings
from avalanche_pnr.learner.planning import Plan
from avalanche_pnr.learner.watch import ProgressPlugin, WatchPlugin, features_of
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.reproducibility.random_state import seed_experience
from avalanche_pnr.runs.failures import sentence
from avalanche_pnr.runs.files import load_state, save_state
from avalanche_pnr.runs.interruption import Interruption
from avalanche_pnr.runs.periodic_save import PeriodicSave
from avalanche_pnr.training import SelfSupervised
from avalanche_pnr.transforms.reduction import Reduction
from avalanche_pnr.weights import export_backbone, load_backbone

ENLARGED = 1.15
"""Kept images are larger than a view by this factor, so that crops can be drawn."""


TRIED = 8
"""Images from which the size of those that are kept is estimated."""
UNSAVED = "Nothing of it was saved:"


class Cost(NamedTuple):
    """Time and space that an experience takes.

    Attributes:
        seconds: Of a step, loading in one process included.
        weights: Bytes of its weights on the disk.
        images: Bytes of sample and memory on the disk, about.
        meanwhile: Bytes of states on the disk while it is learned.
    """

    seconds: float
    weights: int
    images: int
    meanwhile: int


class ExperienceTrainer:
    """Trains a learner on images and adds the experience to its folder.

    Args:
        folder: Of the learner.
        settings: Its settings.
        options: Arguments of backbone and method.
        plan: Of the experience.
        interruption: Asks to save and stop.
        say: Shows a line.
    """

    def __init__(
        self,
        folder: LearnerFolder,
        settings: Settings,
        options: dict[str, Any],
        plan: Plan,
        interruption: Interruption,
        say: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.options = options
        self.plan = plan
        self.training = plan.training
        self.interruption = interruption
        self.say = say
        self.device = torch.device(plan.device)
        before = len(folder.experiences())
        self._state = folder.state(before) if before else None

    def run(self, arrivals: Arrivals) -> None:
        """Learn, or go on, and add the experience to the learner's folder.

        Args:
            arrivals: The images, in their order.

        Raises:
            FloatingPointError: If the loss is not finite.
            InterruptedRunError: If the process is asked to end; all is saved.
        """
        sample = self._kept("sample").with_arrivals(
            self._chosen(arrivals, self.training.sample), self.plan.number, self._side
        )
        sets = {k: self._data_set(sample.of(k)) for k in set(sample.experiences)}
        reference = self._state["reference"] if self._state else {}
        watch = WatchPlugin(sets, reference, self.say)
        strategy, experience = self._prepared(arrivals, [watch, self._progress()])
        path = self.folder.current / "state.pt"
        if self._saved:
            stream = experience.origin_stream
            strategy.load_state_dict(load_state(path), stream)
        seed_experience(self.settings.seed, self.plan.number - 1)
        minutes = self.training.save_every_minutes
        strategy.checkpoint_callback = PeriodicSave(
            minutes, self.interruption, self._save
        ).checkpoint
        with self.interruption.noted(), self._explained():
            strategy.train(experience, num_workers=self.training.workers)
        own = {k: v for k, v in sets.items() if k == self.plan.number}
        state = {
            "model": strategy.model.state_dict(),
            "sample": sample.state_dict(),
            "memory": self._memory(arrivals).state_dict(),
            # Of each experience as it was represented when it ended.
            "reference": {
                **reference,
                **features_of(strategy.model.backbone, own, self.device),
            },
        }
        outcome = {
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "history": watch.history,
        }
        write_backbone = partial(export_backbone, strategy.model)
        self.folder.add(self.plan, outcome, arrivals.digests, state, write_backbone)

    def cost(self, arrivals: Arrivals, steps: int = 3) -> Cost:
        """Measure on some steps how much the experience takes on this machine.

        Args:
            arrivals: The images.
            steps: Number of steps to try.
        """
        few = arrivals.subset(range(self.plan.batch_size))
        strategy, experience = self._prepared(few, [])
        strategy.train_epochs = steps
        begun = time.monotonic()
        with warnings.catch_warnings():  # the trial is short, not the experience
            warnings.filterwarnings("ignore", "warm-up shortened")
            strategy.train(experience)
        seconds = (time.monotonic() - begun) / steps
        model = strategy.model
        stored = _size(model.state_dict()) + _size(model.backbone.state_dict())
        return Cost(
            seconds,
            stored,
            self._kept_bytes(arrivals),
            2 * _size(strategy.state_dict()),
        )

    def _kept_bytes(self, arrivals: Arrivals) -> int:
        """Estimate the size of sample and memory from some of the new images."""
        tried = arrivals.subset(range(min(len(arrivals), TRIED)))
        each = KeptImages().with_arrivals(tried, self.plan.number, self._side).size
        size, images = each / len(tried), len(arrivals)
        sample, memory = self._kept("sample"), self._kept("memory")
        remembered = min(self.training.memory, len(memory) + images)
        new = min(self.training.sample, images) + remembered
        return sample.size + round(size * new)

    def _prepared(
        self, arrivals: Arrivals, watchers: Sequence[Any]
    ) -> tuple[SelfSupervised, Any]:
        """Make the strategy, and the experience that it trains on."""
        held = self._in_memory(arrivals, arrivals.have_one_size)
        new = self._data_set(held)
        memory = self._data_set(self._in_memory(self._kept("memory")))
        strategy = self._strategy(watchers, memory)
        # The memory is an experience before: a state knows its images as well.
        sets = [memory, new] if len(memory) else [new]
        return strategy, benchmark_from_datasets(train=sets).train_stream[-1]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Add the remedy where the loss is not finite, or an image has gone."""
        stopped = f"experience {self.plan.number} of the learner cannot go on"
        undo = f"avalanche-pnr undo {shlex.quote(f'learner={self.folder.path}')}"
        try:
            yield
        except FloatingPointError as error:
            # What was not saved is gone, and undo would take the experience before.
            remedy = (
                f"Undo it ({undo}) and begin" if self._saved else f"{UNSAVED} begin"
            )
            raise FloatingPointError(
                f"{stopped}: {error}. {remedy} it anew, with a lower base_lr"
            ) from error
        except (UnreadableImageError, FileNotFoundError) as error:
            what = sentence(error).removesuffix(REPLACE)
            remedy = (
                f"Once it is as it was the same command goes on; or undo it ({undo})"
                if self._saved
                else f"{UNSAVED} the same command begins it anew"
            )
            raise UnreadableImageError(f"{stopped}: {what}. {remedy}") from error

    @property
    def _saved(self) -> bool:
        return is_saved(self.folder.current / "state.pt")

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
        batch_size, epochs = self.plan.batch_size, self.plan.epochs
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

    def _save(self, strategy: SelfSupervised) -> None:
        save_state(self.folder.current / "state.pt", strategy.state_dict())
        self.interruption.saved = True

    def _progress(self) -> ProgressPlugin:
        status = self.folder.path / "status.json"
        facts = {"experience": self.plan.number}
        name = f"experience {self.plan.number}"
        return ProgressPlugin(name, status, facts, self.say)

    def _kept(self, name: str) -> KeptImages:
        return KeptImages.from_state(self._state[name]) if self._state else KeptImages()

    def _memory(self, arrivals: Arrivals) -> KeptImages:
        """Keep the images of all experiences so far with the smallest digests."""
        size = self.training.memory
        if not size:
            return KeptImages()
        together = self._kept("memory").with_arrivals(
            self._chosen(arrivals, size), self.plan.number, self._side
        )
        return together.subset(smallest(together.digests, size))

    def _chosen(self, arrivals: Arrivals, number: int) -> Arrivals:
        return arrivals.subset(smallest(arrivals.digests, number))

    @property
    def _side(self) -> int:
        return round(ENLARGED * self.settings.image_size)

    def _in_memory(self, images: Any, have_one_size: bool = False) -> Any:
        """Hold images in memory where whole batches of views are drawn of them."""
        if VIEWS[self.training.views] and len(images):
            return in_memory(images, self.device, None if have_one_size else self._side)
        return images

    def _data_set(self, images: Any) -> AvalancheDataset[Any]:
        """Add random views for training, and the plain one for judging."""
        views = make_views(self.settings, self.training)
        plain = make_plain_view(self.settings, self.training.augment)
        groups = {"train": (views, None), "eval": (plain, None)}
        images = reduced(images, Reduction.for_transforms(views, plain))
        made: AvalancheDataset[Any] = as_classification_dataset(images, groups)
        return made


def _size(state: Any) -> int:
    """Sum up the bytes of the tensors in nested containers."""
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(map(_size, state.values()))
    return sum(map(_size, state)) if isinstance(state, list | tuple) else 0


def load_weights(
    method: SelfSupervisedMethod, plugins: Iterable[Any], weights: dict[str, Tensor]
) -> None:
    """Load the weights that an experience ended with into a method.

    Args:
        method: The method.
        plugins: Plugins of the next experience; heads of others are left behind.
        weights: State of the method, with its heads.
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
