"""Digests of a strategy's network, which tell whether it has changed."""

import hashlib
from typing import Any

import torch
from torch import nn

from avalanche_pnr.evaluation.protocol import EvaluatedStrategy


def backbone_state(strategy: EvaluatedStrategy, plugin: Any) -> bytes:
    """Compute a digest of the backbone that a plugin evaluates.

    Args:
        strategy: The strategy.
        plugin: The plugin that asks, for the error message.

    Raises:
        TypeError: If the strategy is not a ``SelfSupervised`` one.
    """
    if not hasattr(strategy, "readout"):
        raise TypeError(
            f"{type(plugin).__name__} judges frozen features, which "
            f"{type(strategy).__name__} does not give: use it with "
            "avalanche_pnr.SelfSupervised"
        )
    return checksum(strategy.model.backbone)


def checksum(module: nn.Module) -> bytes:
    """Compute a digest of all parameters and buffers of a network.

    Args:
        module: The network.
    """
    digest = hashlib.blake2b()
    for tensor in module.state_dict().values():
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.digest()
