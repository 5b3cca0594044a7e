import unittest

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.scenarios.online import split_online_stream
from avalanche.core import SupervisedPlugin
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from avalanche.training.utils import _at_task_boundary
from tests.unit_tests_utils import dummy_classification_datasets


class BoundaryCounter(SupervisedPlugin):
    def __init__(self):
        super().__init__()
        self.ended = 0

    def after_training_exp(self, strategy, **kwargs):
        if _at_task_boundary(strategy.experience, before=False):
            self.ended += 1


class OnlineBoundariesTest(unittest.TestCase):
    def setUp(self):
        train, _ = dummy_classification_datasets(n_samples_per_class=20)
        parts = [train.subset(range(24 * i, 24 * i + 24)) for i in range(5)]
        self.benchmark = benchmark_from_datasets(train=parts)

    def test_one_first_and_one_last_part(self):
        for size, drop_last in (
            (5, False),
            (5, True),
            (6, False),
            (6, True),
            (24, True),
        ):
            stream = split_online_stream(
                self.benchmark.train_stream,
                experience_size=size,
                drop_last=drop_last,
                access_task_boundaries=True,
            )
            parts = list(stream)
            length = 24 // size if drop_last else -(-24 // size)
            self.assertEqual(
                [length] * (5 * length), [p.sub_stream_length for p in parts]
            )
            first = [part.is_first_subexp for part in parts]
            last = [part.is_last_subexp for part in parts]
            others = [False] * (length - 1)
            self.assertEqual([True, *others] * 5, first)
            self.assertEqual([*others, True] * 5, last)

    def test_every_sample_once(self):
        stream = split_online_stream(self.benchmark.train_stream, 6, seed=1)
        parts = [part.dataset for part in stream]
        self.assertEqual([6] * 20, [len(part) for part in parts])
        seen = torch.stack([sample[0] for part in parts for sample in part])
        whole = torch.stack(
            [
                sample[0]
                for experience in self.benchmark.train_stream
                for sample in experience.dataset
            ]
        )
        self.assertFalse(torch.equal(whole, seen))  # shuffled
        self.assertTrue(torch.equal(whole.unique(dim=0), seen.unique(dim=0)))

    def test_plugins_see_the_end_of_every_experience(self):
        counter = BoundaryCounter()
        model = SimpleMLP(input_size=7)
        strategy = Naive(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
            train_mb_size=6,
            plugins=[counter],
            evaluator=None,
        )
        for part in split_online_stream(
            self.benchmark.train_stream, 6, access_task_boundaries=True
        ):
            strategy.train(part)
        self.assertEqual(5, counter.ended)


if __name__ == "__main__":
    unittest.main()
