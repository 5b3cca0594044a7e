"""What is refused of a state: whatever the strategy that is there does not expect."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metrics import (
    accuracy_metrics,
    bwt_metrics,
    forgetting_metrics,
    forward_transfer_metrics,
    labels_repartition_metrics,
    loss_metrics,
    timing_metrics,
)
from avalanche.training.plugins import EvaluationPlugin, EWCPlugin

from avalanche_pnr import (
    DERPlugin,
    OsirisPlugin,
    PFRPlugin,
    PNRPlugin,
    ProbePlugin,
    SelfSupervised,
    WarmupCosinePlugin,
)
from avalanche_pnr.evaluation import JSONLinesLogger, NearestMeanProbe
from avalanche_pnr.runs.files import load_state, save_state
from avalanche_pnr.training.state_contents import ATTRIBUTES
from tests.conftest import tiny_moco
from tests.training.continued import CutAfter, CutError, differences
from tests.training.forged import forged

State = dict[str, Any]


class Counting(SupervisedPlugin):
    """A user's, which holds numbers and text."""

    def __init__(self) -> None:
        super().__init__()
        self.batches, self.mode, self.last = 0, "all", None

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        self.batches += 1
        self.last = np.float64(strategy.loss.item())


def made(folder: Path, **options: Any) -> SelfSupervised:
    torch.manual_seed(0)
    model = tiny_moco()
    return SelfSupervised(
        **{
            "model": model,
            "optimizer": torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
            "train_mb_size": 16,
            "train_epochs": 2,
            "plugins": [
                PNRPlugin(predictor_hidden_dim=16),
                EWCPlugin(ewc_lambda=0.1),
                WarmupCosinePlugin(warmup_epochs=0),
                Counting(),
            ],
            "evaluator": EvaluationPlugin(
                loss_metrics(epoch=True),
                loggers=[JSONLinesLogger(folder / "results.jsonl")],
            ),
            **options,
        }
    )


@pytest.fixture
def path(benchmark_of_digits: CLScenario, tmp_path: Path) -> Path:
    """A state that was saved in the midst of the second experience."""
    strategy, path = made(tmp_path), tmp_path / "state.pt"
    strategy.train(benchmark_of_digits.train_stream[0])
    strategy.checkpoint_callback = CutAfter(2, path)
    with pytest.raises(CutError):
        strategy.train(benchmark_of_digits.train_stream[1])
    return path


def plugin(state: State, name: str) -> Any:
    return dict(state["plugins"])[name]


def changed(path: Path, change: Callable[[State], Any]) -> None:
    state = dict(load_state(path))
    change(state)
    save_state(path, state)


def refused(path: Path, answer: str) -> None:
    """It is, in one sentence, which names the file."""
    with pytest.raises(ValueError, match=answer) as refusal:
        made(path.parent).load_state_dict(load_state(path))
    assert str(refusal.value).startswith(f"{path} ")
    assert "\n" not in str(refusal.value)


def test_nothing_is_executed(path: Path, benchmark_of_digits: CLScenario) -> None:
    target = path.parent / "executed"
    changed(path, lambda state: forged(state, f"touch {target}"))
    refused(path, "is with an unknown 'before_training_epoch', 'before_training_iter")
    strategy = made(path.parent)
    with pytest.raises(ValueError, match="unknown"):
        strategy.load_state_dict(load_state(path))
    strategy.train(benchmark_of_digits.train_stream[1])
    assert not target.exists()


CHANGES: dict[str, tuple[Callable[[State], Any], str]] = {
    "a method in place of a number": (
        lambda s: plugin(s, "Counting").update(before_training="os.system"),
        "Counting is with an unknown 'before_training' in the state",
    ),
    "text in place of a number": (
        lambda s: plugin(s, "Counting").update(batches="os.system"),
        r"Counting\.batches is 'os.system' in the state, where None or a whole number",
    ),
    "other text": (
        lambda s: plugin(s, "Counting").update(mode="none"),
        r"Counting\.mode is 'none' in the state and 'all' here: make the strategy as",
    ),
    "a number of 71 bits": (
        lambda s: plugin(s, "Counting").update(batches=2**70),
        r"Counting\.batches is a whole number of 71 bits in the state",
    ),
    "a missing attribute": (
        lambda s: plugin(s, "Counting").pop("batches"),
        "Counting is without 'batches'",
    ),
    "importances of no parameter": (
        lambda s: plugin(s, "EWCPlugin")["importances"][0].update(x=torch.ones(1)),
        r"EWCPlugin\.importances\[0\] is with an unknown 'x'",
    ),
    "importances of another shape": (
        lambda s: plugin(s, "EWCPlugin")["importances"][0].update(
            {"backbone.0.bias": torch.ones(1)}
        ),
        r"is a tensor \(1,\) of float32 in the state, where a tensor \(8\) of floating",
    ),
    "a logger's method": (
        lambda s: plugin(s, "EvaluationPlugin")["loggers"][0][1].update(_write=1),
        "JSONLinesLogger is with an unknown '_write'",
    ),
    "a rate that is text": (
        lambda s: s["optimizer"]["groups"][0].update(lr="fast"),
        "the optimizer's lr is 'fast' in the state",
    ),
    "a momentum of another shape": (
        lambda s: s["optimizer"]["state"]["backbone.0.bias"].update(
            momentum_buffer=torch.ones(3)
        ),
        r"the optimizer's momentum_buffer of backbone\.0\.bias is a tensor \(3,\)",
    ),
    "weights of whole numbers": (
        lambda s: s["model"].update({"backbone.0.bias": torch.ones(8).long()}),
        r"model\['backbone\.0\.bias'\] is a tensor \(8,\) of int64",
    ),
    "weights of another shape": (
        lambda s: s["model"].update({"backbone.0.bias": torch.ones(9)}),
        "is of another model than this strategy's",
    ),
    "a position behind numpy's generator": (
        lambda s: s["random"].update(
            numpy=(*s["random"]["numpy"][:2], 10**6, *s["random"]["numpy"][3:])
        ),
        r"random\['numpy'\] is 1000000 in the state, where a whole number, 0 to 624",
    ),
    "another plugin": (
        lambda s: s["plugins"].pop(),
        "with the plugins .*, and this one has .*: make the strategy as it was made",
    ),
    "a deep list": (
        lambda s: s.update(part=deep(100)),
        "levels of data",
    ),
    "no version": (
        lambda s: s.pop("format"),
        "was saved by version 0.1.0, which was never released: start again",
    ),
    "a later version": (
        lambda s: s.update(format=99),
        "has format 99, and this release reads format 2: continue with the release",
    ),
    "something else": (
        lambda s: s.clear(),
        r"this is not the state of a strategy: save strategy\.state_dict\(\)",
    ),
}


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 0


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_belong_is_refused(change: str, path: Path) -> None:
    make, answer = CHANGES[change]
    changed(path, make)
    refused(path, answer)


