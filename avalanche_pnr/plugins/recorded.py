"""Features of the backbone in the forward pass of the loss."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class RecordedFeatures:
    """Records a backbone's outputs in a pass over a batch of views, by a hook.

    Args:
        backbone: Maps images to features (N, F).
    """

    def __init__(self, backbone: nn.Module) -> None:
        self._views: list[Tensor] = []
        self._hook: RemovableHandle = backbone.register_forward_hook(self._record)

    def stop(self) -> None:
        """Remove the hook."""
        self._hook.remove()

    def features(self, images: int) -> Tensor:
        """Return the features h.

        Args:
            images: Number of images in the batch, N.

        Returns:
            Shape (N, V, F), in float32 or more.
        """
        features = torch.stack(self._views, dim=1)
        dtype = torch.promote_types(features.dtype, torch.float32)
        return features.reshape(images, -1, features.shape[-1]).to(dtype)

    def _record(self, _module: nn.Module, _inputs: Any, features: Tensor) -> None:
        self._views.append(features)
