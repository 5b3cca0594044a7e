import unittest

from avalanche.benchmarks import class_incremental_benchmark
from tests.unit_tests_utils import dummy_classification_datasets


class RemainderClassesTest(unittest.TestCase):
    def setUp(self):
        self.train, self.test = dummy_classification_datasets(n_classes=10)

    def _benchmark(self, **kwargs):
        return class_incremental_benchmark(
            {"train": self.train, "test": self.test}, **kwargs
        )

    def test_last_experience_takes_the_remainder(self):
        benchmark = self._benchmark(num_experiences=4, seed=1)
        for stream, data in (
            (benchmark.train_stream, self.train),
            (benchmark.test_stream, self.test),
        ):
            sizes = [len(exp.classes_in_this_experience) for exp in stream]
            self.assertEqual([2, 2, 2, 4], sizes)
            self.assertEqual(len(data), sum(len(exp.dataset) for exp in stream))

    def test_order_of_the_classes(self):
        order = [3, 1, 4, 5, 9, 2, 6, 8, 7, 0]
        benchmark = self._benchmark(num_experiences=3, class_order=order)
        classes = [exp.classes_in_this_experience for exp in benchmark.train_stream]
        self.assertEqual([{3, 1, 4}, {5, 9, 2}, {6, 8, 7, 0}], classes)

    def test_without_a_remainder_as_before(self):
        order = list(range(10))
        benchmark = self._benchmark(num_experiences=5, class_order=order)
        classes = [exp.classes_in_this_experience for exp in benchmark.train_stream]
        self.assertEqual([{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}], classes)

    def test_more_experiences_than_classes(self):
        with self.assertRaises(ValueError):
            self._benchmark(num_experiences=11)


if __name__ == "__main__":
    unittest.main()
