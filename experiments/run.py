"""One run: the same stream and seed, once for each regularizer."""

import copy
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from avalanche.benchmarks import CLScenario
from avalanche.evaluation.metrics import loss_metrics
from avalanche.training.determinism.rng_manager import RNGManager
from avalanche.training.plugins import EvaluationPlugin
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn
from tqdm import tqdm

from avalanche_pnr import ProbePlugin, SelfSupervised, probe_metrics
from avalanche_pnr.evaluation import JSONLinesLogger, Probe, probe_accuracy
from avalanche_pnr.methods import SelfSupervisedMethod
from experiments.overrides import check_choice
from experiments.progress import ProgressPlugin

RESULTS = "results.jsonl"
CONFIG = "config.yaml"
LAST_FINITE_STATE = "last_finite_state.pt"
RAW, RANDOM = REFERENCES = ("raw pixels", "random backbone")
PACKAGES = ("torch", "torchvision", "avalanche-lib", "lightly", "numpy")


def make_benchmark(config: DictConfig) -> CLScenario:
    """The stream of experiences that a configuration describes."""
    return instantiate(
        config.stream,
        instantiate(config.data.source),
        train_transform=instantiate(config.data.views),
        eval_transform=instantiate(config.data.plain_view),
    )


def make_method(config: DictConfig) -> SelfSupervisedMethod:
    """The method with its backbone, initialised by the seed."""
    RNGManager.set_random_seeds(config.seed)
    size = config.data.image_size
    backbone = instantiate(config.backbone)
    method: SelfSupervisedMethod = instantiate(
        config.method, backbone, image_shape=(3, size, size)
    )
    return method.to(memory_format=torch.channels_last)


