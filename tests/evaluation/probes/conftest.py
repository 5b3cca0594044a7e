import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot


def make_features(images: int, seed: int, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Overlapping classes; features of different scale and offset."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % classes
    hint = one_hot(labels, 5).double()
    noise = torch.randn(images, 5, dtype=torch.double, generator=generator)
    scale = torch.tensor([1.0, 10.0, 0.1, 1.0, 3.0])
    return (hint + noise) * scale + torch.tensor([0.0, 5.0, 1.0, -3.0, 0.0]), labels


TRAIN, TEST = make_features(90, seed=0), make_features(60, seed=1)


class SGDByHand:
    """Softmax regression of features as they are, with the gradient written out."""

    def __init__(self, dim: int, classes: int, momentum: float) -> None:
        self.weight, self.bias = np.zeros((classes, dim)), np.zeros(classes)
        self._velocity = [np.zeros_like(self.weight), np.zeros_like(self.bias)]
        self._momentum = momentum

    def scores(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weight.T + self.bias

    def step(self, x: np.ndarray, labels: np.ndarray, lr: float) -> None:
        scores = self.scores(x)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = odds / odds.sum(axis=1, keepdims=True) - np.eye(len(self.bias))[labels]
        gradients = error.T @ x / len(x), error.mean(axis=0)
        for part, velocity, gradient in zip(
            (self.weight, self.bias), self._velocity, gradients, strict=True
        ):
            velocity *= self._momentum
            velocity += gradient
            part -= lr * velocity
