import unittest

from experiments.split_cifar100 import pnr_scifar100
from tests.utils import get_average_metric, get_target_result


class PNR(unittest.TestCase):
    """Reproducing Pseudo-Negative Regularization experiments from paper
    "Regularizing with Pseudo-Negatives for Continual Self-Supervised Learning"
    by Cha et. al (2024).
    https://arxiv.org/abs/2306.05101
    """

    def test_scifar100(self):
        """Split CIFAR-100 benchmark"""
        res = pnr_scifar100()
        avg_stream_acc = get_average_metric(res)
        print(f"PNR-SCIFAR100 Average Stream Accuracy: {avg_stream_acc:.2f}")

        target_acc = float(get_target_result("pnr", "scifar100"))
        if target_acc > avg_stream_acc:
            self.assertAlmostEqual(target_acc, avg_stream_acc, delta=0.03)
