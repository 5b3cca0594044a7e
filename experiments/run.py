"""One run: the same stream and seed, once for each regularizer."""

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import concat_datasets
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from avalanche_pnr import SelfSupervised
from avalanche_pnr.distributed.collectives import (
    assert_same_across_ranks,
    broadcast_from_rank0,
    explain_lost_rank,
    rank,
)
from avalanche_pnr.evaluation import Probe
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.runs.failures import explain_dead_worker
from avalanche_pnr.runs.files import (
    load_state,
    previous,
    save_state,
    write_whole,
)
from avalanche_pnr.runs.interruption import Interruption
from avalanche_pnr.runs.lock import locked
from experiments.builders import (
    check_probes,
    check_references,
    check_sizes,
    data_facts,
    make_backbone,
    make_benchmark,
    make_data,
    make_method,
    make_probes,
    resized,
)
from experiments.constants import CONFIG, FIRST_STATE, JOINT, RAW, SINGLE
from experiments.continuing import check_same, differing
from experiments.environment import environment
from experiments.journal import Journal
from experiments.pixels import Pixels
from experiments.progress import Progress, progress_bar
from experiments.trainer import Trainer

MANY_EVALUATIONS = 200
"""Number of evaluations that take longer than training on small experiences."""
FIRST = "first experience"
"""Name of the training that all regularizers share."""


