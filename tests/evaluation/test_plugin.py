from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.evaluation.metrics import accuracy_metrics, loss_metrics
from torch import Tensor, nn
from torchvision import transforms

from avalanche_pnr import (
    KNNProbe,
    LinearProbe,
    PNRPlugin,
    ProbePlugin,
    SelfSupervised,
    probe_metrics,
)
from avalanche_pnr.benchmarks import ArrayImages
from avalanche_pnr.evaluation import (
    JSONLinesLogger,
    accuracy_matrix,
    probe_accuracy,
    read_records,
)

MakeStrategy = Callable[..., SelfSupervised]
TRAIN_IMAGES, TEST_IMAGES = 48, 30


def _probes() -> list[Any]:
    return [LinearProbe(), KNNProbe(k=5)]


def _standalone(
    strategy: SelfSupervised, benchmark: CLScenario, stream: Any
) -> dict[str, list[float]]:
    return probe_accuracy(strategy.model, benchmark.train_stream, stream, _probes())


def _by_experience(metrics: dict[str, Any], metric: str, stream: str) -> list[float]:
    prefix = f"{metric}_Acc_Exp/eval_phase/{stream}_stream/"
    values = {name: value for name, value in metrics.items() if name.startswith(prefix)}
    return [values[name] for name in sorted(values)]


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def _assert_equal(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name


def _unlabelled() -> CLScenario:
    x = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    images = ArrayImages(x, np.full(9, -1))
    transform = transforms.ToTensor()
    groups = {"train": (transform, None), "eval": (transform, None)}
    dataset = as_classification_dataset(images, groups)
    return benchmark_from_datasets(train=[dataset], test=[dataset])


def test_metrics_are_the_accuracies_of_the_standalone_function(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = ProbePlugin(benchmark.train_stream, _probes())
    strategy = make_strategy(
        [plugin],
        probe_metrics(plugin),
        accuracy_metrics(experience=True, stream=True),
    )
    seen = set()
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
        expected = _standalone(strategy, benchmark, benchmark.test_stream)
        for metric, probe in (("Linear", "linear"), ("Knn", "knn"), ("Top1", "linear")):
            values = _by_experience(metrics, metric, "test")
            assert values == pytest.approx(expected[probe])
            mean = metrics[f"{metric}_Acc_Stream/eval_phase/test_stream"]
            assert mean == pytest.approx(np.mean(expected[probe]))
        seen |= {tuple(accuracies) for accuracies in expected.values()}
    assert len(seen) > 2, "the accuracies ought to differ by probe and experience"


def test_both_default_probes_have_metrics(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = ProbePlugin(benchmark.train_stream)
    strategy = make_strategy([plugin], probe_metrics(plugin))
    metrics = strategy.eval(benchmark.test_stream)
    assert len(_by_experience(metrics, "Linear", "test")) == 3
    assert len(_by_experience(metrics, "Knn", "test")) == 3


def test_the_first_probe_gives_the_strategys_output(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    accuracies = {}
    for probes in (_probes(), _probes()[::-1]):
        plugin = ProbePlugin(benchmark.train_stream, probes)
        strategy = make_strategy(
            [plugin], probe_metrics(plugin), accuracy_metrics(experience=True)
        )
        metrics = strategy.eval(benchmark.test_stream)
        accuracies[probes[0].name] = metrics
    for probe, metrics in accuracies.items():
        top1 = _by_experience(metrics, "Top1", "test")
        assert top1 == _by_experience(metrics, probe.capitalize(), "test")
    linear, knn = accuracies["linear"], accuracies["knn"]
    for metric in ("Linear", "Knn"):
        values = [_by_experience(each, metric, "test") for each in (linear, knn)]
        assert values[0] == pytest.approx(values[1])


class _Counter:
    """Images that went through a module since the last reading."""

    def __init__(self, module: nn.Module) -> None:
        self._images = 0
        module.register_forward_hook(self._count)

    def _count(self, module: nn.Module, inputs: tuple[Tensor], output: Any) -> None:
        self._images += len(inputs[0])

    def read(self) -> int:
        images, self._images = self._images, 0
        return images


def test_training_features_are_extracted_once_for_a_state_of_the_model(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, _probes())])
    counter = _Counter(strategy.model.backbone)
    strategy.eval(benchmark.test_stream)
    assert counter.read() == TRAIN_IMAGES + TEST_IMAGES
    strategy.eval(benchmark.train_stream)
    assert counter.read() == TRAIN_IMAGES
    strategy.eval(benchmark.test_stream[1])
    assert counter.read() == TEST_IMAGES // 3


def _train(strategy: SelfSupervised, benchmark: CLScenario) -> None:
    strategy.train(benchmark.train_stream[0])


def _load(strategy: SelfSupervised, benchmark: CLScenario) -> None:
    state = {name: value + 1 for name, value in strategy.model.state_dict().items()}
    strategy.model.load_state_dict(state)


def _replace_tensors(strategy: SelfSupervised, benchmark: CLScenario) -> None:
    state = {name: value + 1 for name, value in strategy.model.state_dict().items()}
    strategy.model.load_state_dict(state, assign=True)


def _update_statistics(strategy: SelfSupervised, benchmark: CLScenario) -> None:
    strategy.model.backbone.train()(torch.rand(4, 3, 8, 8))


def _write_in_place(strategy: SelfSupervised, benchmark: CLScenario) -> None:
    with torch.no_grad():
        strategy.model.backbone[0].weight.mul_(-1)


def _write_through_data(strategy: SelfSupervised, benchmark: CLScenario) -> None:
    strategy.model.backbone[0].weight.data.mul_(-1)


CHANGES = [_train, _load, _replace_tensors, _update_statistics, _write_in_place]


@pytest.mark.parametrize("change", [*CHANGES, _write_through_data])
def test_training_features_are_extracted_again_when_the_model_has_changed(
    benchmark: CLScenario,
    make_strategy: MakeStrategy,
    change: Callable[[SelfSupervised, CLScenario], None],
) -> None:
    plugin = ProbePlugin(benchmark.train_stream, _probes())
    strategy = make_strategy([plugin], probe_metrics(plugin))
    _replace_tensors(strategy, benchmark)
    strategy.eval(benchmark.test_stream)
    change(strategy, benchmark)
    counter = _Counter(strategy.model.backbone)
    metrics = strategy.eval(benchmark.test_stream)
    assert counter.read() == TRAIN_IMAGES + TEST_IMAGES
    expected = _standalone(strategy, benchmark, benchmark.test_stream)
    assert _by_experience(metrics, "Linear", "test") == pytest.approx(
        expected["linear"]
    )


def test_evaluation_changes_nothing_of_model_and_generators(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, _probes())])
    strategy.train(benchmark.train_stream[0])
    strategy.model.backbone[1].eval()
    modes = [module.training for module in strategy.model.modules()]
    gradients = [param.grad.clone() for param in strategy.model.parameters()]
    state, generator = _state(strategy.model), torch.get_rng_state()
    assert len(set(modes)) == 2
    strategy.eval(benchmark.test_stream)
    strategy.eval(benchmark.train_stream)
    _assert_equal(strategy.model.state_dict(), state)
    assert [module.training for module in strategy.model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), generator)
    for param, gradient in zip(strategy.model.parameters(), gradients, strict=True):
        assert torch.equal(param.grad, gradient)


