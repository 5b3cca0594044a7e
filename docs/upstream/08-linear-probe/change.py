"""New: ``linear_probe_accuracy`` and, as an example of its use, ``LinearProbePlugin``.

The function goes into ``avalanche/evaluation/functional.py``, the plugin into
``avalanche/training/plugins/linear_probe.py``.
"""

from typing import Any, Iterable, List, Optional, Tuple

import avalanche.evaluation.functional
import avalanche.training.plugins
import numpy as np
import torch
from avalanche.core import SupervisedPlugin
from avalanche.evaluation.metric_results import MetricValue
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader


def linear_probe_accuracy(
    model: torch.nn.Module,
    train_stream: Iterable[Any],
    test_stream: Iterable[Any],
    *,
    layer_name: Optional[str] = None,
    batch_size: int = 256,
    c: float = 1.0,
) -> List[float]:
    """Accuracy of a linear classifier on frozen features.

    One classifier over all classes of `train_stream` is fitted to standardized
    features. The model and the random number generators are left as they were.

    :param model: the model, called with images alone, on its own device.
    :param train_stream: experiences that the classifier is fitted to.
    :param test_stream: experiences that it is tested on.
    :param layer_name: name of the module whose output is taken as features, as in
        `model.named_modules()`; by default the output of the model.
    :param batch_size: size of the mini-batches.
    :param c: inverse strength of the L2 regularization.

    :return: one accuracy between 0 and 1 for each experience of `test_stream`.
    """
    features = [_extract(model, exp, layer_name, batch_size) for exp in train_stream]
    x, y = (np.concatenate(parts) for parts in zip(*features))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
    classifier.fit(x, y)
    return [
        float(classifier.score(*_extract(model, exp, layer_name, batch_size)))
        for exp in test_stream
    ]


@torch.no_grad()
def _extract(
    model: torch.nn.Module, experience: Any, layer_name: Optional[str], batch_size: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Features and targets of an experience, without data augmentation."""
    features: List[np.ndarray] = []
    hook = model.get_submodule(layer_name or "").register_forward_hook(
        lambda module, args, output: features.append(output.flatten(1).cpu().numpy())
    )
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters(), torch.empty(0)).device
    dataset = experience.dataset.eval()
    loader = DataLoader(
        dataset,
        batch_size,
        collate_fn=dataset.collate_fn,
        generator=torch.Generator(),  # else one number of the global one is drawn
    )
    targets = []
    try:
        model.eval()
        for batch in loader:
            model(batch[0].to(device))
            targets.append(batch[1].numpy())
    finally:
        hook.remove()
        for module, training in modes:
            module.training = training
    return np.concatenate(features), np.concatenate(targets)


class LinearProbePlugin(SupervisedPlugin):
    """Publish the accuracy of a linear probe after each training experience.

    The metrics are called `Linear_Probe_Acc/<test stream>/Exp<index>`.
    """

    def __init__(
        self,
        *,
        train_stream: Iterable[Any],
        test_stream: Iterable[Any],
        layer_name: Optional[str] = None,
    ) -> None:
        """Init.

        :param train_stream: experiences that the probe is fitted to.
        :param test_stream: experiences that it is tested on.
        :param layer_name: see `linear_probe_accuracy`.
        """
        super().__init__()
        self.train_stream = train_stream
        self.test_stream = test_stream
        self.layer_name = layer_name

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Fit and test the probe."""
        accuracies = linear_probe_accuracy(
            strategy.model,
            self.train_stream,
            self.test_stream,
            layer_name=self.layer_name,
        )
        stream = getattr(self.test_stream, "name", "test")
        for index, accuracy in enumerate(accuracies):
            name = f"Linear_Probe_Acc/{stream}_stream/Exp{index:03d}"
            strategy.evaluator.publish_metric_value(
                MetricValue(self, name, accuracy, strategy.clock.train_iterations)
            )


avalanche.evaluation.functional.linear_probe_accuracy = linear_probe_accuracy
avalanche.training.plugins.LinearProbePlugin = LinearProbePlugin
