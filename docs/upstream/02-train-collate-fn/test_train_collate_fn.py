import unittest

import torch
from avalanche.benchmarks import benchmark_from_datasets, with_task_labels
from avalanche.benchmarks.utils import AvalancheDataset, DataAttribute, TaskLabels
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from torch.utils.data import TensorDataset, default_collate


def collate_doubled(samples):
    batch = default_collate(samples)
    return [2 * batch[0], *batch[1:]]


def collate_negated(samples):
    batch = default_collate(samples)
    return [-batch[0], *batch[1:]]


class SeeingNaive(Naive):
    """Keeps the sign and size of what it is trained on."""

    def _before_forward(self, **kwargs):
        super()._before_forward(**kwargs)
        self.seen.append(self.mb_x.mean().item())


class TrainCollateFnTest(unittest.TestCase):
    def test_collate_fn_of_the_data(self):
        self.assertEqual([2.0] * 6, self._train(task_labels=False))

    def test_collate_fn_of_the_data_with_task_labels(self):
        self.assertEqual([2.0] * 6, self._train(task_labels=True))

    def test_collate_fn_given_to_train(self):
        for task_labels in (False, True):
            seen = self._train(task_labels=task_labels, collate_fn=collate_negated)
            self.assertEqual([-1.0] * 6, seen)

    def _train(self, task_labels, **kwargs):
        datasets = []
        for task in range(3):
            data = TensorDataset(torch.ones(8, 6), torch.zeros(8, dtype=torch.long))
            targets = DataAttribute([0] * 8, name="targets", use_in_getitem=False)
            attributes = [targets]
            if task_labels:
                attributes.append(TaskLabels([task] * 8))
            datasets.append(
                AvalancheDataset(
                    [data], data_attributes=attributes, collate_fn=collate_doubled
                )
            )
        benchmark = benchmark_from_datasets(train=datasets)
        if task_labels:
            benchmark = with_task_labels(benchmark)

        model = SimpleMLP(input_size=6)
        strategy = SeeingNaive(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
            train_mb_size=4,
            evaluator=None,
        )
        strategy.seen = []
        for experience in benchmark.train_stream:
            strategy.train(experience, **kwargs)
        return strategy.seen


if __name__ == "__main__":
    unittest.main()
