import copy
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import (
    CLScenario,
    benchmark_from_datasets,
    split_online_stream,
)
from avalanche.benchmarks.utils import concat_datasets
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.training import Naive
from torch import Tensor, nn
from torchvision import transforms

from avalanche_pnr import KNNProbe, ProbePlugin, SelfSupervised, TwoViews
from avalanche_pnr.benchmarks import ArrayImages
from avalanche_pnr.evaluation import (
    JSONLinesLogger,
    RepresentationPlugin,
    accuracy_matrix,
    alignment,
    effective_rank,
    extract_features,
    linear_cka,
    read_records,
    uniformity,
)

MakeStrategy = Callable[..., SelfSupervised]
IMAGES = 48
STREAM = {"Alignment_Stream", "Uniformity_Stream", "EffectiveRank_Stream"}


def _cka(*experiences: int) -> set[str]:
    return {f"CKA_Exp/Exp{k:03d}" for k in experiences}


@pytest.fixture
def watched(benchmark: CLScenario, make_strategy: MakeStrategy) -> Callable[..., Any]:
    """Makes a strategy that is judged by k-NN and watched, and its watching plugin."""

    def make(
        stream: Any = None, *, images: int = 1000, seed: int = 0, **kwargs: Any
    ) -> tuple[SelfSupervised, RepresentationPlugin]:
        stream = benchmark.train_stream if stream is None else stream
        plugin = RepresentationPlugin(stream, images=images, seed=seed)
        probe = ProbePlugin(benchmark.train_stream, [KNNProbe(k=5)])
        strategy = make_strategy([probe, plugin], plugin.metrics(), **kwargs)
        return strategy, plugin

    return make


def _features(model: nn.Module, benchmark: CLScenario, experience: int) -> Tensor:
    return extract_features(model, benchmark.train_stream[experience].dataset.eval())[0]


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