class Comparison:
    """Trains every regularizer of a configuration and writes what comes out.

    The first experience is plain SSL for all of them: it is trained once.

    Constructing it reads the data and checks the configuration, and writes nothing.

    Args:
        config: Composed configuration.
        command: Arguments of the command line that it was composed from.
        out: Folder of the run, existing and empty when it is run.

    Raises:
        ValueError: If the data, the stream or the method do not fit together.
    """

    def __init__(self, config: DictConfig, command: list[str], out: Path) -> None:
        for name in config.references:
            check_choice("reference", name, REFERENCES)
        self.config = config
        self.command = command
        self.out = out
        self.benchmark = make_benchmark(config)
        smallest = min(len(each.dataset) for each in self.benchmark.train_stream)
        if smallest < config.batch_size:
            raise ValueError(
                f"the smallest experience has {smallest} images, less than one batch "
                f"of {config.batch_size}: lower batch_size or stream.experiences"
            )
        experiences = len(self.benchmark.train_stream)
        trainings = 1 + len(config.regularizers) * (experiences - 1)
        self.bar = tqdm(
            total=trainings * config.epochs, unit="epoch", delay=1, leave=False
        )
        for name in config.regularizers:
            instantiate(config.plugins[name])
        self.first = self._strategy("first experience", make_method(config), [])

    def run(self) -> None:
        """Write configuration and environment, then train and judge."""
        OmegaConf.save(self.config, self.out / CONFIG, resolve=True)
        self._write(run="environment", **environment())
        self._write(run="command", overrides=self.command)
        self._write(run="stream", **self._lengths())
        references = {RAW: nn.Flatten(), RANDOM: self.first.model}
        for name in self.config.references:
            self._judge(name, references[name])
        self._train(self.first, self.benchmark.train_stream[0])
        for name in self.config.regularizers:
            self._continue(name, copy.deepcopy(self.first.model))
        self.bar.close()

    def _continue(self, name: str, method: SelfSupervisedMethod) -> None:
        plugins = instantiate(self.config.plugins[name])
        strategy = self._strategy(name, method, list(plugins))
        adopt(strategy, self.benchmark.train_stream[0])
        self._eval(strategy)
        for experience in self.benchmark.train_stream[1:]:
            self._train(strategy, experience)
            metrics = self._eval(strategy)
            self.bar.write(_summary(name, experience.current_experience, metrics))

    def _eval(self, strategy: SelfSupervised) -> dict[str, Any]:
        stream = self.benchmark.test_stream
        return strategy.eval(stream, num_workers=self.config.workers)

    def _train(self, strategy: SelfSupervised, experience: Any) -> None:
        seed = np.random.SeedSequence([self.config.seed, experience.current_experience])
        RNGManager.set_random_seeds(int(seed.generate_state(1)[0]))
        try:
            strategy.train(experience, num_workers=self.config.workers)
        except FloatingPointError as error:
            state = self.out / LAST_FINITE_STATE
            torch.save(strategy.model.state_dict(), state)
            raise FloatingPointError(f"{error} (its state: {state})") from error

    def _strategy(
        self, name: str, method: SelfSupervisedMethod, plugins: list[Any]
    ) -> SelfSupervised:
        config = self.config
        probe = ProbePlugin(self.benchmark.train_stream, self._probes())
        evaluator = EvaluationPlugin(
            loss_metrics(epoch=True),
            probe_metrics(probe),
            loggers=[JSONLinesLogger(self.out / RESULTS, run=name)],
        )
        length = len(self.benchmark.train_stream)
        schedule = instantiate(config.schedule)
        optimizer = instantiate(config.optimizer)(method.parameters())
        schedule.check(optimizer)
        plugins += [probe, schedule]
        plugins += [ProgressPlugin(self.bar, name, length)]
        return SelfSupervised(
            model=method,
            optimizer=optimizer,
            train_mb_size=config.batch_size,
            train_epochs=config.epochs,
            eval_mb_size=512,
            device=config.device,
            plugins=plugins,
            evaluator=evaluator,
        )

    def _probes(self) -> list[Probe]:
        return list(instantiate(self.config.probes).values())

    def _judge(self, name: str, model: nn.Module) -> None:
        """Write the accuracies of a network that is not trained."""
        self.bar.set_description(f"judging {name}")
        accuracies = probe_accuracy(
            model.to(self.config.device),
            self.benchmark.train_stream,
            self.benchmark.test_stream,
            self._probes(),
            device=self.config.device,
            num_workers=self.config.workers,
        )
        for probe, values in accuracies.items():
            for experience, value in enumerate(values):
                self._write(
                    run=name,
                    metric=f"{probe.capitalize()}_Acc_Exp",
                    value=value,
                    after=0,
                    stream="test",
                    experience=experience,
                )

    def _lengths(self) -> dict[str, int]:
        """Experiences that are trained on, and that are tested on."""
        benchmark = self.benchmark
        return {
            "train": len(benchmark.train_stream),
            "test": len(benchmark.test_stream),
        }

    def _write(self, **record: Any) -> None:
        with (self.out / RESULTS).open("a") as file:
            file.write(json.dumps(record) + "\n")


def adopt(strategy: SelfSupervised, experience: Any) -> None:
    """Let a strategy treat its model as already trained on an experience.

    Zero epochs of training: all hooks of the boundary happen (past model, replay
    buffers, counters), and no step.
    """
    epochs, strategy.train_epochs = strategy.train_epochs, 0
    strategy.train(experience)
    strategy.train_epochs = epochs


def environment() -> dict[str, str]:
    """Versions that the numbers of a run depend on."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{package: version(package) for package in PACKAGES},
    }


def _summary(name: str, experience: int, metrics: dict[str, Any]) -> str:
    stream = {
        key.split("_Acc_Stream")[0].lower(): value
        for key, value in metrics.items()
        if "_Acc_Stream" in key
    }
    accuracies = ", ".join(f"{probe} {value:.3f}" for probe, value in stream.items())
    return f"{name}: after experience {experience + 1}, all test data: {accuracies}"
