import copy
import unittest
from types import SimpleNamespace

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.scenarios.online import split_online_stream
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from avalanche.training.plugins import EWCPlugin, PNRPlugin, ReplayPlugin
from avalanche.training.regularization import PseudoNegatives
from avalanche.training.self_supervised import PNR, SelfNaive
from torch import nn
from torch.nn.functional import cross_entropy, normalize
from torch.utils.data import TensorDataset


class Encoder(nn.Module):
    """Maps views (N, V, 6) to (N, V, 4)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, views):
        return self.layers(views.flatten(0, 1)).unflatten(0, views.shape[:2])


def nt_xent(output, targets=None):
    """SimCLR's loss."""
    z = normalize(output, dim=-1).transpose(0, 1).flatten(0, 1)
    logits = (z @ z.T / 0.2).fill_diagonal_(float("-inf"))
    return cross_entropy(logits, torch.arange(len(z)).roll(len(output)))


def make_benchmark():
    torch.manual_seed(0)
    datasets = []
    for experience in range(4):
        x = torch.randn(16, 6) + experience
        views = torch.stack([x, x + 0.1 * torch.randn(16, 6)], dim=1)
        data = TensorDataset(views, torch.zeros(16, dtype=torch.long))
        targets = DataAttribute([0] * 16, "targets")
        datasets.append(AvalancheDataset([data], data_attributes=[targets]))
    return benchmark_from_datasets(train=datasets)


def train(stream, plugins=(), strategy_class=SelfNaive, **kwargs):
    torch.manual_seed(1)
    model = Encoder()
    strategy = strategy_class(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.05),
        criterion=nt_xent,
        train_mb_size=8,
        plugins=plugins,
        evaluator=None,
        **kwargs,
    )
    for experience in stream:
        strategy.train(experience)
    return strategy


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.layers.parameters()])


class PNRTest(unittest.TestCase):
    def test_equation(self):
        torch.manual_seed(0)
        n, tau = 3, 0.5
        views = torch.randn(n, 2, 6, dtype=torch.double)
        past, present = Encoder().double(), Encoder().double()
        predictor = nn.Linear(4, 4).double()
        pnr = PseudoNegatives(temperature=tau, predictor=predictor)
        self.assertEqual(0, pnr(views, present(views), present))
        experience = SimpleNamespace()
        pnr.post_adapt(SimpleNamespace(model=past), experience)

        output = present(views)
        z, p, f = (
            normalize(each, dim=-1).transpose(0, 1).flatten(0, 1)
            for each in (output, predictor(output), past(views))
        )
        expected = 0
        for i in range(2 * n):
            positive = (i + n) % (2 * n)
            others = [j for j in range(2 * n) if j != i]

            def e(a, b):
                return torch.exp(a @ b / tau)

            of_z = sum(e(z[i], z[j]) for j in others)
            of_f = sum(e(z[i], f[j]) for j in others)
            ssl = -torch.log(e(z[i], z[positive]) / of_z)
            plasticity = -torch.log(e(z[i], z[positive]) / (of_z + of_f))
            negatives = sum(e(p[i], f[j]) + e(p[i], z[j]) for j in others)
            stability = -torch.log(e(p[i], f[i]) / (e(p[i], f[i]) + negatives))
            expected += (plasticity - ssl + stability) / (2 * n)
        self.assertAlmostEqual(expected.item(), pnr(views, output).item(), places=9)

    def test_plugin(self):
        benchmark = make_benchmark()
        plugin = PNRPlugin(predictor=nn.Linear(4, 4))
        before = plugin.pnr.predictor.weight.detach().clone()
        with_pnr = train(benchmark.train_stream, [plugin])
        self.assertFalse(torch.equal(before, plugin.pnr.predictor.weight))
        self.assertTrue(parameters(with_pnr.model).isfinite().all())
        plain = train(benchmark.train_stream)
        self.assertFalse(
            torch.equal(parameters(plain.model), parameters(with_pnr.model))
        )

    def test_strategy_is_the_plugin(self):
        stream = make_benchmark().train_stream
        for make_others in (lambda: [], lambda: [ReplayPlugin(mem_size=16)]):
            predictor = nn.Linear(4, 4)
            plugin = PNRPlugin(predictor=copy.deepcopy(predictor))
            with_plugin = train(stream, [plugin, *make_others()])
            strategy = train(stream, make_others(), PNR, predictor=predictor)
            self.assertTrue(
                torch.equal(parameters(with_plugin.model), parameters(strategy.model))
            )

    def test_first_experience_is_plain(self):
        first = make_benchmark().train_stream[:1]
        with_pnr, plain = train(first, [PNRPlugin()]), train(first)
        self.assertTrue(
            torch.equal(parameters(plain.model), parameters(with_pnr.model))
        )

    def test_past_model_is_frozen(self):
        plugin = PNRPlugin()
        train(make_benchmark().train_stream, [plugin])
        past = plugin.pnr.past_model
        self.assertFalse(past.training)
        self.assertFalse(any(p.requires_grad for p in past.parameters()))

    def test_with_other_plugins(self):
        stream = make_benchmark().train_stream
        alone = parameters(train(stream, [PNRPlugin()]).model)
        for other in (ReplayPlugin(mem_size=16), EWCPlugin(ewc_lambda=100.0)):
            both = parameters(train(stream, [PNRPlugin(), other]).model)
            self.assertTrue(both.isfinite().all())
            self.assertFalse(torch.equal(alone, both), other)

    def test_past_model_of_whole_experiences_on_online_streams(self):
        stream = list(make_benchmark().train_stream[:1])
        parts = list(split_online_stream(stream, 8, access_task_boundaries=True))
        plugin = PNRPlugin()
        train(parts[:-1], [plugin])
        self.assertIsNone(plugin.pnr.past_model)


if __name__ == "__main__":
    unittest.main()