def test_what_is_found_when_training_goes_on_names_the_file_too(
    path: Path, benchmark_of_digits: CLScenario
) -> None:
    """A schedule is made when an experience begins, and loaded then."""
    changed(
        path,
        lambda s: plugin(s, "WarmupCosinePlugin")["scheduler"].update(step="os.system"),
    )
    strategy = made(path.parent)
    strategy.load_state_dict(load_state(path))
    answer = r"state\.pt cannot be used: the schedule is with an unknown 'step'"
    with pytest.raises(ValueError, match=answer):
        strategy.train(benchmark_of_digits.train_stream[1])


def test_numbers_of_a_users_plugin_are_kept(path: Path) -> None:
    strategy = made(path.parent)
    strategy.load_state_dict(load_state(path))
    (counting,) = (each for each in strategy.plugins if isinstance(each, Counting))
    assert counting.batches == 6 + 2
    assert type(counting.last) is float


METRICS: dict[str, Callable[..., Any]] = {
    "loss": loss_metrics,
    "accuracy": accuracy_metrics,
    "forgetting": forgetting_metrics,
    "backward transfer": bwt_metrics,
    "forward transfer": forward_transfer_metrics,
    "time": timing_metrics,
}


@pytest.mark.parametrize("metrics", METRICS)
def test_metrics_go_on_as_far_as_they_have_got(
    metrics: str, benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    def make() -> SelfSupervised:
        found = METRICS[metrics](experience=True, stream=True)
        probe = ProbePlugin(benchmark_of_digits.probe_stream, [NearestMeanProbe()])
        evaluator = EvaluationPlugin(found, loggers=[])
        return made(tmp_path, plugins=[probe], evaluator=evaluator)

    first, second = make(), make()
    first.train(benchmark_of_digits.train_stream[0])
    if metrics != "forward transfer":  # which is not defined of the first one
        first.eval(benchmark_of_digits.test_stream[:2])
    save_state(tmp_path / "metrics.pt", first.state_dict())
    second.load_state_dict(load_state(tmp_path / "metrics.pt"))
    assert differences(first.state_dict(), second.state_dict()) == []


def test_metrics_that_are_not_known_are_named(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    evaluator = EvaluationPlugin(labels_repartition_metrics(), loggers=[])
    strategy = made(tmp_path, evaluator=evaluator)
    answer = (
        r"is a LabelsRepartition, .* leave \w+ out, or give it state_dict\(\) and load"
    )
    with pytest.raises(TypeError, match=answer):
        strategy.state_dict()


def test_a_state_of_a_plugin_that_is_no_plain_data_is_named(tmp_path: Path) -> None:
    class Holding(SupervisedPlugin):
        def state_dict(self) -> dict[str, Any]:
            return {"path": tmp_path}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            """Nothing."""

    strategy = made(tmp_path, plugins=[Holding()])
    with pytest.raises(
        TypeError, match=r"Holding\.state_dict\(\)\['path'\] is a Posix"
    ):
        strategy.state_dict()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(torch.zeros(1).expand(2**40), id="repeated"),
        pytest.param(torch.zeros(2, 2).to_sparse(), id="sparse"),
        pytest.param(torch.nn.Parameter(torch.zeros(2)), id="parameter"),
        pytest.param(torch.zeros(2, requires_grad=True), id="with gradient"),
        pytest.param(torch.Tensor, id="class"),
    ],
)
def test_what_is_no_plain_data_is_refused_by_file(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"fine": torch.zeros(2), "value": {"deeper": [value]}})
    with pytest.raises(
        ValueError, match=r"state\.pt .*(is not a state|something else)"
    ):
        load_state(path)


def test_what_is_listed_of_our_own_plugins_is_there() -> None:
    """Or an attribute that got another name would be taken for a number."""
    plugins = [OsirisPlugin(), DERPlugin(), PFRPlugin(), PNRPlugin()]
    listed = [
        (plugin, name)
        for plugin in plugins
        for cls in type(plugin).__mro__
        if cls.__module__.startswith("avalanche_pnr")
        for name in ATTRIBUTES.get(cls, ())
    ]
    assert len(listed) > 6
    for plugin, name in listed:
        assert hasattr(plugin, name), f"{type(plugin).__name__} has no {name}"
