"""The state of an optimizer whose parameters change over a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from avalanche_pnr.runs.state_checks import (
    check_keys,
    check_same_form,
    check_tensor,
    check_type,
)

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


def optimizer_state(strategy: SelfSupervised) -> dict[str, Any]:
    """Take the optimizer's state by names of parameters, whatever their order.

    Args:
        strategy: Strategy with the optimizer.
    """
    state, names = strategy.optimizer.state_dict(), _optimized_names(strategy)
    flat = [name for group in names for name in group]
    return {
        "state": {flat[index]: each for index, each in state["state"].items()},
        "groups": [
            {**group, "params": group_names}
            for group, group_names in zip(state["param_groups"], names, strict=True)
        ],
    }


def restore_optimizer(strategy: SelfSupervised, saved: Any) -> None:
    """Restore a state that :func:`optimizer_state` took.

    Args:
        strategy: Strategy with the optimizer.
        saved: The state; the optimizer keeps its tensors.

    Raises:
        ValueError: If it is that of other parameters or of another optimizer.
    """
    strategy.make_optimizer(reset_optimizer_state=True)
    names, groups = _optimized_names(strategy), strategy.optimizer.param_groups
    check_keys(saved, ("state", "groups"), "optimizer")
    check_type(saved["groups"], "optimizer groups", list)
    if [_group_names(group) for group in saved["groups"]] != [
        sorted(group) for group in names
    ]:
        raise ValueError(
            "the state's optimizer has other parameters than this strategy's: make "
            "model and optimizer as they were made"
        )
    for group, now in zip(saved["groups"], groups, strict=True):
        _check_options(group, now)
    _check_momenta(saved["state"], dict(strategy.model.named_parameters()))
    flat = [name for group in names for name in group]
    position = {name: index for index, name in enumerate(flat)}
    numbered = [
        {**group, "params": [position[name] for name in group["params"]]}
        for group in saved["groups"]
    ]
    state = {position[name]: each for name, each in saved["state"].items()}
    strategy.optimizer.load_state_dict({"state": state, "param_groups": numbered})


def _group_names(group: Any) -> list[str]:
    """Names of the parameters in a saved group, sorted."""
    check_type(group, "an optimizer group", dict)
    names = group.get("params")
    check_type(names, "the parameters of an optimizer group", list)
    for each in names:
        check_type(each, "the name of a parameter", str)
    return sorted(names)


def _check_options(saved: dict[Any, Any], now: dict[str, Any]) -> None:
    """Refuse options that neither the optimizer nor schedules have."""
    added = saved.keys() - now.keys()
    check_keys(saved, {*now, *(added & _OF_SCHEDULES)}, "an optimizer group")
    for key in saved.keys() - {"params"}:
        check_same_form(saved[key], now.get(key, 0.0), f"the optimizer's {key}")


_OF_SCHEDULES = {"initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"}
"""Options that PyTorch's schedules add to the groups of an optimizer."""


def _check_momenta(saved: Any, parameters: dict[str, Tensor]) -> None:
    """Refuse anything that cannot be a momentum of its parameter.

    A momentum has the parameter's shape, with 1 in dimensions averaged over, or is a
    number.
    """
    check_type(saved, "optimizer state", dict)
    for name, values in saved.items():
        if name not in parameters:
            raise ValueError(f"the optimizer's state is of an unknown {name!r}")
        check_type(values, f"the optimizer's state of {name}", dict)
        for key, value in values.items():
            what = f"the optimizer's {key} of {name}"
            check_type(key, what, str)
            check_type(value, what, Tensor, type(None), bool, int, float)
            if isinstance(value, Tensor) and value.dim():
                sizes = zip(parameters[name].shape, value.shape, strict=False)
                shape = [1 if own == 1 else size for size, own in sizes]
                check_tensor(value, what, shape)


def _optimized_names(strategy: SelfSupervised) -> list[list[str]]:
    """Names of the parameters in each group of the optimizer."""
    names = {id(param): name for name, param in strategy.model.named_parameters()}
    return [
        [names.get(id(param), f"parameter {k}") for k, param in enumerate(each)]
        for each in (group["params"] for group in strategy.optimizer.param_groups)
    ]
