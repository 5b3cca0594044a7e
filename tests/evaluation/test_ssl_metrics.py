import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.scenarios.task_aware import with_task_labels
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from avalanche.benchmarks.utils.classification_dataset import (
    TaskAwareClassificationDataset,
)
from avalanche.evaluation.metrics import accuracy_metrics
from avalanche.evaluation.metrics.accuracy import AccuracyPerTaskPluginMetric
from avalanche.training.plugins import ReplayPlugin
from torch.utils.data import TensorDataset

from avalanche_pnr import (
    ConvexProbe,
    DownstreamPlugin,
    KNNProbe,
    LinearProbe,
    NearestMeanProbe,
    OnlineProbe,
    PNRPlugin,
    ProbePlugin,
    PublishedProbe,
    RepresentationPlugin,
    SelfSupervised,
    SemiSupervisedProbe,
    class_incremental,
    data_incremental,
    ssl_metrics,
)
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.evaluation import FeatureProbe, ProbeData, extract_stream
from tests.evaluation.conftest import (
    TRANSFORMS,
    VIEW,
    by_experience,
    quick_probes,
    standalone,
)

MakeStrategy = Callable[..., SelfSupervised]
READINGS = ("Acc", "Top5_Acc", "TaskAware_Acc")


def _probes() -> list[FeatureProbe]:
    return [LinearProbe([0.03, 0.3], epochs=5), KNNProbe(k=5), NearestMeanProbe()]


def _by_hand(
    strategy: SelfSupervised, train: Any, stream: Any, probe: FeatureProbe
) -> dict[str, list[float]]:
    """Share of hits of each experience, row by row."""
    readout = probe.fit(*ProbeData(strategy.model, train).features)
    found: dict[str, list[float]] = {name: [] for name in READINGS}
    for features, labels in extract_stream(strategy.model, stream):
        hits = np.zeros(3)
        classes = sorted(set(labels.tolist()))
        for row, label in zip(readout(features).tolist(), labels.tolist(), strict=True):
            ranking = sorted(range(len(row)), key=lambda c, row=row: (-row[c], c))
            own = max(classes, key=lambda c, row=row: (row[c], -c))
            hits += [ranking[0] == label, label in ranking[:5], own == label]
        for name, share in zip(READINGS, hits / len(labels), strict=True):
            found[name].append(share)
    return found


def _check(metrics: dict[str, Any], expected: dict[str, list[float]], of: str) -> None:
    for name, shares in expected.items():
        values = by_experience(metrics, f"{of}_{name}", "test")
        assert values == pytest.approx(shares), name
        mean = metrics[f"{of}_{name}_Stream/eval_phase/test_stream"]
        assert mean == pytest.approx(np.mean(shares)), name