class Comparison:
    """Trains everything that a configuration lists, and writes the results.

    Regularizers share their first experience, which is plain SSL for all of them:
    it is trained once.

    Constructing it reads the data and checks the configuration, and writes nothing.

    Args:
        config: Composed configuration.
        command: Arguments of the command line from which it was composed.
        out: Folder of the run, which exists when it is run; empty, or with the same
            run, stopped.
        bar: Function from a number of epochs to the progress bar.
        patient: As for :class:`~avalanche_pnr.runs.interruption.Interruption`.

    Raises:
        ValueError: If the data, the stream, the method or the probes do not fit
            together.
    """

    def __init__(
        self,
        config: DictConfig,
        command: list[str],
        out: Path,
        bar: Callable[[int], Progress] = progress_bar,
        patient: bool = False,
    ) -> None:
        self.config = config
        self.command = command
        self.out = out
        self.probes = make_probes(config)
        check_references(config.references, self.probes)
        self.data = make_data(config)
        check_probes(self.probes, self.data)
        self.benchmark = make_benchmark(config, self.data)
        check_sizes(config, self.benchmark.train_stream)
        for name in config.regularizers:
            instantiate(config.plugins[name])
        self.interruption = Interruption(patient)
        self.bar = bar(self._epochs())
        minutes = config.save_every_minutes
        self.journal = Journal(out, minutes, self.bar, self.interruption)
        self.trainer = Trainer(config, self.benchmark, out, self.bar, self.journal)
        first = make_method(config), self.probes
        self.first = self.trainer.strategy(FIRST, *first)

    def run(self) -> None:
        """Describe the run, train and evaluate; a stopped run is continued.

        Raises:
            BlockingIOError: If another run is using the folder.
            InterruptedRunError: If the process is asked to end; all is saved.
            ValueError: If the data is not that of the run that was stopped.
        """
        trainings = {JOINT: self._joint, SINGLE: self._single}
        with (
            explain_lost_rank(),
            locked(self.out) if rank() == 0 else nullcontext(),
            self.interruption,
            self.bar,
            self.trainer.loggers,
            explain_dead_worker(),
        ):
            self._begin()
            self._warn_of_many()
            for name in self.config.references:
                self.journal.run_once(name, partial(self._untrained, name))
            for name in self.config.regularizers:
                training = trainings.get(name, self._continual)
                self.journal.run_once(name, partial(training, name))
            self.journal.finish()
            if rank() == 0:
                previous(self.out / FIRST_STATE).unlink(missing_ok=True)

    def _untrained(self, name: str) -> None:
        """Evaluate a network of random weights, or the pixels themselves."""
        config = self.config.copy()
        config.init = None
        method = make_method(config)
        if name == RAW:
            method.backbone = Pixels()
        strategy = self.trainer.strategy(name, method, make_probes(self.config))
        self.trainer.evaluate(name, strategy)

    def _continual(self, name: str) -> None:
        """Train on the experiences one after the other."""
        make = self._fresh if self.journal.has_checkpoint() else self._continued
        strategy = make(name, plugins=instantiate(self.config.plugins[name]))
        if rest := self.benchmark.train_stream[1:]:
            self._learn(name, strategy, rest)
        self.trainer.keep(name, strategy)

    def _joint(self, name: str) -> None:
        """Train once, on the images of all experiences."""
        images = concat_datasets([each.dataset for each in self.benchmark.train_stream])
        strategy = self._fresh(name)
        stream = benchmark_from_datasets(train=[images]).train_stream
        self._learn(name, strategy, stream)
        self.trainer.keep(name, strategy)

    def _single(self, name: str) -> None:
        """Train a network of its own on each experience: the FT[k] of plasticity."""
        self.journal.run_once(f"{name} 1", partial(self._continued, name))
        for index in range(1, len(self.benchmark.train_stream)):
            training = partial(self._alone, name, index)
            self.journal.run_once(f"{name} {index + 1}", training)

    def _alone(self, name: str, index: int) -> None:
        """Train a network on one experience."""
        strategy = self._fresh(name, f"{name} {index + 1}")
        strategy.clock.train_exp_counter = index  # where its row belongs
        self._learn(name, strategy, self.benchmark.train_stream[index : index + 1])

    def _learn(
        self, name: str, strategy: SelfSupervised, experiences: Sequence[Any]
    ) -> None:
        """Train and evaluate from the strategy's state on."""
        if self._restored(strategy, experiences):
            self.trainer.evaluate(name, strategy)
        done = strategy.clock.train_exp_counter - experiences[0].current_experience
        for experience in experiences[done:]:
            self.trainer.train(strategy, experience)
            self.trainer.evaluate(name, strategy)

    def _restored(self, strategy: SelfSupervised, experiences: Sequence[Any]) -> bool:
        """Restore a saved state; True if an experience has not been evaluated yet."""
        if not self.journal.has_checkpoint():
            return False
        return self.journal.restore(strategy, experiences[0].origin_stream)

    def _continued(self, name: str, plugins: Sequence[Any] = ()) -> SelfSupervised:
        """Make a strategy, trained and evaluated on the first experience."""
        strategy = self.trainer.strategy(
            name, *copy.deepcopy(self._after_first), list(plugins)
        )
        self.trainer.attach_loggers(name, strategy)
        self.trainer.run_boundary_hooks(strategy, self.benchmark.train_stream[0])
        self.trainer.evaluate(name, strategy)
        return strategy

    @cached_property
    def _after_first(self) -> tuple[SelfSupervisedMethod, list[Probe]]:
        """Method and probes, trained on the first experience."""
        if FIRST in self.journal.done:
            state = broadcast_from_rank0(lambda: load_state(self.out / FIRST_STATE))
            self.first.load_state_dict(state, self.benchmark.train_stream)
        self.journal.run_once(FIRST, self._train_first)
        return self.first.model, self.probes

    def _train_first(self) -> None:
        """Train on the first experience, and keep the result."""
        self.trainer.attach_loggers(FIRST, self.first)
        if not self._restored(self.first, self.benchmark.train_stream):
            self.trainer.train(self.first, self.benchmark.train_stream[0])
        state = self.first.state_dict()
        for _ in range(2):  # so that there is one before, should it be damaged
            broadcast_from_rank0(lambda: save_state(self.out / FIRST_STATE, state))

    def _fresh(
        self, name: str, training: str = "", plugins: Sequence[Any] = ()
    ) -> SelfSupervised:
        """Make a strategy that has not been trained."""
        model, probes = make_method(self.config), make_probes(self.config)
        strategy = self.trainer.strategy(name, model, probes, plugins)
        return self.trainer.attach_loggers(training or name, strategy)

    def _warn_of_many(self) -> None:
        """Warn of the number of fits of probes, if they take most of the time."""
        names = set(self.config.regularizers)
        length = len(self.benchmark.train_stream)
        count = len(names - {JOINT}) * length + (JOINT in names)
        if count >= MANY_EVALUATIONS:
            self.trainer.bar.write(
                f"note: {count} evaluations are to come, one after each of {length} "
                f"experiences, and each fits {', '.join(p.name for p in self.probes)} "
                "anew: if that takes too long, lower stream.n_experiences, or name "
                "fewer regularizers or probes"
            )

    def _epochs(self) -> int:
        """Total number of passes over an experience."""
        names, rest = (
            set(self.config.regularizers),
            len(self.benchmark.train_stream) - 1,
        )
        several = len(names - {JOINT})
        trainings = bool(several) + several * rest + (JOINT in names)
        return int(trainings * self.config.epochs)

    def _begin(self) -> None:
        """Write the configuration of the run, or check that it is the same."""
        broadcast_from_rank0(self._check_same)
        if self.journal.saved is None:
            config = OmegaConf.to_yaml(self.config, resolve=True)
            broadcast_from_rank0(
                lambda: write_whole(self.out / CONFIG, config.encode())
            )
        data = data_facts(self.config, self.data)
        assert_same_across_ranks(data)
        facts = {"environment": broadcast_from_rank0(environment), "data": data}
        before = self.journal.begin(facts)
        if before is not None:
            self._compare(before, facts)
        self.journal.run_once("description", partial(self._describe, facts))

    def _check_same(self) -> None:
        """Refuse a folder in which another run has started since the last check."""
        if (self.out / CONFIG).exists():
            check_same(self.out, self.config, self.command)

    def _compare(self, before: dict[str, Any], facts: dict[str, Any]) -> None:
        """Report what differs since the run was started; other data is refused."""
        bar = self.bar
        if changed := differing(before["data"], facts["data"]):
            raise ValueError(
                f"the data are not what {self.out} was begun with (differing: "
                f"{changed}): bring them back, or start again with another out="
            )
        bar.write(f"continuing {self.out}: {bar.n} of {bar.total} epochs are done")
        if before["environment"] != facts["environment"]:
            bar.write(
                "note: versions are not those that the run was begun with: what "
                "follows may differ in the last digits"
            )
            self.trainer.write(run="environment", **facts["environment"])

    def _describe(self, facts: dict[str, dict[str, str]]) -> None:
        """Write the facts on which the numbers depend."""
        write, benchmark = self.trainer.write, self.benchmark
        if (weights := make_backbone(self.config)[1]) is not None:
            self.trainer.bar.write(f"init: {weights}")
        if (note := resized(self.config, self.data)) is not None:
            self.trainer.bar.write(note)
        if len(benchmark.train_stream) == 1:
            self.trainer.bar.write(
                "note: the stream has a single experience, and regularizers differ "
                "from the second on: all of them end alike"
            )
        write(run="environment", **facts["environment"], **facts["data"])
        write(run="command", overrides=self.command)
        write(
            run="stream",
            train=len(benchmark.train_stream),
            test=len(benchmark.test_stream),
            classes=len(self.data.class_names),
            skipped=len(self.data.skipped),
            duplicates=self.data.duplicates,
        )
        write(
            run="probes",
            names=[probe.name for probe in self.probes],
            descriptions=[str(probe) for probe in self.probes],
        )
