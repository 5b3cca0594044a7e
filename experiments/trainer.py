"""Making, training and evaluating strategies, for all trainings of a run.

On several processes the first one writes.
"""

import io
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from avalanche.benchmarks import CLScenario
from avalanche.evaluation.metrics import loss_metrics
from avalanche.training.plugins import EvaluationPlugin
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from avalanche_pnr import ProbePlugin, SelfSupervised, ssl_metrics
from avalanche_pnr.distributed.collectives import broadcast_from_rank0, rank
from avalanche_pnr.evaluation import JSONLinesLogger, Probe
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.reproducibility.random_state import seed_experience
from avalanche_pnr.runs.files import append, write_whole
from avalanche_pnr.weights import export_backbone
from experiments.builders import make_downstream, make_probes, make_watchers
from experiments.constants import BACKBONE, FEATURES, RESULTS
from experiments.journal import Journal
from experiments.progress import Progress, ProgressPlugin
from experiments.sample import save_features

LAST_FINITE_STATE = "last_finite_state.pt"
EVAL_BATCH_SIZE = 512


class Trainer:
    """Makes, trains and evaluates strategies on one stream.

    Args:
        config: Composed configuration.
        benchmark: The stream of experiences.
        out: Folder of the run.
        bar: Progress bar over all epochs.
        journal: Journal that saves strategies in training.

    Attributes:
        loggers: Closes the attached loggers when the run ends.
    """

    def __init__(
        self,
        config: DictConfig,
        benchmark: CLScenario,
        out: Path,
        bar: Progress,
        journal: Journal,
    ) -> None:
        self.config = config
        self.benchmark = benchmark
        self.out = out
        self.probes = make_probes(config)
        self.downstream = make_downstream(config)
        self.bar = bar
        self.journal = journal
        self.loggers = ExitStack()

    def strategy(
        self,
        name: str,
        model: SelfSupervisedMethod,
        probes: Sequence[Probe],
        plugins: Sequence[Any] = (),
    ) -> SelfSupervised:
        """Make a strategy whose numbers are written under a name."""
        config = self.config
        judges: list[Any] = make_watchers(config, self.benchmark, self.downstream)
        if self.benchmark.probe_stream:
            judges.insert(0, ProbePlugin(self.benchmark.probe_stream, probes))
        schedule = instantiate(config.schedule)
        optimizer = instantiate(config.optimizer)(model.parameters())
        schedule.check(optimizer)
        progress = ProgressPlugin(self.bar, name)
        strategy = SelfSupervised(
            model=model,
            optimizer=optimizer,
            train_mb_size=config.batch_size,
            train_epochs=config.epochs,
            eval_mb_size=EVAL_BATCH_SIZE,
            device=config.device,
            precision=instantiate(config.precision),
            accumulate=config.accumulate,
            sync_batchnorm=config.sync_batchnorm,
            plugins=[*plugins, *judges, schedule, progress],
            evaluator=EvaluationPlugin(
                loss_metrics(epoch=True),
                ssl_metrics(*judges),
                loggers=(
                    [JSONLinesLogger(self.out / RESULTS, run=name)]
                    if rank() == 0
                    else None
                ),
            ),
        )
        strategy.checkpoint_callback = self.journal.periodic.checkpoint
        return strategy

    def attach_loggers(self, name: str, strategy: SelfSupervised) -> SelfSupervised:
        """Attach those of Avalanche's loggers that the configuration names.

        They write as soon as they are made, and are closed with :attr:`loggers`.
        """
        values = {"out": str(self.out), "training": name}
        config = OmegaConf.merge(self.config, values)
        if rank() == 0:
            loggers = [instantiate(config.logger[each]) for each in config.loggers]
            strategy.evaluator.loggers += loggers
            for logger in loggers:
                # Avalanche's logger for TensorBoard can only be closed by its writer.
                written_to = getattr(logger, "writer", logger)
                if hasattr(written_to, "close"):
                    self.loggers.callback(written_to.close)
        return strategy

    def train(self, strategy: SelfSupervised, experience: Any) -> None:
        """Train on an experience, with random numbers of its own, and save.

        Raises:
            FloatingPointError: If the loss is not finite; the message names the file
                with the last finite state.
            InterruptedRunError: If the process is asked to end; it is saved.
        """
        self._seed(experience)
        try:
            with self.journal.interruption.noted():
                strategy.train(experience, num_workers=self.config.workers)
                self.journal.save(strategy)
        except FloatingPointError as error:
            state = self._keep(strategy.model)
            raise FloatingPointError(f"{error} (its state: {state})") from error

    def run_boundary_hooks(self, strategy: SelfSupervised, experience: Any) -> None:
        """Make a strategy treat its model as already trained on an experience.

        It trains for zero epochs: all hooks at the boundary are called (past model,
        replay buffers, counters), and no step is taken.
        """
        self._seed(experience)
        epochs, strategy.train_epochs = strategy.train_epochs, 0
        strategy.train(experience)
        strategy.train_epochs = epochs

    def _seed(self, experience: Any) -> None:
        seed_experience(self.config.seed, experience.current_experience)

    def _keep(self, model: SelfSupervisedMethod) -> Path:
        """Write the weights of a training that has failed."""
        path, content = self.out / LAST_FINITE_STATE, io.BytesIO()
        torch.save(model.state_dict(), content)
        if rank() == 0:
            write_whole(path, content.getvalue())
        return path

    def evaluate(self, name: str, strategy: SelfSupervised) -> None:
        """Evaluate on all test data, and print how good the features are."""
        self.bar.set_description(f"judging {name}")
        stream = self.benchmark.test_stream
        metrics = strategy.eval(stream, num_workers=self.config.workers)
        accuracies = ", ".join(
            f"{probe.name} {value:.3f}"
            for probe in self.probes
            for key, value in metrics.items()
            if key.startswith(f"{probe.name.capitalize()}_Acc_Stream/")
        )
        after = strategy.clock.train_exp_counter
        when = f"after experience {after}" if after else "untrained"
        data = "test data" if self.config.validation is None else "validation data"
        told = f"{data}: {accuracies or 'no accuracy without several classes'}"
        self.bar.write(f"{name}: {when}, {told}")

    def keep(self, name: str, strategy: SelfSupervised) -> None:
        """Save the backbone, and features of test images for the report's pictures."""
        weights = self.out / BACKBONE.format(name=name)
        broadcast_from_rank0(lambda: export_backbone(strategy.model, weights))
        if not self.benchmark.probe_stream:
            return  # the pictures are of labelled images
        path = self.out / FEATURES.format(name=name)
        stream = self.benchmark.test_stream
        save_features(path, strategy.model, stream, **self._extraction())

    def write(self, **record: Any) -> None:
        """Add a line to the results."""
        if rank() == 0:
            append(self.out / RESULTS, json.dumps(record) + "\n")

    def _extraction(self) -> dict[str, Any]:
        """Arguments of the extraction of features."""
        return {
            "batch_size": EVAL_BATCH_SIZE,
            "device": self.config.device,
            "num_workers": self.config.workers,
        }