def test_an_experience_is_compared_with_what_it_was_when_it_ended(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched(train_epochs=2)
    strategy.eval(benchmark.test_stream)
    assert plugin.values.keys() == STREAM
    ended: list[nn.Module] = []
    for t, experience in enumerate(benchmark.train_stream):
        strategy.train(experience)
        ended.append(copy.deepcopy(strategy.model))
        strategy.eval(benchmark.test_stream)
        assert plugin.values.keys() == STREAM | _cka(*range(t + 1))
        assert plugin.values[f"CKA_Exp/Exp{t:03d}"] == pytest.approx(1, abs=1e-12)
        for k in range(t):
            then = _features(ended[k], benchmark, k)
            expected = linear_cka(then, _features(strategy.model, benchmark, k))
            value = plugin.values[f"CKA_Exp/Exp{k:03d}"]
            assert value < 0.999, "training should have moved these features"
            assert value == pytest.approx(expected)


def test_all_drawn_images_make_the_values_of_the_stream(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched()
    strategy.eval(benchmark.test_stream)
    features = torch.cat([_features(strategy.model, benchmark, k) for k in range(3)])
    values = plugin.values
    assert values["Uniformity_Stream"] == pytest.approx(uniformity(features))
    assert values["EffectiveRank_Stream"] == pytest.approx(effective_rank(features))
    assert 0 < values["Alignment_Stream"] < 4


def test_alignment_compares_the_two_views_of_an_image(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    views = torch.rand(3, 6, 2, 3, 8, 8)
    stream = _stream_of_views(views)
    strategy, plugin = watched(stream)
    strategy.eval(benchmark.test_stream)
    backbone = strategy.model.backbone.eval()
    with torch.no_grad():
        first, second = (backbone(views[:, :, v].flatten(0, 1)) for v in (0, 1))
    assert plugin.values["Alignment_Stream"] == pytest.approx(alignment(first, second))


def _stream_of_views(views: Tensor) -> Any:
    """Experiences whose image is a number that the train transform turns to views."""
    flat = views.flatten(0, 1)

    def look_up(image: Any) -> Tensor:
        return flat[int(np.asarray(image)[0, 0, 0])]

    groups = {"train": (look_up, None), "eval": (transforms.ToTensor(), None)}
    datasets = []
    for ids in torch.arange(len(flat)).reshape(views.shape[:2]).numpy():
        x = np.broadcast_to(ids[:, None, None, None], (len(ids), 8, 8, 3))
        images = ArrayImages(x.astype(np.uint8), np.full(len(ids), -1))
        datasets.append(as_classification_dataset(images, groups))
    return benchmark_from_datasets(train=datasets).train_stream


def test_the_views_and_images_are_the_same_each_time(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched(images=8)
    state = copy.deepcopy(strategy.model.state_dict())
    strategy.eval(benchmark.test_stream)
    first = dict(plugin.values)
    strategy.train(benchmark.train_stream[0])
    strategy.eval(benchmark.test_stream)
    assert plugin.values["Alignment_Stream"] != first["Alignment_Stream"]
    strategy.model.load_state_dict(state)
    strategy.eval(benchmark.test_stream)
    assert {name: plugin.values[name] for name in STREAM} == first


def test_the_seed_alone_decides_what_is_drawn(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    def values(seed: int, state: int) -> dict[str, float]:
        torch.manual_seed(state)
        random.seed(state)
        strategy, plugin = watched(images=5, seed=seed)
        strategy.eval(benchmark.test_stream)
        return dict(plugin.values)

    assert values(seed=0, state=1) == values(seed=0, state=2)
    different = values(seed=3, state=1)
    assert all(different[name] != value for name, value in values(0, 1).items())


def test_no_more_images_than_asked_for_are_looked_at(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, _ = watched(images=5)
    strategy.eval(benchmark.test_stream)
    counter = _Counter(strategy.model.backbone)
    strategy.train(benchmark.train_stream[0])
    assert counter.read() == 2 * IMAGES // 3 + 5
    judged = IMAGES + len(benchmark.test_stream[0].dataset)
    strategy.eval(benchmark.test_stream[0])
    assert counter.read() == judged + 3 * 5 * (1 + 2)


def test_they_are_measured_once_for_each_state_of_the_model(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched()
    strategy.train(benchmark.train_stream[0])
    strategy.eval(benchmark.test_stream)
    values = plugin.values
    counter = _Counter(strategy.model.backbone)
    strategy.eval(benchmark.train_stream)
    assert counter.read() == IMAGES, "the evaluated images only"
    assert plugin.values is values
    strategy.model.backbone[0].weight.data.mul_(-1)
    strategy.eval(benchmark.train_stream)
    assert counter.read() > 2 * IMAGES
    assert plugin.values != values


def test_an_experience_that_ended_after_an_evaluation_of_the_same_state_counts(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched(eval_every=1)
    for experience in benchmark.train_stream:
        strategy.train(experience, eval_streams=[benchmark.test_stream])
    assert not (_cka(2) & plugin.values.keys()), "measured within its last epoch"
    strategy.eval(benchmark.test_stream)
    assert plugin.values.keys() == STREAM | _cka(0, 1, 2)
    assert plugin.values["CKA_Exp/Exp002"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("outputs", ["nothing", "one vector"])
def test_a_collapse_shows(
    benchmark: CLScenario, watched: Callable[..., Any], outputs: str
) -> None:
    strategy, plugin = watched()
    strategy.train(benchmark.train_stream[0])
    strategy.eval(benchmark.test_stream)
    healthy = dict(plugin.values)
    assert healthy["EffectiveRank_Stream"] > 1.5
    assert healthy["Uniformity_Stream"] < -0.01
    norm = strategy.model.backbone[1]
    nn.init.zeros_(norm.weight)
    nn.init.constant_(norm.bias, {"nothing": 0.0, "one vector": 0.7}[outputs])
    strategy.eval(benchmark.test_stream)
    assert plugin.values["EffectiveRank_Stream"] == 0
    assert plugin.values["Uniformity_Stream"] == pytest.approx(0, abs=1e-12)
    assert plugin.values["Alignment_Stream"] == pytest.approx(0, abs=1e-12)
    assert math.isnan(plugin.values["CKA_Exp/Exp000"])


def test_a_collapse_to_a_line_has_effective_rank_one(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched()
    nn.init.zeros_(strategy.model.backbone[1].weight[1:])
    strategy.eval(benchmark.test_stream)
    assert plugin.values["EffectiveRank_Stream"] == pytest.approx(1, abs=1e-3)


def _unlabelled_stream() -> Any:
    """Three experiences of images without labels."""
    groups = {
        "train": (TwoViews(transforms.ToTensor(), _noisy), None),
        "eval": (transforms.ToTensor(), None),
    }
    x = np.random.default_rng(0).integers(0, 256, (3, 16, 8, 8, 3), dtype=np.uint8)
    parts = [ArrayImages(images, np.full(16, -1)) for images in x]
    datasets = [as_classification_dataset(part, groups) for part in parts]
    return benchmark_from_datasets(train=datasets).train_stream


def _noisy(image: Any) -> Tensor:
    """Draws from every global generator."""
    noise = random.random() * torch.rand(3, 8, 8) * np.random.rand()  # noqa: NPY002
    view: Tensor = transforms.ToTensor()(image)
    return view + noise


def test_streams_without_labels_are_watched(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    stream = _unlabelled_stream()
    strategy, plugin = watched(stream)
    for t, experience in enumerate(stream):
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
        assert plugin.values.keys() == STREAM | _cka(*range(t + 1))
    values = [plugin.values[f"CKA_Exp/Exp{k:03d}"] for k in range(3)]
    assert max(values[:2]) < values[2] == pytest.approx(1, abs=1e-12)


def test_nothing_of_model_and_generators_changes(watched: Callable[..., Any]) -> None:
    stream = _unlabelled_stream()
    strategy, plugin = watched(stream)
    strategy.train(stream[0])
    strategy.model.backbone[1].eval()
    modes = [module.training for module in strategy.model.modules()]
    state = copy.deepcopy(strategy.model.state_dict())
    gradients = [param.grad.clone() for param in strategy.model.parameters()]
    generators = torch.get_rng_state(), random.getstate()
    numpy = np.random.get_state()[1].copy()  # noqa: NPY002
    with torch.no_grad():
        plugin.before_eval(strategy)
    assert plugin.values
    assert [module.training for module in strategy.model.modules()] == modes
    assert len(set(modes)) == 2
    for name, value in strategy.model.state_dict().items():
        assert torch.equal(value, state[name]), name
    for param, gradient in zip(strategy.model.parameters(), gradients, strict=True):
        assert torch.equal(param.grad, gradient)
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert random.getstate() == generators[1]
    assert np.array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002


def test_watching_does_not_change_the_result_of_training(
    benchmark: CLScenario, make_strategy: MakeStrategy, watched: Callable[..., Any]
) -> None:
    def train(strategy: SelfSupervised) -> dict[str, Tensor]:
        torch.manual_seed(5)
        for experience in benchmark.train_stream:
            strategy.train(experience, eval_streams=[benchmark.test_stream])
        return strategy.model.state_dict()

    expected, actual = train(make_strategy([])), train(watched(eval_every=1)[0])
    for name, value in expected.items():
        assert torch.equal(actual[name], value), name


def test_values_are_among_the_metrics_of_the_strategy(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched()
    for experience in benchmark.train_stream:
        strategy.train(experience)
        metrics = strategy.eval(benchmark.test_stream)
    for name, value in plugin.values.items():
        head, slash, tail = name.partition("/")
        assert metrics[f"{head}/eval_phase/test_stream{slash}{tail}"] == value
    assert len(plugin.values) == 3 + 3


def test_the_file_of_a_run_tells_how_far_each_experience_has_moved(
    benchmark: CLScenario, make_strategy: MakeStrategy, tmp_path: Path
) -> None:
    plugin = RepresentationPlugin(benchmark.train_stream)
    probe = ProbePlugin(benchmark.train_stream, [KNNProbe(k=5)])
    logger = JSONLinesLogger(tmp_path / "results.jsonl")
    strategy = make_strategy([probe, plugin], plugin.metrics(), loggers=[logger])
    last = {}
    for experience in benchmark.train_stream:
        strategy.train(experience)
        strategy.eval(benchmark.test_stream)
        last = dict(plugin.values)
    moved = accuracy_matrix(read_records(tmp_path / "results.jsonl"), "CKA_Exp")
    np.testing.assert_allclose(moved.diagonal(), 1)
    assert np.array_equal(np.isnan(moved), np.triu(np.ones((3, 3)), k=1) == 1)
    assert moved[2].tolist() == [last[f"CKA_Exp/Exp{k:03d}"] for k in range(3)]


@pytest.mark.parametrize("open_boundaries", [True, False])
def test_on_online_streams_an_experience_ends_with_its_last_part(
    benchmark: CLScenario, watched: Callable[..., Any], open_boundaries: bool
) -> None:
    strategy, plugin = watched()
    parts = split_online_stream(
        benchmark.train_stream,
        experience_size=8,
        access_task_boundaries=open_boundaries,
    )
    seen = []
    for part in parts:
        strategy.train(part)
        strategy.eval(benchmark.test_stream)
        seen.append(plugin.values.keys() - STREAM)
    expected = [set(), _cka(0), _cka(0), _cka(0, 1), _cka(0, 1), _cka(0, 1, 2)]
    assert seen == expected


def test_only_the_experiences_given_are_watched(
    benchmark: CLScenario, watched: Callable[..., Any]
) -> None:
    strategy, plugin = watched([benchmark.train_stream[1]])
    for experience in benchmark.train_stream:
        strategy.train(experience)
    counter = _Counter(strategy.model.backbone)
    strategy.eval(benchmark.test_stream[0])
    judged = IMAGES + len(benchmark.test_stream[0].dataset)
    assert counter.read() == judged + 16 * (1 + 2)
    assert plugin.values.keys() == STREAM | _cka(1)


def test_other_strategies_are_refused_before_they_train(benchmark: CLScenario) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 6))
    strategy = Naive(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        plugins=[RepresentationPlugin(benchmark.train_stream)],
        evaluator=None,
    )
    with pytest.raises(TypeError, match=r"Naive does not give.*SelfSupervised"):
        strategy.train(benchmark.test_stream[0])
    with pytest.raises(TypeError, match=r"Naive does not give.*SelfSupervised"):
        strategy.eval(benchmark.test_stream[0])


def test_a_single_image_or_no_experience_is_refused(benchmark: CLScenario) -> None:
    with pytest.raises(ValueError, match="images=1"):
        RepresentationPlugin(benchmark.train_stream, images=1)
    with pytest.raises(ValueError, match="holds no experience"):
        RepresentationPlugin([])


def test_an_experience_of_another_stream_is_not_taken_for_one_that_is_watched(
    benchmark: CLScenario, make_strategy: MakeStrategy
) -> None:
    everything = concat_datasets([each.dataset for each in benchmark.train_stream])
    joint = benchmark_from_datasets(train=[everything])
    plugin = RepresentationPlugin(benchmark.train_stream, images=5)
    strategy = make_strategy([plugin, ProbePlugin(benchmark.train_stream)])
    strategy.train(joint.train_stream[0])
    strategy.eval(benchmark.test_stream)
    assert not [name for name in plugin.values if name.startswith("CKA")]
    strategy.train(benchmark.train_stream[1])
    strategy.eval(benchmark.test_stream)
    assert plugin.values["CKA_Exp/Exp001"] == pytest.approx(1)
