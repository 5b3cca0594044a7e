"""Replaces ``RWalkPlugin._update_grad`` in ``avalanche/training/plugins/rwalk.py``.

Inside Avalanche the modes are kept in front of ``model.eval()`` and given back behind
``loss.backward()``.
"""

from typing import Any

from avalanche.training.plugins.rwalk import RWalkPlugin

_update_grad_in_eval_mode = RWalkPlugin._update_grad


def _update_grad(self: Any, strategy: Any) -> None:
    modes = [(module, module.training) for module in strategy.model.modules()]
    _update_grad_in_eval_mode(self, strategy)
    for module, training in modes:
        module.training = training


RWalkPlugin._update_grad = _update_grad
