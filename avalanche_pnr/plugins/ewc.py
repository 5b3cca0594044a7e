"""EWC: a penalty on changes of important weights."""

from typing import Any

import torch
from avalanche.training.plugins import EWCPlugin as AvalancheEWCPlugin
from avalanche.training.utils import ParamData


class EWCPlugin(AvalancheEWCPlugin):
    """L_SSL + ewc_lambda * sum over experiences and weights of F (w - w_then)^2.

    Avalanche's plugin, whose importances F are mean squared gradients of the loss of a
    batch, measured when an experience ends, in eval mode and with queues as they
    stand. It takes the batches in the order of the data set. An SSL loss compares the
    images of a batch, and class-incremental experiences are stored class by class: here
    the batches are random, and an incomplete one is dropped, as in training.

    Momentum networks hold no parameters of their own and are not regularised; the
    distillation predictors of other plugins are, as any head.

    Source: Kirkpatrick et al. 2017, arXiv 1612.00796, equation 3.
    """

    def compute_importances(
        self,
        model: Any,
        criterion: Any,
        optimizer: Any,
        dataset: Any,
        device: Any,
        batch_size: int,
        num_workers: int = 0,
    ) -> dict[str, ParamData]:
        """Compute importances on whole batches in random order.

        Args:
            model: The strategy's method.
            criterion: The method's SSL loss of an output.
            optimizer: Optimizer whose gradients are set to zero.
            dataset: Data set of the experience.
            device: Device of the model.
            batch_size: Number of images in a batch.
            num_workers: Number of processes of the data loader.

        Returns:
            F of each parameter by its name.
        """
        whole = max(len(dataset) // batch_size, 1) * batch_size
        mixed = dataset.subset(torch.randperm(len(dataset))[:whole].tolist())
        importances: dict[str, ParamData] = super().compute_importances(
            model, criterion, optimizer, mixed, device, batch_size, num_workers
        )
        return importances
