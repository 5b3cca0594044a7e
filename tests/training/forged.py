"""A state of tensors and plain data that ran a command in version 0.1.0."""

from typing import Any

_KIND = "kind of value"


def forged(state: dict[str, Any], command: str) -> dict[str, Any]:
    """A strategy's state whose first metric is to call ``os.system``.

    Args:
        state: The state; it is changed.
        command: What is to be run.
    """
    transforms = "avalanche.benchmarks.utils.transforms"
    imports = _function("_import_dotted_name")  # of torch: imports what it is told
    chain = _object(
        transforms,
        "MultiParamCompose",
        transforms=[
            _object(transforms, "TupleTransform", transforms=[None, imports, imports]),
            _function("cond"),
        ],
        param_def=[(-1, -1), (4, 4)],
    )
    groups = _object(
        "avalanche.benchmarks.utils.transform_groups",
        "TransformGroups",
        transform_groups={"train": chain},
        current_group="train",
    )
    data = _object(
        "avalanche.benchmarks.utils.data",
        "_FlatDataWithTransform",
        _datasets=[[[True, "os.system", "os.system", (command,)]]],
        _indices=None,
        _cumulative_sizes=[1],
        _transform_groups=groups,
        _frozen_transform_groups=None,
        _can_flatten=False,
    )
    trigger = _object(
        transforms, "MultiParamCompose", transforms=data, param_def=[(1, 1)]
    )
    (evaluator,) = (each for name, each in state["plugins"] if "metrics" in each)
    for hook in ("before_training_iteration", "before_training_epoch"):
        evaluator["metrics"][0][hook] = trigger
    return state


def _object(module: str, cls: str, **has: Any) -> dict[str, Any]:
    return {_KIND: "object", "module": module, "class": cls, "has": has}


def _function(name: str) -> dict[str, Any]:
    return {_KIND: "function", "name": name}
