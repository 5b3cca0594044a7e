import tempfile
import unittest
from pathlib import Path

import torch
from avalanche.benchmarks.classic import SplitImageNet100
from avalanche.benchmarks.classic.cimagenet100 import IMAGENET_100
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from PIL import Image
from torchvision.transforms import ToTensor


class SplitImageNet100Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        for split in ("train", "val"):
            for index, wnid in enumerate([*IMAGENET_100, "n00000000"]):
                file = cls.root / split / wnid / f"{wnid}_1.JPEG"
                file.parent.mkdir(parents=True)
                Image.new("RGB", (8, 8), (2 * index, 0, 0)).save(file, quality=100)

    def _benchmark(self, **kwargs):
        return SplitImageNet100(
            self.root, train_transform=ToTensor(), eval_transform=ToTensor(), **kwargs
        )

    def test_classes(self):
        self.assertEqual(100, len(set(IMAGENET_100)))
        benchmark = self._benchmark(n_experiences=5)
        for stream in (benchmark.train_stream, benchmark.test_stream):
            self.assertEqual([20] * 5, [len(exp.dataset) for exp in stream])
            seen = set().union(*(exp.classes_in_this_experience for exp in stream))
            self.assertEqual(set(range(100)), seen)
            for exp in stream:
                for image, label, *_ in exp.dataset:
                    red = image[0].mean().item() * 255
                    self.assertLess(abs(red - 2 * label), 2)

    def test_order(self):
        def order(**kwargs):
            stream = self._benchmark(**kwargs).train_stream
            return [sorted(exp.classes_in_this_experience) for exp in stream]

        self.assertEqual(order(seed=1), order(seed=1))
        self.assertNotEqual(order(seed=1), order(seed=2))
        by_number = [list(range(10 * i, 10 * i + 10)) for i in range(10)]
        self.assertEqual(by_number, order(shuffle=False))

    def test_another_list(self):
        wnids = [IMAGENET_100[7], "n00000000", IMAGENET_100[3]]
        benchmark = self._benchmark(n_experiences=3, wnids=wnids, shuffle=False)
        for expected, exp in zip((14, 200, 6), benchmark.train_stream):
            self.assertLess(abs(exp.dataset[0][0][0].mean().item() * 255 - expected), 2)
        with self.assertRaises(ValueError):
            self._benchmark(wnids=[wnids[0]] * 2)
        with self.assertRaises(FileNotFoundError):
            self._benchmark(wnids=["n99999999"], n_experiences=1)

    def test_training(self):
        model = SimpleMLP(input_size=3 * 8 * 8, num_classes=100)
        strategy = Naive(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
            train_mb_size=10,
            evaluator=None,
        )
        benchmark = self._benchmark(return_task_id=True)
        for index, experience in enumerate(benchmark.train_stream[:3]):
            self.assertEqual([index], experience.task_labels)
            strategy.train(experience)
        strategy.eval(benchmark.test_stream)


if __name__ == "__main__":
    unittest.main()
