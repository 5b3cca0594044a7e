"""States that are changed anywhere are taken or refused, and do nothing else.

``FUZZED_STATES`` says how many are tried of each strategy; ``.ci/full`` tries many.
"""

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.evaluation.metrics import accuracy_metrics, loss_metrics
from avalanche.training.plugins import (
    EvaluationPlugin,
    EWCPlugin,
    GEMPlugin,
    LRSchedulerPlugin,
    MASPlugin,
    ReplayPlugin,
    RWalkPlugin,
    SynapticIntelligencePlugin,
)
from avalanche.training.storage_policy import ClassBalancedBuffer

from avalanche_pnr import (
    CaSSLePlugin,
    DERPlugin,
    LUMPPlugin,
    OsirisPlugin,
    PNRPlugin,
    ProbePlugin,
    RepresentationPlugin,
    SelfSupervised,
    WarmupCosinePlugin,
)
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.evaluation import JSONLinesLogger, OnlineProbe
from avalanche_pnr.runs.files import load_state, save_state
from tests.conftest import METHODS, digits_of_each_class
from tests.training.continued import CutAfter, CutError
from tests.training.mutations import mutated

STATES = int(os.environ.get("FUZZED_STATES", "40"))
Plugins = Callable[[Any, CLScenario], list[Any]]

SETS: dict[str, tuple[str, Plugins]] = {
    "replay": (
        "moco",
        lambda optimizer, stream: [
            PNRPlugin(predictor_hidden_dim=16),
            ReplayPlugin(mem_size=20),
            WarmupCosinePlugin(warmup_epochs=0),
            ProbePlugin(stream.probe_stream, [OnlineProbe()]),
            RepresentationPlugin(stream.train_stream, images=4),
        ],
    ),
    "memories": (
        "simclr",
        lambda optimizer, stream: [
            DERPlugin(mem_size=12),
            OsirisPlugin(mem_size=12),
            LUMPPlugin(mem_size=12),
            LRSchedulerPlugin(torch.optim.lr_scheduler.StepLR(optimizer, 1)),
        ],
    ),
    "weights": (
        "byol",
        lambda optimizer, stream: [
            CaSSLePlugin(predictor_hidden_dim=16),
            EWCPlugin(ewc_lambda=0.1),
            MASPlugin(),
            SynapticIntelligencePlugin(si_lambda=1),
            RWalkPlugin(delta_t=1),
        ],
    ),
    "views": (
        "simclr",
        lambda optimizer, stream: [
            GEMPlugin(8, memory_strength=0.5),
            ReplayPlugin(20, storage_policy=ClassBalancedBuffer(20)),
        ],
    ),
}

_watching: list[Path] = []
"""The folder to which writing is allowed, while states are tried."""
_happened: list[str] = []
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen")
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink")


def _note(event: str, args: tuple[Any, ...]) -> None:
    """Audit hook: what runs, and what is written where it should not be."""
    if not _watching:
        return
    writes = event in _CHANGES or (event == "open" and "r" not in (args[1] or "r"))
    outside = writes and not str(args[0]).startswith(str(_watching[0]))
    if event in _RUNS or outside:
        _happened.append(f"{event} {args}")


@pytest.fixture(scope="module", autouse=True)
def audit() -> None:
    sys.addaudithook(_note)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Path]:
    """A folder; whatever happens outside of it, and all changes of classes, fail."""
    torch.optim.SGD([torch.zeros(1)], 0.1)  # PyTorch wraps its step when first made
    before = _classes()
    _watching.append(tmp_path)
    yield tmp_path
    _watching.clear()
    assert _happened == []
    after = _classes()
    for name, methods in before.items():
        assert methods == after[name], name


def _classes() -> dict[str, dict[str, int]]:
    """Identities of what every class that training is made of defines."""
    packages = ("avalanche", "avalanche_pnr", "torch.optim", "torch.nn.modules")
    return {
        f"{module.__name__}.{name}": {
            k: id(v)
            for k, v in vars(cls).items()
            if callable(v) or isinstance(v, property | classmethod | staticmethod)
        }
        for module in list(sys.modules.values())
        if module is not None and module.__name__.startswith(packages)
        for name, cls in list(vars(module).items())
        if isinstance(cls, type)
    }


def made(name: str, stream: CLScenario, folder: Path) -> SelfSupervised:
    torch.manual_seed(0)
    method, plugins = SETS[name]
    model = METHODS[method]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.9)
    return SelfSupervised(
        model=model,
        optimizer=optimizer,
        train_mb_size=8,
        train_epochs=2,
        accumulate=2,
        plugins=plugins(optimizer, stream),
        evaluator=EvaluationPlugin(
            loss_metrics(epoch=True, epoch_running=True),
            accuracy_metrics(stream=True),
            loggers=[JSONLinesLogger(folder / "results.jsonl")],
        ),
    )


@pytest.fixture(scope="module")
def few_digits() -> ImageData:
    return digits_of_each_class(8, 2)


@pytest.mark.parametrize("name", SETS)
def test_changed_states_are_taken_or_refused(
    name: str, benchmark_of_digits: CLScenario, watched: Path
) -> None:
    path, stream = watched / "state.pt", benchmark_of_digits
    strategy = made(name, stream, watched)
    strategy.train(stream.train_stream[0])
    strategy.checkpoint_callback = CutAfter(1, path)
    with pytest.raises(CutError):
        strategy.train(stream.train_stream[1])
    whole = dict(load_state(path))
    assert _refusal(made(name, stream, watched), path, stream) is None
    ends: Counter[str] = Counter()
    for number in range(STATES):
        save_state(path, mutated(whole, random.Random(number)))
        strategy = made(name, stream, watched)
        refusal = _refusal(strategy, path, stream)
        if refusal is None:
            ends[_training(strategy, stream)] += 1
        else:
            ends["refused"] += 1
            assert isinstance(refusal, ValueError), refusal
            assert str(path) in str(refusal), refusal
    assert ends["refused"] > STATES / 3, ends
    # Values that are each what may stand there, and do not go together.
    assert ends["failed"] <= STATES / 20, ends


def _refusal(
    strategy: SelfSupervised, path: Path, stream: CLScenario
) -> Exception | None:
    try:
        strategy.load_state_dict(load_state(path), stream.train_stream)
    except Exception as error:
        return error
    return None


def _training(strategy: SelfSupervised, stream: CLScenario) -> str:
    """How the training ends that goes on from a state that was taken."""
    torch.manual_seed(0)
    try:
        strategy.train(stream.train_stream[1])
    except (FloatingPointError, ValueError):  # other numbers; another experience
        return "stopped"
    except AttributeError as error:
        if "task_set" in str(error):  # balanced over tasks, which this stream lacks
            return "failed"
        raise
    except (LookupError, RuntimeError, TypeError, AssertionError):
        return "failed"
    return "taken"
