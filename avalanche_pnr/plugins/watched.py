"""Features of the pass that the loss comes from."""

from typing import Any

import torch
from torch import Tensor, nn


class WatchedBackbone:
    """Keeps the features of a method's backbone in one pass over a batch of views.

    Its users watch before the forward pass, leave after it, and take the features.
    """

    def __init__(self) -> None:
        self._features: list[Tensor] = []
        self._hook: Any = None

    def watch(self, backbone: nn.Module) -> None:
        """Keep what the backbone returns from now on."""
        self.leave()  # where a pass has failed, nobody did
        self._features = []
        self._hook = backbone.register_forward_hook(self._keep)

    def leave(self) -> None:
        """Keep nothing more."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def take(self, images: int) -> Tensor:
        """The features h, and forget them.

        Args:
            images: Of the batch, N.

        Returns:
            Shape (N, V, F), in float32 or more.
        """
        features, self._features = torch.stack(self._features, dim=1), []
        dtype = torch.promote_types(features.dtype, torch.float32)
        return features.reshape(images, -1, features.shape[-1]).to(dtype)

    def _keep(self, _module: nn.Module, _inputs: Any, features: Tensor) -> None:
        self._features.append(features)