def _train_all(strategy: SelfSupervised, benchmark: CLScenario) -> dict[str, Tensor]:
    torch.manual_seed(5)
    for experience in benchmark.train_stream:
        strategy.train(experience, eval_streams=[benchmark.test_stream])
    return _state(strategy.model)


@pytest.mark.parametrize("mode", ["epoch", "iteration"])
def test_evaluation_during_training_does_not_change_the_result(
    benchmark: CLScenario, make_strategy: MakeStrategy, mode: str
) -> None:
    def run(**kwargs: Any) -> tuple[dict[str, Tensor], int]:
        probe = ProbePlugin(benchmark.train_stream, _probes())
        plugins = [PNRPlugin(predictor_hidden_dim=16), probe]
        strategy = make_strategy(
            plugins, loss_metrics(epoch=True), train_epochs=2, **kwargs
        )
        counter = _Counter(strategy.model.backbone)
        return _train_all(strategy, benchmark), counter.read()

    (expected, trained), (actual, evaluated) = run(), run(eval_every=1, peval_mode=mode)
    assert evaluated >= trained + 3 * 2 * TEST_IMAGES, "nothing was evaluated"
    _assert_equal(actual, expected)


def test_evaluation_between_experiences_does_not_change_the_result(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    def run(evaluate: bool) -> dict[str, Tensor]:
        strategy = make_strategy([ProbePlugin(benchmark.train_stream, _probes())])
        torch.manual_seed(5)
        for experience in benchmark.train_stream:
            strategy.train(experience)
            if evaluate:
                strategy.eval(benchmark.test_stream)
        return _state(strategy.model)

    _assert_equal(run(evaluate=True), run(evaluate=False))


def test_evaluation_without_a_probe_says_what_is_missing(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    with pytest.raises(RuntimeError, match=r"ProbePlugin\(train_data=\.\.\.\)"):
        make_strategy([]).eval(benchmark.test_stream)


def test_a_probe_without_labels_to_fit_is_refused(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([ProbePlugin(_unlabelled().train_stream, _probes())])
    with pytest.raises(ValueError, match=r"a probe needs labels.*train_data"):
        strategy.eval(benchmark.test_stream)


def test_unlabelled_test_data_are_refused_by_stream(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, _probes())])
    with pytest.raises(ValueError, match=r"without a label.*stream 'test'"):
        strategy.eval(_unlabelled().test_stream)


def test_a_class_that_the_probe_does_not_know_is_named(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    known = [
        experience
        for experience, classes in zip(
            benchmark.train_stream, benchmark.class_order, strict=True
        )
        if 5 not in classes
    ]
    strategy = make_strategy([ProbePlugin(known, [KNNProbe(k=5)])])
    with pytest.raises(ValueError, match="class 5 is evaluated but not in train_data"):
        strategy.eval(benchmark.test_stream)


def test_probes_of_one_name_are_refused(benchmark: CLScenario) -> None:
    with pytest.raises(ValueError, match="different names, got knn, knn"):
        ProbePlugin(benchmark.train_stream, [KNNProbe(k=1), KNNProbe(k=5)])


def test_probes_of_one_kind_are_told_apart_by_name(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    probes = [KNNProbe(k=1, name="nearest"), KNNProbe(k=5)]
    plugin = ProbePlugin(benchmark.train_stream, probes)
    strategy = make_strategy([plugin], probe_metrics(plugin))
    metrics = strategy.eval(benchmark.train_stream)
    assert _by_experience(metrics, "Nearest", "train") == [1.0, 1.0, 1.0]
    assert _by_experience(metrics, "Knn", "train") != [1.0, 1.0, 1.0]


Logged = Callable[..., tuple[SelfSupervised, Path]]


@pytest.fixture
def logged(
    benchmark: CLScenario, make_strategy: MakeStrategy, tmp_path: Path
) -> Logged:
    """Makes a strategy that writes its probes' metrics to a file."""

    def make(probes: Any = None, **kwargs: Any) -> tuple[SelfSupervised, Path]:
        path = tmp_path / f"results{len(list(tmp_path.iterdir()))}.jsonl"
        plugin = ProbePlugin(benchmark.train_stream, probes or _probes())
        strategy = make_strategy(
            [plugin],
            loss_metrics(epoch=True),
            probe_metrics(plugin),
            loggers=[JSONLinesLogger(path, run="pnr", seed=3)],
            **kwargs,
        )
        return strategy, path

    return make


def test_the_file_gives_the_full_accuracy_matrix(
    benchmark: CLScenario, logged: Logged
) -> None:
    strategy, path = logged()
    expected: dict[str, list[list[float]]] = {"linear": [], "knn": []}
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
        accuracies = _standalone(strategy, benchmark, benchmark.test_stream)
        for probe, values in accuracies.items():
            expected[probe].append(values)
    records = read_records(path)
    for metric, probe in (("Linear_Acc_Exp", "linear"), ("Knn_Acc_Exp", "knn")):
        matrix = accuracy_matrix(records, metric)
        assert matrix.shape == (3, 3)
        np.testing.assert_allclose(matrix, expected[probe])


def test_lines_say_where_their_value_belongs(
    benchmark: CLScenario, logged: Logged
) -> None:
    strategy, path = logged(train_epochs=2)
    strategy.eval(benchmark.test_stream)
    strategy.train(benchmark.train_stream[0])
    strategy.eval(benchmark.test_stream)
    records = read_records(path)
    assert all((line["run"], line["seed"]) == ("pnr", 3) for line in records)
    assert all(np.isfinite(line["value"]) for line in records)
    losses = [line for line in records if line["metric"] == "Loss_Epoch"]
    assert [(line["after"], line["epoch"]) for line in losses] == [(0, 0), (0, 1)]
    accuracies = [line for line in records if line["metric"] == "Linear_Acc_Exp"]
    assert [
        (line["after"], line["stream"], line["experience"]) for line in accuracies
    ] == [(after, "test", experience) for after in (0, 1) for experience in range(3)]


def test_lines_of_a_stream_say_which(benchmark: CLScenario, logged: Logged) -> None:
    strategy, path = logged()
    strategy.eval(benchmark.test_stream)
    strategy.eval(benchmark.train_stream)
    lines = [
        line for line in read_records(path) if line["metric"] == "Linear_Acc_Stream"
    ]
    assert [line.get("stream") for line in lines] == ["test", "train"]


def test_a_file_is_appended_to(benchmark: CLScenario, logged: Logged) -> None:
    strategy, path = logged()
    path.write_text('{"run": "environment"}\n')
    strategy.eval(benchmark.test_stream)
    first, *others = read_records(path)
    assert first == {"run": "environment"}
    assert len(others) == 2 * (3 + 1)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"eval_every": 1}, id="every epoch"),
        pytest.param({"eval_every": 2}, id="every second epoch"),
        pytest.param({"eval_every": 1, "peval_mode": "iteration"}, id="every step"),
    ],
)
@pytest.mark.parametrize("on_test_data", [True, False])
def test_evaluation_during_training_does_not_change_the_matrix(
    benchmark: CLScenario, logged: Logged, options: dict[str, Any], on_test_data: bool
) -> None:
    def matrix(**kwargs: Any) -> Any:
        strategy, path = logged([KNNProbe(k=5)], train_epochs=2, **kwargs)
        streams = [benchmark.test_stream] if on_test_data else None
        torch.manual_seed(5)
        for experience in benchmark.train_stream:
            strategy.train(experience, eval_streams=streams)
            strategy.eval(benchmark.test_stream)
        return accuracy_matrix(read_records(path), "Knn_Acc_Exp")

    np.testing.assert_array_equal(matrix(**options), matrix())


def test_the_last_evaluation_of_training_counts_its_experience(
    benchmark: CLScenario, logged: Logged
) -> None:
    strategy, path = logged([KNNProbe(k=5)], eval_every=0)
    expected = []
    for experience in benchmark.train_stream:
        strategy.train(experience, eval_streams=[benchmark.test_stream])
        accuracies = _standalone(strategy, benchmark, benchmark.test_stream)
        expected.append(accuracies["knn"])
    matrix = accuracy_matrix(read_records(path), "Knn_Acc_Exp")
    np.testing.assert_allclose(matrix, expected)
