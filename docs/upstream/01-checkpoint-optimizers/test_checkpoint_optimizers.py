import tempfile
import unittest
from pathlib import Path

import torch
from avalanche.checkpointing import maybe_load_checkpoint, save_checkpoint
from avalanche.models import SimpleMLP
from avalanche.training import Naive
from tests.unit_tests_utils import get_fast_benchmark


class CheckpointOptimizersTest(unittest.TestCase):
    def test_sgd(self):
        self._save_and_load(torch.optim.SGD, momentum=0.9)

    def test_adam(self):
        self._save_and_load(torch.optim.Adam)

    def _save_and_load(self, optimizer_class, **options):
        model = SimpleMLP(input_size=6)
        optimizer = optimizer_class(model.parameters(), lr=0.01, **options)
        strategy = Naive(
            model=model, optimizer=optimizer, train_mb_size=32, evaluator=None
        )
        benchmark = get_fast_benchmark(n_samples_per_class=20)
        for experience in benchmark.train_stream[:3]:
            strategy.train(experience)

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "checkpoint.pkl"
            save_checkpoint(strategy, file)
            loaded, done = maybe_load_checkpoint(strategy, file)

        self.assertEqual(3, done)
        self.assertIs(optimizer_class, type(loaded.optimizer))
        self.assertEqual(
            str(optimizer.state_dict()["state"]),
            str(loaded.optimizer.state_dict()["state"]),
        )
        for old, new in zip(model.parameters(), loaded.model.parameters()):
            self.assertTrue(torch.equal(old, new))


if __name__ == "__main__":
    unittest.main()
