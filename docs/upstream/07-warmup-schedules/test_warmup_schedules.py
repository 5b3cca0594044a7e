import unittest

import torch
from avalanche.core import SupervisedPlugin
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from avalanche.training.plugins import LRSchedulerPlugin
from tests.unit_tests_utils import get_fast_benchmark
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    MultiStepLR,
    ReduceLROnPlateau,
    SequentialLR,
)

EPOCHS = 5


def warmup_cosine(optimizer):
    warmup = LinearLR(optimizer, start_factor=0.1, total_iters=2)
    cosine = CosineAnnealingLR(optimizer, EPOCHS - 2)
    return SequentialLR(optimizer, [warmup, cosine], milestones=[2])


def make_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


class LearningRates(SupervisedPlugin):
    def __init__(self):
        super().__init__()
        self.lrs = []

    def before_training_exp(self, strategy, **kwargs):
        self.lrs.append([])

    def before_training_epoch(self, strategy, **kwargs):
        self.lrs[-1].append(strategy.optimizer.param_groups[0]["lr"])


class WarmupSchedulesTest(unittest.TestCase):
    def test_warmup(self):
        self._same_in_every_experience(lambda opt: LinearLR(opt, 0.1, total_iters=3))

    def test_warmup_and_cosine(self):
        self._same_in_every_experience(warmup_cosine)

    def test_cosine(self):
        self._same_in_every_experience(lambda opt: CosineAnnealingLR(opt, EPOCHS))

    def test_steps(self):
        self._same_in_every_experience(lambda opt: MultiStepLR(opt, [2, 4]))

    def test_plateau_begins_anew(self):
        scheduler, lrs = self._train(
            lambda opt: ReduceLROnPlateau(opt, patience=0, threshold=10.0),
            metric="train_loss",
        )
        self.assertEqual([0.1] * 3, [each[0] for each in lrs])
        self.assertLess(lrs[0][-1], 0.1)
        self.assertEqual(0, scheduler.last_epoch)

    def test_state_of_a_scheduler(self):
        class Remembering(MultiStepLR):
            def __init__(self, optimizer):
                self.history = []
                super().__init__(optimizer, [2])

            def step(self, *args):
                super().step(*args)
                self.history.append(self.last_epoch)

        scheduler, _ = self._train(Remembering)
        self.assertEqual([0], scheduler.history)

    def test_no_reset(self):
        _, lrs = self._train(
            lambda opt: MultiStepLR(opt, [2]), reset_scheduler=False, reset_lr=False
        )
        self.assertEqual(lrs[0][-1], lrs[1][0])

    def _same_in_every_experience(self, make_scheduler):
        _, lrs = self._train(make_scheduler)
        optimizer = make_optimizer(SimpleMLP(input_size=6))
        scheduler = make_scheduler(optimizer)
        expected = []
        for _ in range(EPOCHS):
            expected.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        for each in lrs:
            for lr, expected_lr in zip(each, expected):
                self.assertAlmostEqual(expected_lr, lr)

    def _train(self, make_scheduler, **kwargs):
        model = SimpleMLP(input_size=6, hidden_size=4)
        optimizer = make_optimizer(model)
        scheduler = make_scheduler(optimizer)
        recorder = LearningRates()
        strategy = Naive(
            model=model,
            optimizer=optimizer,
            train_mb_size=24,
            train_epochs=EPOCHS,
            plugins=[LRSchedulerPlugin(scheduler, **kwargs), recorder],
            evaluator=None,
        )
        benchmark = get_fast_benchmark(n_samples_per_class=20)
        for experience in benchmark.train_stream[:3]:
            strategy.train(experience)
        return scheduler, recorder.lrs


if __name__ == "__main__":
    unittest.main()