def test_accuracies_are_those_counted_by_hand(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = ProbePlugin(benchmark.train_stream, _probes())
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    seen = set()
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
        for probe in _probes():
            streams = benchmark.train_stream, benchmark.test_stream
            expected = _by_hand(strategy, *streams, probe)
            _check(metrics, expected, probe.name.capitalize())
            seen |= {tuple(shares) for shares in expected.values()}
    assert len(seen) > 9, "the accuracies ought to differ by probe and reading"


def test_accuracies_are_those_of_the_standalone_function(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = ProbePlugin(benchmark.train_stream, quick_probes())
    strategy = make_strategy(
        [plugin],
        ssl_metrics(plugin),
        accuracy_metrics(experience=True, stream=True),
    )
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
        expected = standalone(strategy, benchmark, benchmark.test_stream)
        for metric, probe in (("Linear", "linear"), ("Knn", "knn"), ("Top1", "linear")):
            values = by_experience(metrics, f"{metric}_Acc", "test")
            assert values == pytest.approx(expected[probe])
            mean = metrics[f"{metric}_Acc_Stream/eval_phase/test_stream"]
            assert mean == pytest.approx(np.mean(expected[probe]))


def test_the_default_probes_have_metrics(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = ProbePlugin(benchmark.train_stream)
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    metrics = strategy.eval(benchmark.test_stream)
    assert len(by_experience(metrics, "Linear_Acc", "test")) == 3
    assert len(by_experience(metrics, "Knn_Acc", "test")) == 3
    rate = metrics["Linear_Lr_Stream/eval_phase/test_stream"]
    assert rate in LinearProbe().lrs
    assert 0 <= metrics["Linear_HeldOutAcc_Stream/eval_phase/test_stream"] <= 1


def test_every_kind_of_probe_judges_three_experiences_beside_the_others(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    probes = [
        *_probes(),
        ConvexProbe(),
        SemiSupervisedProbe(0.25),
        PublishedProbe(VIEW, 1.0, epochs=3),
        OnlineProbe(),
    ]
    plugin = ProbePlugin(benchmark.train_stream, probes)
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
        for probe in probes:
            for reading in READINGS:
                name = f"{probe.name.capitalize()}_{reading}"
                assert len(by_experience(metrics, name, "test")) == 3, name
                assert 0 < metrics[f"{name}_Stream/eval_phase/test_stream"] <= 1, name


def test_what_fitting_found_is_published_by_probe(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    probes = [LinearProbe([0.3]), ConvexProbe(), SemiSupervisedProbe(0.5)]
    plugin = ProbePlugin(benchmark.train_stream, probes)
    metrics = make_strategy([plugin], ssl_metrics(plugin)).eval(benchmark.test_stream)
    tail = "Stream/eval_phase/test_stream"
    assert metrics[f"Linear_Lr_{tail}"] == 0.3
    assert 0 < metrics[f"Convex_GradientRatio_{tail}"] < 1e-6
    assert 0 < metrics[f"Convex_50pct_GradientRatio_{tail}"] < 1e-6


def test_values_are_named_by_task_as_avalanches_are(
    image_data: ImageData, make_strategy: MakeStrategy
) -> None:
    benchmark = class_incremental(
        image_data, n_experiences=3, return_task_id=True, **TRANSFORMS
    )
    plugin = ProbePlugin(benchmark.probe_stream, _probes())
    by_task = AccuracyPerTaskPluginMetric("stream", "stream", "eval")
    strategy = make_strategy(
        [plugin, PNRPlugin(), ReplayPlugin(mem_size=12)],
        ssl_metrics(plugin),
        accuracy_metrics(experience=True),
        by_task,
    )
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
        found = by_task.result()
        assert list(found) == [0, 1, 2]
        hand = _by_hand(
            strategy, benchmark.train_stream, benchmark.test_stream, _probes()[0]
        )
        for task in range(3):
            tail = f"Exp/eval_phase/test_stream/Task{task:03d}/Exp{task:03d}"
            # Unmasked, over all classes; only TaskAware is among those of the task.
            assert metrics[f"Linear_Acc_{tail}"] == pytest.approx(hand["Acc"][task])
            assert metrics[f"Top1_Acc_{tail}"] == pytest.approx(hand["Acc"][task])
            assert found[task] == pytest.approx(hand["Acc"][task])
            aware = metrics[f"Linear_TaskAware_Acc_{tail}"]
            assert aware == pytest.approx(hand["TaskAware_Acc"][task])
        assert hand["TaskAware_Acc"] != hand["Acc"]
        mean = metrics["Linear_Acc_Stream/eval_phase/test_stream"]
        assert mean == pytest.approx(np.mean(hand["Acc"]))


def _rebuilt(benchmark: CLScenario, make: Callable[[Any, int], Any]) -> CLScenario:
    streams = {
        name: [make(each.dataset, each.current_experience) for each in stream]
        for name, stream in benchmark.streams.items()
    }
    return benchmark_from_datasets(**streams)


def _without_timeline(benchmark: CLScenario) -> CLScenario:
    other = _rebuilt(benchmark, lambda dataset, _: dataset)
    assert not hasattr(other.test_stream[0], "classes_in_this_experience")
    return other


def _with_task_labels(benchmark: CLScenario) -> CLScenario:
    def labelled(dataset: Any, task: int) -> Any:
        labels = DataAttribute(
            [task] * len(dataset), "targets_task_labels", use_in_getitem=True
        )
        return TaskAwareClassificationDataset([dataset], data_attributes=[labels])

    other = with_task_labels(_rebuilt(benchmark, labelled))
    assert [each.task_label for each in other.test_stream] == [0, 1, 2]
    return other


@pytest.mark.parametrize("remake", [_with_task_labels, _without_timeline])
def test_streams_of_other_makes_are_read_alike(
    benchmark: CLScenario,
    make_strategy: MakeStrategy,
    remake: Callable[[CLScenario], CLScenario],
) -> None:
    def run(benchmark: CLScenario) -> list[dict[str, float]]:
        plugin = ProbePlugin(benchmark.train_stream, _probes())
        strategy = make_strategy([plugin], ssl_metrics(plugin))
        torch.manual_seed(5)
        evaluations = []
        for experience in benchmark.train_stream:
            strategy.train(experience)
            metrics = strategy.eval(benchmark.test_stream)
            evaluations.append(
                {_without_task(name): value for name, value in metrics.items()}
            )
        return evaluations

    assert run(remake(benchmark)) == run(benchmark)


def _without_task(name: str) -> str:
    parts = [part for part in name.split("/") if not part.startswith("Task")]
    assert len(name.split("/")) == len(parts) or parts[-1].startswith("Exp")
    return "/".join(parts)


def test_all_classes_compete_in_a_single_test_experience(
    image_data: ImageData, make_strategy: MakeStrategy
) -> None:
    benchmark = data_incremental(image_data, n_experiences=3, **TRANSFORMS)
    plugin = ProbePlugin(benchmark.probe_stream, _probes())
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
        for probe in _probes():
            name = probe.name.capitalize()
            (accuracy,) = by_experience(metrics, f"{name}_Acc", "test")
            (task_aware,) = by_experience(metrics, f"{name}_TaskAware_Acc", "test")
            assert accuracy == task_aware
            streams = benchmark.probe_stream, benchmark.test_stream
            _check(metrics, _by_hand(strategy, *streams, probe), name)


def test_task_aware_accuracy_of_unknown_classes_is_not_defined(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = ProbePlugin(benchmark.train_stream, _probes())
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    strategy.eval(benchmark.test_stream)
    bare = [
        AvalancheDataset([TensorDataset(*_tensors(each.dataset))])
        for each in benchmark.test_stream
    ]
    metrics = strategy.eval(
        benchmark_from_datasets(train=bare[:1], test=bare).test_stream
    )
    for name in ("Linear_TaskAware_Acc", "Knn_TaskAware_Acc"):
        values = by_experience(metrics, name, "test")
        assert len(values) == 3
        assert all(math.isnan(value) for value in values)
        assert math.isnan(metrics[f"{name}_Stream/eval_phase/test_stream"])
    linear = _by_hand(
        strategy, benchmark.train_stream, benchmark.test_stream, _probes()[0]
    )
    assert by_experience(metrics, "Linear_Acc", "test") == linear["Acc"]
    assert by_experience(metrics, "Linear_Top5_Acc", "test") == linear["Top5_Acc"]


def _tensors(dataset: Any) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels, *_ = zip(*dataset, strict=True)
    return torch.stack(images), torch.tensor(labels)


def test_top_five_of_five_classes_says_nothing_and_is_left_out(
    image_data: ImageData, make_strategy: MakeStrategy
) -> None:
    five = [_up_to_five(each) for each in (image_data.train, image_data.test)]
    data = ImageData.from_arrays("five", *five)
    benchmark = class_incremental(data, n_experiences=5, **TRANSFORMS)
    plugin = ProbePlugin(benchmark.train_stream, quick_probes())
    metrics = make_strategy([plugin], ssl_metrics(plugin)).eval(benchmark.test_stream)
    assert len(by_experience(metrics, "Linear_TaskAware_Acc", "test")) == 5
    assert not [name for name in metrics if "Top5" in name]


def _up_to_five(images: Any) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array(images.targets)
    return images.x[labels < 5], labels[labels < 5]


def test_values_of_all_plugins_are_published_together(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugins = [
        ProbePlugin(benchmark.train_stream, quick_probes()),
        DownstreamPlugin(
            "other", benchmark.test_stream, benchmark.train_stream, quick_probes()
        ),
        RepresentationPlugin(benchmark.train_stream),
    ]
    strategy = make_strategy(plugins, ssl_metrics(*plugins))
    strategy.train(benchmark.train_stream[0])
    metrics = strategy.eval(benchmark.test_stream)
    assert {name.partition("/")[0] for name in metrics} == {
        *(
            f"{probe}_{name}_{over}"
            for probe in ("Linear", "Knn")
            for name in READINGS
            for over in ("Exp", "Stream")
        ),
        "Linear_Lr_Stream",
        "Linear_Acc_Downstream_other",
        "Linear_Lr_Downstream_other",
        "Knn_Acc_Downstream_other",
        "CKA_Exp",
        "Alignment_Stream",
        "Uniformity_Stream",
        "EffectiveRank_Stream",
    }
    assert "CKA_Exp/eval_phase/test_stream/Exp000" in metrics


def test_probes_of_one_kind_are_told_apart_by_name(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    probes = [KNNProbe(k=1, name="nearest"), KNNProbe(k=5)]
    plugin = ProbePlugin(benchmark.train_stream, probes)
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    metrics = strategy.eval(benchmark.train_stream)
    assert by_experience(metrics, "Nearest_Acc", "train") == [1.0, 1.0, 1.0]
    assert by_experience(metrics, "Knn_Acc", "train") != [1.0, 1.0, 1.0]
