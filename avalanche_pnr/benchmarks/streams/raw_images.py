"""The images of an Avalanche data set before its transforms."""

from typing import Any

from avalanche.benchmarks.utils import AvalancheDataset


def raw_images(dataset: AvalancheDataset[Any], group: str) -> AvalancheDataset[Any]:
    """Return the data set without a group's transforms of the images.

    Targets, their transforms and frozen transforms stay. Avalanche's
    ``replace_current_transform_group`` drops target transforms, takes each layer's own
    current group, and is lost in subsets.

    Args:
        dataset: A data set, however it was cut and put together.
        group: ``"train"`` or ``"eval"``.
    """
    raw = dataset.with_transforms(group)
    raw._flat_data = _without_transforms(raw._flat_data, group)
    return raw


def _without_transforms(data: Any, group: str) -> Any:
    """Remove the transforms at any depth."""
    bare = data.with_transforms(group)
    transform = bare._transform_groups[group]
    if transform is not None:
        bare._transform_groups[group] = (None, *transform.transforms[1:])
    bare._datasets = [
        _without_transforms(part, group) if hasattr(part, "with_transforms") else part
        for part in bare._datasets
    ]
    return bare
