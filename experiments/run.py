"""One run: the same stream and seed, once for each regularizer."""

import copy
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import concat_datasets
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from avalanche_pnr import SelfSupervised
from avalanche_pnr.evaluation import Probe
from avalanche_pnr.methods import SelfSupervisedMethod
from experiments.environment import environment
from experiments.names import CONFIG, JOINT, RAW, SINGLE
from experiments.parts import (
    check_probes,
    check_references,
    check_sizes,
    make_benchmark,
    make_data,
    make_method,
    make_probes,
)
from experiments.trainer import Trainer, adopt

FIRST = "first experience"
"""Name of the training that all regularizers share."""


class Comparison:
    """Trains everything that a configuration lists and writes what comes out.

    Regularizers share their first experience, which is plain SSL for all of them:
    it is trained once.

    Constructing it reads the data and checks the configuration, and writes nothing.

    Args:
        config: Composed configuration.
        command: Arguments of the command line that it was composed from.
        out: Folder of the run, existing and empty when it is run.

    Raises:
        ValueError: If the data, the stream, the method or the probes do not fit
            together.
    """

    def __init__(self, config: DictConfig, command: list[str], out: Path) -> None:
        self.config = config
        self.command = command
        self.out = out
        self.probes = make_probes(config)
        check_references(config.references, self.probes)
        self.data = make_data(config)
        check_probes(self.probes, self.data)
        self.benchmark = make_benchmark(config, self.data)
        check_sizes(self.benchmark.train_stream, config.batch_size)
        for name in config.regularizers:
            instantiate(config.plugins[name])
        self.trainer = Trainer(config, self.benchmark, out, self._epochs())
        first = make_method(config), self.probes
        self.first = self.trainer.strategy(FIRST, *first)

    def run(self) -> None:
        """Write what is run, then train and judge."""
        OmegaConf.save(self.config, self.out / CONFIG, resolve=True)
        self._describe()
        trainings = {JOINT: self._joint, SINGLE: self._single}
        with self.trainer.bar:
            for name in self.config.references:
                self._untrained(name)
            for name in self.config.regularizers:
                trainings.get(name, self._continual)(name)

    def _untrained(self, name: str) -> None:
        """Judge a network that is not trained, or the pixels themselves."""
        method = make_method(self.config)
        if name == RAW:
            method.backbone = nn.Flatten()
        strategy = self.trainer.strategy(name, method, make_probes(self.config))
        self.trainer.judge(name, strategy)

    def _continual(self, name: str) -> None:
        """Go through the experiences one after the other."""
        strategy = self._continued(name, instantiate(self.config.plugins[name]))
        for experience in self.benchmark.train_stream[1:]:
            self.trainer.train(strategy, experience)
            self.trainer.judge(name, strategy)
        self.trainer.keep_features(name, strategy)

    def _joint(self, name: str) -> None:
        """Train once, on the images of all experiences."""
        images = concat_datasets([each.dataset for each in self.benchmark.train_stream])
        experience = benchmark_from_datasets(train=[images]).train_stream[0]
        strategy = self._fresh(name, name)
        self.trainer.train(strategy, experience)
        self.trainer.judge(name, strategy)
        self.trainer.keep_features(name, strategy)

    def _single(self, name: str) -> None:
        """Train a network of its own on each experience: the FT_k of plasticity."""
        self._continued(name)
        for index, experience in enumerate(self.benchmark.train_stream[1:], start=1):
            strategy = self._fresh(name, f"{name} {index + 1}")
            strategy.clock.train_exp_counter = index  # where its row belongs
            self.trainer.train(strategy, experience)
            self.trainer.judge(name, strategy)

    def _continued(self, name: str, plugins: Sequence[Any] = ()) -> SelfSupervised:
        """A strategy that stands, judged, after the first experience."""
        strategy = self.trainer.strategy(
            name, *copy.deepcopy(self._after_first), list(plugins)
        )
        self.trainer.listen(name, strategy)
        adopt(strategy, self.benchmark.train_stream[0])
        self.trainer.judge(name, strategy)
        return strategy

    @cached_property
    def _after_first(self) -> tuple[SelfSupervisedMethod, list[Probe]]:
        """Network and probes, trained on the first experience."""
        self.trainer.listen(FIRST, self.first)
        self.trainer.train(self.first, self.benchmark.train_stream[0])
        return self.first.model, self.probes

    def _fresh(self, name: str, training: str) -> SelfSupervised:
        """A strategy that stands where the first experience begins."""
        model, probes = make_method(self.config), make_probes(self.config)
        strategy = self.trainer.strategy(name, model, probes)
        return self.trainer.listen(training, strategy)

    def _epochs(self) -> int:
        """Passes over an experience in all."""
        names, rest = (
            set(self.config.regularizers),
            len(self.benchmark.train_stream) - 1,
        )
        several = len(names - {JOINT})
        trainings = bool(several) + several * rest + (JOINT in names)
        return int(trainings * self.config.epochs)

    def _describe(self) -> None:
        """Write what the numbers depend on."""
        write, benchmark = self.trainer.write, self.benchmark
        write(run="environment", **environment())
        write(run="command", overrides=self.command)
        write(
            run="stream",
            train=len(benchmark.train_stream),
            test=len(benchmark.test_stream),
            skipped=len(self.data.skipped),
            duplicates=self.data.duplicates,
        )
        write(
            run="probes",
            names=[probe.name for probe in self.probes],
            descriptions=[str(probe) for probe in self.probes],
        )
