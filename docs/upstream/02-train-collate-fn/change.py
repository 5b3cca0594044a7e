"""Replaces ``make_train_dataloader`` in ``avalanche/training/templates/base_sgd.py``.

As in ``make_eval_dataloader``, the data's collate function is used; one that was given
to ``train`` comes before it.
"""

from typing import Any, Optional

from avalanche.benchmarks.utils.data_loader import (
    TaskBalancedDataLoader,
    collate_from_data_or_kwargs,
)
from avalanche.training.templates.base_sgd import BaseSGDTemplate
from torch.utils.data import DataLoader


def make_train_dataloader(
    self: Any,
    num_workers: int = 0,
    shuffle: bool = True,
    pin_memory: Optional[bool] = None,
    persistent_workers: bool = False,
    drop_last: bool = False,
    **kwargs: Any,
) -> None:
    """Make the data loader of an experience, after the dataset's adaptation.

    :param num_workers: number of processes that load data.
    :param shuffle: whether the order of the samples is random.
    :param pin_memory: whether batches are put into pinned memory; by default they
        are if the strategy's device is a GPU.
    :param persistent_workers: whether processes outlive an epoch.
    :param drop_last: whether to leave out an incomplete last batch.
    :param kwargs: `collate_fn` and `ffcv_args` of the loader.
    """
    parameters = self._obtain_common_dataloader_parameters(
        batch_size=self.train_mb_size,
        num_workers=num_workers,
        shuffle=shuffle,
        pin_memory=pin_memory,
        persistent_workers=persistent_workers,
        drop_last=drop_last,
        **{
            name: kwargs[name] for name in ("collate_fn", "ffcv_args") if name in kwargs
        },
    )
    collate_from_data_or_kwargs(self.adapted_dataset, parameters)
    if hasattr(self.experience, "task_labels"):
        # Each batch is balanced over the tasks.
        self.dataloader = TaskBalancedDataLoader(
            self.adapted_dataset, oversample_small_groups=True, **parameters
        )
    else:
        self.dataloader = DataLoader(self.adapted_dataset, **parameters)


BaseSGDTemplate.make_train_dataloader = make_train_dataloader
