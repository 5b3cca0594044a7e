"""Training that was interrupted ends as if it had not been, to the last bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.benchmarks.scenarios.online import split_online_stream
from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metrics import loss_metrics
from avalanche.training.plugins import (
    EvaluationPlugin,
    EWCPlugin,
    LRSchedulerPlugin,
    MASPlugin,
    ReplayPlugin,
    SynapticIntelligencePlugin,
)
from avalanche.training.storage_policy import (
    ReservoirSamplingBuffer,
)

import avalanche_pnr
from avalanche_pnr import (
    CaSSLePlugin,
    CroMoMixupPlugin,
    DERPlugin,
    LessForgetPlugin,
    LUMPPlugin,
    OsirisPlugin,
    PFRPlugin,
    PNRPlugin,
    Precision,
    ProbePlugin,
    RepresentationPlugin,
    SelfSupervised,
    WarmupCosinePlugin,
    ssl_metrics,
)
from avalanche_pnr.evaluation import JSONLinesLogger, NearestMeanProbe, OnlineProbe
from avalanche_pnr.plugins.past_source import Past
from avalanche_pnr.runs.files import load_state, save_state
from tests.conftest import METHODS, tiny_moco
from tests.training.continued import continued, differences, whole

Made = Callable[..., SelfSupervised]

# With batches of 16 an experience of the benchmark has 3 iterations an epoch, so that
# of 2 epochs an experience has 8 pauses.
PAUSES = {
    "in the midst of the first epoch": [2],
    "after the last batch of an epoch": [3],
    "between two epochs": [4],
    "in the midst of the second experience": [8 + 2],
    "at the end of the second experience": [8 + 8],
    "three times": [1, 8 + 6, 3],
}


def made(
    seed: int = 0, method: str = "moco", plugins: Any = None, **options: Any
) -> SelfSupervised:
    torch.manual_seed(seed)
    model = METHODS[method]()
    lr = 0.05 if method == "moco" else 0.002
    if plugins is None:
        plugins = [
            PNRPlugin(predictor_hidden_dim=16),
            ReplayPlugin(mem_size=20),
            WarmupCosinePlugin(warmup_epochs=0),
        ]
    return SelfSupervised(
        **{
            "model": model,
            "optimizer": torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9),
            "train_mb_size": 16,
            "train_epochs": 2,
            "plugins": plugins,
            "evaluator": EvaluationPlugin(loss_metrics(epoch=True), loggers=[]),
            **options,
        }
    )


@pytest.fixture(scope="module")
def unbroken_by_name() -> dict[str, SelfSupervised]:
    """Trainings without a break, beside which several others are interrupted."""
    return {}


@pytest.mark.parametrize("pauses", PAUSES.values(), ids=PAUSES)
def test_moco_pnr_and_replay_end_as_without_a_break(
    pauses: list[int],
    benchmark_of_digits: CLScenario,
    unbroken_by_name: dict[str, SelfSupervised],
    tmp_path: Path,
) -> None:
    stream = benchmark_of_digits.train_stream[:4]
    if "made" not in unbroken_by_name:
        unbroken_by_name["made"] = whole(made, stream)
    unbroken = unbroken_by_name["made"]
    broken = continued(made, stream, tmp_path / "state.pt", pauses)
    assert differences(unbroken.state_dict(), broken.state_dict()) == []
    metrics = [each.evaluator.get_all_metrics() for each in (unbroken, broken)]
    assert metrics[0] == metrics[1] != {}


def test_another_seed_is_told_from_the_same(benchmark_of_digits: CLScenario) -> None:
    stream = benchmark_of_digits.train_stream[:1]
    first, second = (whole(lambda s=s: made(s), stream) for s in (0, 1))
    found = " ".join(differences(first.state_dict(), second.state_dict()))
    for part in ("model.queue.keys", "past_model", "optimizer.state", "plugins"):
        assert part in found


def test_workers_make_no_difference(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    stream = benchmark_of_digits.train_stream[:3]
    unbroken = whole(made, stream)
    broken = continued(made, stream, tmp_path / "state.pt", [8 + 2], num_workers=2)
    assert differences(unbroken.state_dict(), broken.state_dict()) == []


def test_the_past_model_is_the_true_one(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    stream = benchmark_of_digits.train_stream[:3]
    first = whole(made, stream[:1]).past_model.state_dict()
    path = tmp_path / "state.pt"
    broken = made()
    with pytest.raises(AssertionError):  # it ends before the pause, in the second
        continued(made, stream[:2], path, [100])
    continued(made, stream[:2], path, [8 + 3])
    broken.load_state_dict(load_state(path), stream)
    assert differences(first, broken.past_model.state_dict()) == []
    backbone = {
        name.removeprefix("backbone."): tensor
        for name, tensor in broken.model.state_dict().items()
        if name.startswith("backbone.")
    }
    assert not torch.equal(first["0.0.weight"], backbone["0.weight"])


def test_steps_of_several_batches_and_scaled_losses_are_continued(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    """Cut after the first of the two batches of a step."""

    def make() -> SelfSupervised:
        strategy = made(train_mb_size=12, accumulate=2, precision=Precision("float16"))
        scale = {"init_scale": 2.0**10, "growth_interval": 3}  # steps
        strategy.scaler = torch.amp.GradScaler("cpu", **scale)
        return strategy

    stream = benchmark_of_digits.train_stream[:3]
    path = tmp_path / "state.pt"
    broken = continued(make, stream, path, [1, 9 + 1])
    parts = load_state(path)["components"]
    assert parts["accumulation"]["gradients"]
    assert parts["scaler"]["_growth_tracker"] > 0
    unbroken = whole(make, stream)
    assert differences(unbroken.state_dict(), broken.state_dict()) == []
    assert unbroken.scaler.get_scale() > 2.0**10


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"moco"}))
def test_every_method_is_continued(
    method: str, benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    def make() -> SelfSupervised:
        schedule = WarmupCosinePlugin(warmup_epochs=0)
        plugins = [CaSSLePlugin(predictor_hidden_dim=16), schedule]
        return made(method=method, plugins=plugins)

    stream = benchmark_of_digits.train_stream[:3]
    broken = continued(make, stream, tmp_path / "state.pt", [8 + 2])
    assert differences(whole(make, stream).state_dict(), broken.state_dict()) == []


PLUGINS: dict[str, Callable[[], Any]] = {
    "ewc": lambda: EWCPlugin(ewc_lambda=10),
    "mas": lambda: MASPlugin(lambda_reg=10),
    "si": lambda: SynapticIntelligencePlugin(si_lambda=10),
    "reservoir": lambda: ReplayPlugin(
        mem_size=20, storage_policy=ReservoirSamplingBuffer(20)
    ),
    "own ewc": lambda: avalanche_pnr.EWCPlugin(ewc_lambda=10),
    "pfr": lambda: PFRPlugin(hidden_dim=16),
    "less forget": LessForgetPlugin,
    "moving average": lambda: PNRPlugin(
        predictor_hidden_dim=16, past="ema", ema_decay=0.8
    ),
    "less forget, moving average": lambda: LessForgetPlugin(past="ema", ema_decay=0.8),
    "der": lambda: DERPlugin(mem_size=20),
    "lump": lambda: LUMPPlugin(mem_size=20),
    "cromo mixup": lambda: CroMoMixupPlugin(mem_size=20),
    "osiris": lambda: OsirisPlugin(mem_size=20),
}


@pytest.mark.parametrize(
    "pauses",
    [[8], [8 + 2, 6 + 7], [8 + 4]],
    ids=["at an end", "twice in the midst", "between two epochs"],
)
@pytest.mark.parametrize("name", PLUGINS)
def test_plugins_are_continued(
    name: str,
    pauses: list[int],
    benchmark_of_digits: CLScenario,
    unbroken_by_name: dict[str, SelfSupervised],
    tmp_path: Path,
) -> None:
    def make() -> SelfSupervised:
        return made(plugins=[PLUGINS[name]()], method="simclr")

    stream = benchmark_of_digits.train_stream[:4]
    if name not in unbroken_by_name:
        unbroken_by_name[name] = whole(make, stream)
    unbroken = unbroken_by_name[name]
    broken = continued(make, stream, tmp_path / "state.pt", pauses)
    assert differences(unbroken.state_dict(), broken.state_dict()) == []


def test_avalanche_schedules_are_continued(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    def make() -> SelfSupervised:
        strategy = made(plugins=[])
        scheduler = torch.optim.lr_scheduler.StepLR(strategy.optimizer, 1, gamma=0.9)
        strategy.plugins.insert(0, LRSchedulerPlugin(scheduler))
        return strategy

    stream = benchmark_of_digits.train_stream[:3]
    broken = continued(make, stream, tmp_path / "state.pt", [8 + 5])
    assert differences(whole(make, stream).state_dict(), broken.state_dict()) == []


class Hoarder(SupervisedPlugin):
    """Keeps something that is no plain data."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = {"views": iter(())}


