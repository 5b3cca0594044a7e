import unittest

import torch
from avalanche.core import SupervisedPlugin
from avalanche.training import Naive
from avalanche.training.plugins import RWalkPlugin
from tests.unit_tests_utils import get_fast_benchmark
from torch import nn


class ModeRecorder(SupervisedPlugin):
    def __init__(self):
        super().__init__()
        self.modes = set()
        self.steps = 0

    def before_forward(self, strategy, **kwargs):
        self.steps += 1
        modules = strategy.model.named_modules()
        self.modes.add(tuple((name, module.training) for name, module in modules))


class FrozenNorm(SupervisedPlugin):
    def before_training_epoch(self, strategy, **kwargs):
        strategy.model[1].eval()


class RWalkTrainModeTest(unittest.TestCase):
    def test_training_is_in_train_mode(self):
        model = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 10)
        )
        recorder = self._train(model)
        expected = tuple((name, True) for name, _ in model.named_modules())
        self.assertEqual([expected], sorted(recorder.modes))
        self.assertEqual(recorder.steps, model[1].num_batches_tracked.item())

    def test_frozen_modules_stay_in_eval_mode(self):
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))
        recorder = self._train(model, [FrozenNorm()])
        expected = (("", True), ("0", True), ("1", False), ("2", True))
        self.assertEqual([expected], sorted(recorder.modes))

    def _train(self, model, plugins=()):
        recorder = ModeRecorder()
        strategy = Naive(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
            train_mb_size=15,
            plugins=[*plugins, RWalkPlugin(delta_t=2), recorder],
            evaluator=None,
        )
        benchmark = get_fast_benchmark(n_samples_per_class=50)
        for experience in benchmark.train_stream[:3]:
            strategy.train(experience, drop_last=True)
        return recorder


if __name__ == "__main__":
    unittest.main()
