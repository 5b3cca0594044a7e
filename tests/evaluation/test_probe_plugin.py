from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.evaluation.metrics import accuracy_metrics, loss_metrics
from avalanche.training.supervised import Naive
from torch import Tensor, nn
from torchvision import transforms

from avalanche_pnr import (
    KNNProbe,
    LinearProbe,
    PNRPlugin,
    ProbePlugin,
    SelfSupervised,
    ssl_metrics,
)
from avalanche_pnr.benchmarks import ArrayImages
from tests.evaluation.conftest import by_experience, quick_probes, standalone

MakeStrategy = Callable[..., SelfSupervised]
TRAIN_IMAGES, TEST_IMAGES = 48, 30


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


def test_the_first_probe_gives_the_strategys_output(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    accuracies = {}
    for probes in (quick_probes(), quick_probes()[::-1]):
        plugin = ProbePlugin(benchmark.train_stream, probes)
        strategy = make_strategy(
            [plugin], ssl_metrics(plugin), accuracy_metrics(experience=True)
        )
        metrics = strategy.eval(benchmark.test_stream)
        accuracies[probes[0].name] = metrics
    for probe, metrics in accuracies.items():
        top1 = by_experience(metrics, "Top1_Acc", "test")
        expected = by_experience(metrics, f"{probe.capitalize()}_Acc", "test")
        assert top1 == pytest.approx(expected)
    linear, knn = accuracies["linear"], accuracies["knn"]
    for metric in ("Linear_Acc", "Knn_Acc"):
        values = [by_experience(each, metric, "test") for each in (linear, knn)]
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
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, quick_probes())])
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
    plugin = ProbePlugin(benchmark.train_stream, quick_probes())
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    _replace_tensors(strategy, benchmark)
    strategy.eval(benchmark.test_stream)
    change(strategy, benchmark)
    counter = _Counter(strategy.model.backbone)
    metrics = strategy.eval(benchmark.test_stream)
    assert counter.read() == TRAIN_IMAGES + TEST_IMAGES
    expected = standalone(strategy, benchmark, benchmark.test_stream)
    assert by_experience(metrics, "Linear_Acc", "test") == pytest.approx(
        expected["linear"]
    )


def test_evaluation_changes_nothing_of_model_and_generators(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, quick_probes())])
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
        probe = ProbePlugin(benchmark.train_stream, quick_probes())
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
        strategy = make_strategy([ProbePlugin(benchmark.train_stream, quick_probes())])
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
    strategy = make_strategy([ProbePlugin(_unlabelled().train_stream, quick_probes())])
    with pytest.raises(ValueError, match=r"a probe needs labels.*train_data"):
        strategy.eval(benchmark.test_stream)


def test_unlabelled_test_data_are_refused_by_stream(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([ProbePlugin(benchmark.train_stream, quick_probes())])
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


def test_no_experience_is_refused() -> None:
    with pytest.raises(ValueError, match="train_data holds no experience"):
        ProbePlugin([])


def test_another_strategy_is_refused(benchmark: CLScenario) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 6))
    strategy = Naive(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        plugins=[ProbePlugin(benchmark.train_stream, quick_probes())],
        evaluator=None,
    )
    with pytest.raises(TypeError, match=r"ProbePlugin judges frozen .* Naive does"):
        strategy.eval(benchmark.test_stream)


def test_what_is_evaluated_plays_no_part_in_fitting(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    found, x = [], torch.randn(4, 8)
    for stream in (benchmark.test_stream, benchmark.train_stream[:1]):
        plugin = ProbePlugin(benchmark.train_stream, [LinearProbe(epochs=5)])
        strategy = make_strategy([plugin])
        strategy.eval(stream)
        found.append((plugin.values, strategy.readout(x).tolist()))
    assert found[0] == found[1]


def test_more_neighbours_than_images_are_warned_of_before_training(
    benchmark: CLScenario,
) -> None:
    with pytest.warns(UserWarning, match=r"knn looks at 48 .* and not at k=49"):
        ProbePlugin(benchmark.train_stream, [KNNProbe(k=49)])


def test_names_that_differ_in_case_alone_are_refused(benchmark: CLScenario) -> None:
    with pytest.raises(ValueError, match="different names, got knn, KNN"):
        ProbePlugin(benchmark.train_stream, [KNNProbe(k=1), KNNProbe(k=1, name="KNN")])
