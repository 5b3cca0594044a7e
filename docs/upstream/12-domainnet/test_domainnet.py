import tempfile
import unittest
from pathlib import Path

import torch
from avalanche.benchmarks.classic import DomainNet
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from PIL import Image
from torchvision.transforms import ToTensor

CLASSES = ("airplane", "alarm_clock", "ambulance")
DOMAINS = ("real", "quickdraw", "painting", "sketch", "infograph", "clipart")


def black(image):
    return torch.zeros(3, image.height, image.width)


def write_domainnet(root):
    """Two images of each class in each split; their color tells the domain."""
    for number, domain in enumerate(DOMAINS):
        for split in ("train", "test"):
            lines = []
            for label, name in enumerate(CLASSES):
                for index in range(2):
                    file = f"{domain}/{name}/{split}_{index}.jpg"
                    (root / file).parent.mkdir(parents=True, exist_ok=True)
                    color = (40 * number, 0, 0)
                    Image.new("RGB", (8, 8), color).save(root / file)
                    lines.append(f"{file} {label}\n")
            (root / f"{domain}_{split}.txt").write_text("".join(lines))


class DomainNetTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        write_domainnet(self.root)

    def _benchmark(self, **kwargs):
        return DomainNet(
            self.root,
            **{"train_transform": ToTensor(), "eval_transform": ToTensor(), **kwargs},
        )

    def test_one_domain_in_each_experience(self):
        benchmark = self._benchmark()
        for stream in (benchmark.train_stream, benchmark.test_stream):
            self.assertEqual(6, len(stream))
            for number, experience in enumerate(stream):
                self.assertEqual(6, len(experience.dataset))
                self.assertEqual({0, 1, 2}, experience.classes_in_this_experience)
                self.assertEqual([0, 0, 1, 1, 2, 2], list(experience.dataset.targets))
                red = experience.dataset[0][0][0].mean().item() * 255
                self.assertLess(abs(red - 40 * number), 4)

    def test_order_of_the_domains(self):
        benchmark = self._benchmark(domains=("clipart", "real"))
        reds = [exp.dataset[0][0][0].mean().item() for exp in benchmark.train_stream]
        self.assertEqual(2, len(reds))
        self.assertGreater(reds[0], reds[1])
        with self.assertRaises(ValueError):
            self._benchmark(domains=("cartoon",))

    def test_transforms_of_each_stream(self):
        benchmark = self._benchmark(eval_transform=black)
        train, test = benchmark.train_stream[1], benchmark.test_stream[1]
        self.assertGreater(train.dataset[0][0].max(), 0)
        self.assertEqual(0, test.dataset[0][0].max())
        self.assertEqual(0, train.dataset.eval()[0][0].max())

    def test_default_transforms(self):
        benchmark = DomainNet(self.root)
        self.assertEqual((3, 224, 224), benchmark.train_stream[0].dataset[0][0].shape)

    def test_training(self):
        model = SimpleMLP(input_size=3 * 8 * 8, num_classes=3)
        strategy = Naive(
            model=model,
            optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
            train_mb_size=3,
            evaluator=None,
        )
        benchmark = self._benchmark()
        for experience in benchmark.train_stream:
            strategy.train(experience)
        strategy.eval(benchmark.test_stream)
        self.assertEqual(6, strategy.clock.train_exp_counter)

    def test_missing_list(self):
        (self.root / "sketch_test.txt").unlink()
        with self.assertRaises(FileNotFoundError):
            self._benchmark()


if __name__ == "__main__":
    unittest.main()
