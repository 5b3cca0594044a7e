import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.evaluation.metrics import loss_metrics

from avalanche_pnr import (
    DownstreamPlugin,
    PNRPlugin,
    RepresentationPlugin,
    SelfSupervised,
    ssl_metrics,
)
from avalanche_pnr.benchmarks import ArrayImages
from avalanche_pnr.evaluation import JSONLinesLogger, read_records
from tests.evaluation.conftest import TRANSFORMS, quick_probes

MakeStrategy = Callable[..., SelfSupervised]


@pytest.fixture
def unlabelled() -> CLScenario:
    """Three experiences of 16 images each, none of which has a label."""
    groups = {
        "train": (TRANSFORMS["train_transform"], None),
        "eval": (TRANSFORMS["eval_transform"], None),
    }
    rng = np.random.default_rng(0)
    datasets = []
    for _ in range(3):
        x = rng.integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
        images = ArrayImages(x, np.full(16, -1))
        datasets.append(as_classification_dataset(images, groups))
    held_out = [dataset.subset(range(5)).eval() for dataset in datasets]
    return benchmark_from_datasets(train=datasets, test=held_out)


def test_forgetting_and_collapse_are_seen_without_any_label(
    unlabelled: CLScenario, make_strategy: MakeStrategy, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    watched = RepresentationPlugin(unlabelled.train_stream)
    strategy = make_strategy(
        [PNRPlugin(predictor_hidden_dim=16), watched],
        ssl_metrics(watched),
        loggers=[JSONLinesLogger(path)],
    )
    for number, experience in enumerate(unlabelled.train_stream):
        strategy.train(experience)
        metrics = strategy.eval(unlabelled.test_stream)
        names = {name.partition("/")[0] for name in metrics}
        assert names == {
            "CKA_Exp",
            "Alignment_Stream",
            "Uniformity_Stream",
            "EffectiveRank_Stream",
        }
        similarities = [
            metrics[f"CKA_Exp/eval_phase/test_stream/Exp{past:03d}"]
            for past in range(number + 1)
        ]
        assert similarities[-1] == pytest.approx(1.0)
        assert all(0 < similarity < 1 for similarity in similarities[:-1])
    lines = read_records(path)
    ranks = [line for line in lines if line["metric"] == "EffectiveRank_Stream"]
    assert [(line["after"], line["stream"]) for line in ranks] == [
        (1, "test"),
        (2, "test"),
        (3, "test"),
    ]
    assert all(1 < line["value"] <= 8 for line in ranks)


def test_other_labelled_data_judge_a_network_of_unlabelled_streams(
    unlabelled: CLScenario, benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    plugin = DownstreamPlugin(
        "noise", benchmark.train_stream, benchmark.test_stream, quick_probes()
    )
    strategy = make_strategy([plugin], ssl_metrics(plugin))
    for experience in unlabelled.train_stream:
        strategy.train(experience)
        metrics: dict[str, Any] = strategy.eval(unlabelled.test_stream)
        value = metrics["Linear_Acc_Downstream_noise/eval_phase/test_stream"]
        assert value == plugin.values["Linear_Acc_Downstream_noise"]
        assert 1 / 6 < value <= 1


def test_the_loss_of_a_probe_that_is_not_there_is_not_defined(
    unlabelled: CLScenario, make_strategy: MakeStrategy
) -> None:
    strategy = make_strategy([], loss_metrics(experience=True, stream=True))
    metrics = strategy.eval(unlabelled.test_stream)
    assert len(metrics) == 4
    assert all(math.isnan(value) for value in metrics.values())


def test_the_default_evaluator_shows_no_accuracy_of_unlabelled_images(
    unlabelled: CLScenario, make_strategy: MakeStrategy
) -> None:
    model = make_strategy([]).model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    metrics = SelfSupervised(model=model, optimizer=optimizer).eval(
        unlabelled.test_stream
    )
    accuracies = [value for name, value in metrics.items() if "Top1_Acc" in name]
    assert len(accuracies) == 4
    assert all(math.isnan(value) for value in accuracies)
