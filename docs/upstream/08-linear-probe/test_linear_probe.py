import unittest

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute
from avalanche.evaluation.functional import linear_probe_accuracy
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from avalanche.training.plugins import EvaluationPlugin, LinearProbePlugin
from tests.unit_tests_utils import get_fast_benchmark
from torch import nn
from torch.utils.data import TensorDataset


class LinearProbeTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.benchmark = get_fast_benchmark(n_samples_per_class=50, seed=0)

    def _probe(self, model, **kwargs):
        return linear_probe_accuracy(
            model, self.benchmark.train_stream, self.benchmark.test_stream, **kwargs
        )

    def test_accuracy_of_each_experience(self):
        # Two classes that can be told apart, and two that cannot.
        points = torch.tensor([[[0.0, 0.0], [0.0, 9.0]], [[9.0, 0.0], [9.0, 0.0]]])
        datasets = []
        for index, x in enumerate(points):
            y = torch.tensor([0, 1]) + 2 * index
            data = TensorDataset(x.repeat(10, 1), y.repeat(10))
            targets = DataAttribute(data.tensors[1].tolist(), "targets")
            datasets.append(AvalancheDataset([data], data_attributes=[targets]))
        stream = benchmark_from_datasets(train=datasets).train_stream
        accuracies = linear_probe_accuracy(nn.Identity(), stream, stream)
        self.assertEqual([1.0, 0.5], accuracies)

    def test_layer(self):
        model = SimpleMLP(input_size=6, num_classes=10)
        whole = nn.Sequential(model.features, nn.Flatten())
        named = self._probe(model, layer_name="features")
        self.assertEqual(self._probe(whole), named)
        self.assertNotEqual(self._probe(model, layer_name="classifier"), named)
        self.assertGreater(sum(named) / 5, 0.3)  # chance is 0.1

    def test_nothing_changes(self):
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout())
        model.train()
        model[1].eval()
        before = {k: v.clone() for k, v in model.state_dict().items()}
        torch.manual_seed(1)
        expected = torch.rand(3)
        torch.manual_seed(1)
        first, second = self._probe(model), self._probe(model)
        self.assertEqual(first, second)
        self.assertTrue(torch.equal(expected, torch.rand(3)))
        self.assertEqual(
            [True, True, False, True], [m.training for m in model.modules()]
        )
        for name, value in model.state_dict().items():
            self.assertTrue(torch.equal(before[name], value))
        self.assertFalse(model._forward_hooks)

    def test_plugin_publishes_and_leaves_training_alone(self):
        plugin = LinearProbePlugin(
            train_stream=self.benchmark.train_stream,
            test_stream=self.benchmark.test_stream,
            layer_name="features",
        )
        probed, plain = self._train([plugin]), self._train([])
        metrics = probed.evaluator.get_all_metrics()
        for index in range(5):
            steps, values = metrics[f"Linear_Probe_Acc/test_stream/Exp{index:03d}"]
            self.assertEqual(3, len(values))
            self.assertEqual(sorted(set(steps)), steps)
        for one, other in zip(probed.model.parameters(), plain.model.parameters()):
            self.assertTrue(torch.equal(one, other))

    def _train(self, plugins):
        torch.manual_seed(0)
        model = SimpleMLP(input_size=6, num_classes=10)
        strategy = Naive(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            train_mb_size=16,
            plugins=plugins,
            evaluator=EvaluationPlugin(),
        )
        for experience in self.benchmark.train_stream[:3]:
            strategy.train(experience)
        return strategy


if __name__ == "__main__":
    unittest.main()
