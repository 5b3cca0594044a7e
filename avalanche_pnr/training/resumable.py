"""Training that can be interrupted anywhere and continued to the last bit."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from avalanche_pnr.benchmarks.stream_samples import StreamSamples
from avalanche_pnr.files import naming_file
from avalanche_pnr.sampling import SeededLoader
from avalanche_pnr.training.checkpoint import (
    check_state,
    restore_strategy,
    strategy_state,
    whole_stream,
)


class ResumableTraining:
    """Avalanche mixin: a loop whose state can be taken between any two batches.

    Batches are functions of a seed, which is drawn when an experience begins, of epoch
    and index; so an epoch goes on by leaving out the batches that were trained on.

    Attributes:
        pause: Called with the strategy after each iteration and after each epoch,
            where its state is whole: to save it, or to stop by raising an error.
        within_epoch: Whether the present epoch has batches to come.
        seed: Of the batches of the present experience.
    """

    clock: Any
    dataloader: Any
    evaluator: Any
    experience: Any
    train_epochs: int
    _stop_training: bool
    pause: Callable[[Any], None] | None = None
    within_epoch: bool = False
    seed: int = 0

    _unfinished: dict[str, Any] | None = None
    """A state saved in the midst of an experience, until it is gone on with."""
    _samples: StreamSamples | None = None

    def state_dict(self) -> dict[str, Any]:
        """All that training depends on, as tensors and plain data.

        Model, past model, optimizer, plugins, metrics, counters and random number
        generators; remembered images as indices into the stream, with a digest of
        each. Like a module's, the tensors are no copies. It may be taken between
        experiences and in ``pause``, on several processes by all of them: it is the
        same in each.

        Raises:
            TypeError: If a plugin holds what cannot be saved; the message names it.
        """
        self.average_statistics()  # type: ignore[attr-defined]
        state = strategy_state(self, self._samples)
        within = self.experience is not None
        batches = self.clock.train_epoch_iterations if self.within_epoch else 0
        return {
            **state,
            "experience": self.experience.current_experience if within else None,
            "batches": batches,
            "seed": self.seed,
        }

    def load_state_dict(
        self, state: dict[str, Any], stream: Iterable[Any] = ()
    ) -> None:
        """Go on where another strategy, made with the same arguments, stood.

        If that was in the midst of an experience, :meth:`train` continues it when it
        is next called, with that experience::

            strategy.load_state_dict(load_state(path), benchmark.train_stream)
            for experience in benchmark.train_stream[strategy.clock.train_exp_counter:]:
                strategy.train(experience)

        Args:
            state: What :meth:`state_dict` returned.
            stream: The train stream; remembered images are found in it. It may be left
                out where none are remembered.

        Raises:
            ValueError: If plugins or parameters are others than those of the state, a
                remembered image is not where it was, or anything else does not belong
                where it stands; with the file that it was read from. The strategy is
                of no use then.
        """
        experiences = list(stream)
        self._samples = StreamSamples(experiences) if experiences else None
        self._restore(state)
        self._unfinished = None if state["experience"] is None else state

    def __getstate__(self) -> dict[str, Any]:
        # Avalanche's checkpoints would hold the images of the whole stream.
        state = super().__getstate__()
        assert isinstance(state, dict)
        return {k: v for k, v in state.items() if k not in ("_samples", "pause")}

    def _restore(self, state: dict[str, Any]) -> None:
        with naming_file(state):
            check_state(state)
            restore_strategy(self, state, self._samples)
            self.seed = state["seed"]

    def _before_training(self, **kwargs: Any) -> None:
        # What this experience began with has been logged already.
        self.evaluator.active = self._unfinished is None
        super()._before_training(**kwargs)  # type: ignore[misc]

    def _before_training_exp(self, **kwargs: Any) -> None:
        state, present = self._unfinished, self.experience.current_experience
        if state is not None and state["experience"] != present:
            raise ValueError(
                f"the state was saved in the midst of experience {state['experience']}:"
                f" train on that one before experience {present}"
            )
        if self._samples is None:
            self._samples = StreamSamples(whole_stream(self.experience))
        super()._before_training_exp(**kwargs)  # type: ignore[misc]

    def _train_exp(
        self, experience: Any, eval_streams: Any = None, **kwargs: Any
    ) -> None:
        """Avalanche's loop over epochs, from where an interrupted one stood.

        All hooks that begin an experience have run; what they did to the state is
        replaced by the state that was saved.
        """
        self.seed = int(torch.randint(2**62, ()))
        state, self._unfinished = self._unfinished, None
        if state is not None:
            self._restore(state)
            self.evaluator.active = True
        for _ in range(self.clock.train_exp_epochs, self.train_epochs):
            self._before_training_epoch(**kwargs)
            if self._stop_training:  # early
                self._stop_training = False
                break
            if state is not None and state["batches"]:
                self._restore(state)
                self.dataloader.skip = state["batches"]
            state = None
            self.within_epoch = True
            self.training_epoch(**kwargs)  # type: ignore[attr-defined]
            self.within_epoch = False
            self._after_training_epoch(**kwargs)

    def _before_training_epoch(self, **kwargs: Any) -> None:
        super()._before_training_epoch(**kwargs)  # type: ignore[misc]
        if not isinstance(self.dataloader, SeededLoader):
            self.dataloader = SeededLoader(self.dataloader, self.seed)
        self.dataloader.epoch = self.clock.train_exp_epochs

    def _after_training_iteration(self, **kwargs: Any) -> None:
        super()._after_training_iteration(**kwargs)  # type: ignore[misc]
        if self.pause is not None:
            self.pause(self)

    def _after_training_epoch(self, **kwargs: Any) -> None:
        super()._after_training_epoch(**kwargs)  # type: ignore[misc]
        if self.pause is not None:
            self.pause(self)