def test_a_plugin_that_cannot_be_saved_is_named(
    benchmark_of_digits: CLScenario,
) -> None:
    strategy = whole(
        lambda: made(plugins=[Hoarder()]), benchmark_of_digits.train_stream[:1]
    )
    with pytest.raises(
        TypeError, match=r"Hoarder.kept is a dict, .* leave Hoarder out, or"
    ):
        strategy.state_dict()


def test_other_plugins_are_refused(benchmark_of_digits: CLScenario) -> None:
    stream = benchmark_of_digits.train_stream[:1]
    state = whole(made, stream).state_dict()
    with pytest.raises(ValueError, match=r"with the plugins PNRPlugin, .* this one "):
        made(plugins=[]).load_state_dict(state, stream)


def test_another_optimizer_is_refused(benchmark_of_digits: CLScenario) -> None:
    stream = benchmark_of_digits.train_stream[:1]
    state = whole(made, stream).state_dict()
    model = tiny_moco()
    groups = [
        {"params": list(model.backbone.parameters())},
        {"params": list(model.projector.parameters())},
    ]
    other = made(model=model, optimizer=torch.optim.SGD(groups, lr=0.1))
    with pytest.raises(ValueError, match="optimizer has other parameters"):
        other.load_state_dict(state, stream)


def test_an_unfinished_experience_comes_first(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    stream = benchmark_of_digits.train_stream[:3]
    path = tmp_path / "state.pt"
    continued(made, stream, path, [8 + 2])
    strategy = made()
    strategy.load_state_dict(load_state(path), stream)
    with pytest.raises(ValueError, match="in the midst of experience 1: train on that"):
        strategy.train(stream[2])


@pytest.mark.parametrize(
    ("judge", "eval_every"), [(NearestMeanProbe, 1), (OnlineProbe, -1)]
)
def test_what_is_written_and_what_judges_goes_on(
    judge: Any, eval_every: int, benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    """Periodic evaluation, probes beside the network, lines of the logger."""
    stream = benchmark_of_digits.train_stream[:3]

    def make(path: Path) -> SelfSupervised:
        probe = ProbePlugin(benchmark_of_digits.probe_stream, [judge()])
        watcher = RepresentationPlugin(benchmark_of_digits.train_stream, images=8)
        return made(
            plugins=[PNRPlugin(predictor_hidden_dim=16), probe, watcher],
            evaluator=EvaluationPlugin(
                loss_metrics(epoch=True, epoch_running=True),
                ssl_metrics(probe, watcher),
                loggers=[JSONLinesLogger(path)],
            ),
            eval_every=eval_every,
        )

    test, lines = benchmark_of_digits.test_stream, tmp_path / "broken.jsonl"
    unbroken = whole(
        lambda: make(tmp_path / "whole.jsonl"), stream, eval_streams=[test]
    )
    unbroken.eval(test)
    broken = continued(
        lambda: make(lines),
        stream,
        tmp_path / "state.pt",
        [2, 8 + 3, 8],
        eval_streams=[test],
    )
    broken.eval(test)
    assert differences(unbroken.state_dict(), broken.state_dict()) == []
    assert lines.read_text() == (tmp_path / "whole.jsonl").read_text() != ""


def test_momenta_that_are_kept_are_continued(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    stream = benchmark_of_digits.train_stream[:3]
    options = {"reset_optimizer_state": False}
    unbroken = whole(made, stream, **options)
    path = tmp_path / "state.pt"
    first = whole(made, stream[:2], **options)
    save_state(path, first.state_dict())
    second = made()
    second.load_state_dict(load_state(path), stream)
    assert second.clock.train_exp_counter == 2
    torch.manual_seed(102)
    second.train(stream[2], **options)
    assert differences(unbroken.state_dict(), second.state_dict()) == []


@pytest.mark.parametrize("past", ["experience", "ema"])
def test_online_streams_are_continued(
    past: Past, benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    def parts() -> Any:
        whole_stream = benchmark_of_digits.train_stream[:2]
        return list(
            split_online_stream(
                whole_stream,
                experience_size=24,
                access_task_boundaries=past == "experience",
            )
        )

    def make() -> SelfSupervised:
        return made(plugins=[PNRPlugin(predictor_hidden_dim=16, past=past)])

    torch.manual_seed(5)
    stream = parts()
    # A part has one iteration an epoch, so that two epochs have 4 pauses.
    broken = continued(make, stream, tmp_path / "state.pt", [4 + 3, 4])
    assert differences(whole(make, stream).state_dict(), broken.state_dict()) == []
