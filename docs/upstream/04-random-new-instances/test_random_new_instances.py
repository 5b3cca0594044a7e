import unittest

import torch
from avalanche.benchmarks.scenarios.supervised import new_instances_benchmark
from tests.unit_tests_utils import dummy_classification_datasets


class RandomNewInstancesTest(unittest.TestCase):
    def setUp(self):
        self.train, self.test = dummy_classification_datasets(
            n_classes=10, n_samples_per_class=20
        )  # 120 training samples

    def _split(self, **kwargs):
        benchmark = new_instances_benchmark(
            self.train, self.test, num_experiences=5, **kwargs
        )
        return [
            [sample[0].tolist() for sample in experience.dataset]
            for experience in benchmark.train_stream
        ]

    def test_random(self):
        split = self._split(seed=1)
        self.assertEqual(split, self._split(seed=1))
        self.assertNotEqual(split, self._split(seed=2))

    def test_not_in_the_order_of_the_data(self):
        # A sample of each class may be in any experience, not just the first of the
        # class in the first one.
        firsts = [self.train.targets.val_to_idx[c][0] for c in range(10)]
        first_samples = [self.train[i][0].tolist() for i in firsts]
        in_first = sum(each in self._split(seed=1)[0] for each in first_samples)
        self.assertLess(in_first, 10)

    def test_every_sample_once_in_equal_parts(self):
        for shuffle in (True, False):
            split = self._split(shuffle=shuffle, seed=1)
            self.assertEqual([24] * 5, [len(part) for part in split])
            samples = {tuple(sample) for part in split for sample in part}
            self.assertEqual(120, len(samples))

    def test_in_the_order_of_the_data_if_asked_for(self):
        split = self._split(shuffle=False)
        samples = [sample[0].tolist() for sample in self.train]
        self.assertEqual(samples, [sample for part in split for sample in part])

    def test_minimum_of_every_class(self):
        benchmark = new_instances_benchmark(
            self.train,
            self.test,
            num_experiences=5,
            min_class_patterns_in_exp=2,
            seed=1,
        )
        for experience in benchmark.train_stream:
            targets = torch.as_tensor(list(experience.dataset.targets))
            self.assertGreaterEqual(targets.bincount(minlength=10).min(), 2)
        with self.assertRaises(ValueError):
            new_instances_benchmark(
                self.train, self.test, num_experiences=5, min_class_patterns_in_exp=3
            )

    def test_global_generator_untouched_by_a_seed(self):
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        self._split(seed=1)
        self.assertTrue(torch.equal(expected, torch.rand(3)))


if __name__ == "__main__":
    unittest.main()
