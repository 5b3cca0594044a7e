import unittest

import torch
from avalanche.benchmarks import with_hidden_labels
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from tests.unit_tests_utils import get_fast_benchmark
from torch.utils.data import DataLoader


def double(x):
    return 2 * x


class HiddenLabelsTest(unittest.TestCase):
    def setUp(self):
        self.original = get_fast_benchmark(
            n_samples_per_class=20, seed=0, train_transform=double
        )
        self.size = [len(exp.dataset) for exp in self.original.train_stream]

    def test_unsupervised(self):
        benchmark = with_hidden_labels(self.original)
        for exp in benchmark.train_stream:
            self.assertEqual({-1}, set(exp.dataset.targets))
            self.assertEqual({-1}, {int(sample[1]) for sample in exp.dataset})

    def test_fractions(self):
        fractions = [1.0, 0.5, 0.25, 0.05, 0.0]
        benchmark = with_hidden_labels(self.original, labelled=fractions, seed=1)
        for exp, fraction in zip(benchmark.train_stream, fractions):
            targets = torch.as_tensor(list(exp.dataset.targets))
            size = self.size[exp.current_experience]
            self.assertEqual(round(fraction * size), int((targets != -1).sum()))
            self.assertEqual(targets.tolist(), [int(s[1]) for s in exp.dataset])

    def test_samples_and_known_labels_stay(self):
        for labelled in (0.0, 0.5, 1.0):
            benchmark = with_hidden_labels(self.original, labelled=labelled, seed=1)
            for old, new in zip(self.original.train_stream, benchmark.train_stream):
                self._same(old.dataset.train(), new.dataset.train())
                self._same(old.dataset.eval(), new.dataset.eval())

    def _same(self, old, new):
        self.assertEqual(len(old), len(new))
        for (x, y, *_), (new_x, new_y, *_) in zip(old, new):
            self.assertTrue(torch.equal(x, new_x))
            self.assertIn(int(new_y), (int(y), -1))

    def test_other_streams_stay(self):
        benchmark = with_hidden_labels(self.original)
        for old, new in zip(self.original.test_stream, benchmark.test_stream):
            self.assertEqual(list(old.dataset.targets), list(new.dataset.targets))

    def test_seed(self):
        def targets(seed):
            benchmark = with_hidden_labels(self.original, labelled=0.5, seed=seed)
            return [list(exp.dataset.targets) for exp in benchmark.train_stream]

        self.assertEqual(targets(1), targets(1))
        self.assertNotEqual(targets(1), targets(2))

    def test_batches_and_training(self):
        benchmark = with_hidden_labels(self.original, labelled=0.5, seed=1)
        model = SimpleMLP(input_size=6)
        strategy = Naive(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
            criterion=torch.nn.CrossEntropyLoss(ignore_index=-1),
            train_mb_size=24,
            evaluator=None,
        )
        for exp in benchmark.train_stream:
            for batch in DataLoader(exp.dataset, 10):
                self.assertEqual(torch.int64, batch[1].dtype)
            strategy.train(exp)
        for parameter in model.parameters():
            self.assertTrue(parameter.isfinite().all())

    def test_bad_fractions(self):
        for labelled in ([0.5, 0.5], 1.5, -0.1):
            with self.assertRaises(ValueError):
                with_hidden_labels(self.original, labelled=labelled)


if __name__ == "__main__":
    unittest.main()
