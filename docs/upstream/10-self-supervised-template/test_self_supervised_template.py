import unittest

import torch
from avalanche.benchmarks import benchmark_from_datasets, with_task_labels
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute, TaskLabels
from avalanche.training.plugins import AGEMPlugin, EWCPlugin, MIRPlugin, ReplayPlugin
from avalanche.training.self_supervised import SelfNaive
from avalanche.training.templates import SelfSupervisedTemplate
from torch import nn
from torch.utils.data import TensorDataset


class Encoder(nn.Module):
    """Maps views (N, V, 6) to (N, V, 4)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, views):
        return self.layers(views.flatten(0, 1)).unflatten(0, views.shape[:2])


class SquaredDistance:
    """Views are to be alike; that they differ from others is left out here."""

    def __init__(self):
        self.reduction = "mean"
        self.shapes = set()

    def __call__(self, output, targets=None):
        self.shapes.add(tuple(output.shape[1:]))
        losses = (output[:, 0] - output[:, 1]).square().sum(dim=1)
        return losses.mean() if self.reduction == "mean" else losses


def make_benchmark(labels=True, task_labels=False):
    torch.manual_seed(0)
    datasets = []
    for task in range(4):
        views = torch.randn(16, 2, 6) + task
        parts = [views, torch.zeros(16, dtype=torch.long)][: 1 + labels]
        attributes = [DataAttribute([0] * 16, "targets")] if labels else []
        if task_labels:
            attributes.append(TaskLabels([task] * 16))
        datasets.append(
            AvalancheDataset([TensorDataset(*parts)], data_attributes=attributes)
        )
    benchmark = benchmark_from_datasets(train=datasets, test=datasets)
    return with_task_labels(benchmark) if task_labels else benchmark


def train(benchmark, plugins=(), strategy_class=SelfNaive, **kwargs):
    torch.manual_seed(1)
    model = Encoder()
    strategy = strategy_class(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
        criterion=SquaredDistance(),
        train_mb_size=8,
        train_epochs=2,
        plugins=plugins,
        **{"evaluator": None, **kwargs},
    )
    for experience in benchmark.train_stream:
        strategy.train(experience)
    return strategy


def parameters(strategy):
    return torch.cat([p.detach().flatten() for p in strategy.model.parameters()])


class SelfSupervisedTemplateTest(unittest.TestCase):
    def test_learns(self):
        for task_labels in (False, True):
            benchmark = make_benchmark(task_labels=task_labels)
            strategy = train(benchmark)
            self.assertEqual({(2, 4)}, strategy._criterion.shapes)
            trained = self._loss(strategy.model, benchmark)
            torch.manual_seed(1)
            self.assertLess(trained, self._loss(Encoder(), benchmark))

    def test_finetuning_is_the_template_without_plugins(self):
        naive, template = (
            train(make_benchmark(), strategy_class=each)
            for each in (SelfNaive, SelfSupervisedTemplate)
        )
        self.assertTrue(torch.equal(parameters(naive), parameters(template)))

    def _loss(self, model, benchmark):
        views = torch.stack([s[0] for e in benchmark.train_stream for s in e.dataset])
        return SquaredDistance()(model(views)).item()

    def test_labels_may_be_absent(self):
        with_labels, without = (
            train(make_benchmark()),
            train(make_benchmark(labels=False)),
        )
        self.assertTrue(torch.equal(parameters(with_labels), parameters(without)))

    def test_plugins_have_their_effect(self):
        plain = parameters(train(make_benchmark(task_labels=True)))
        for plugin in (
            ReplayPlugin(mem_size=16),
            EWCPlugin(ewc_lambda=100.0),
            AGEMPlugin(patterns_per_experience=8, sample_size=8),
            MIRPlugin(mem_size=16, subsample=8, batch_size_mem=4),
        ):
            strategy = train(make_benchmark(task_labels=True), [plugin])
            self.assertTrue(parameters(strategy).isfinite().all())
            self.assertFalse(torch.equal(plain, parameters(strategy)), plugin)

    def test_evaluation(self):
        benchmark = make_benchmark()
        strategy = SelfSupervisedTemplate(
            model=Encoder(),
            optimizer=torch.optim.SGD([torch.zeros(1)], lr=0.01),
            criterion=SquaredDistance(),
            eval_mb_size=16,
        )
        metrics = strategy.eval(benchmark.test_stream)
        expected = self._loss(strategy.model, benchmark)
        (name,) = [name for name in metrics if name.startswith("Loss_Stream")]
        self.assertAlmostEqual(expected, metrics[name], places=5)

    def test_views_in_a_list(self):
        strategy = train(make_benchmark())
        strategy.mbatch = [[torch.zeros(8, 6)] * 2, torch.zeros(8)]
        with self.assertRaises(ValueError):
            strategy._unpack_minibatch()


if __name__ == "__main__":
    unittest.main()
