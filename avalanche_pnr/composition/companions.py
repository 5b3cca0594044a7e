"""What the strategy does so that the plugins beside each other work."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any

from avalanche.training.plugins import SynapticIntelligencePlugin
from avalanche.training.utils import ParamData

from avalanche_pnr.composition.needs import check_needs
from avalanche_pnr.composition.order import put_in_order
from avalanche_pnr.composition.refused import check_plugins
from avalanche_pnr.composition.stream_needs import STREAM_NEEDS, check_memory_batches

_BATCH = ("mbatch", "mb_output", "loss")


class Companions:
    """Avalanche mixin that checks and orders plugins, and fixes what would break them.

    Plugins may also be appended to ``strategy.plugins``; they are looked at when the
    next training begins.
    """

    plugins: list[Any]
    model: Any
    adapted_dataset: Any

    _composed: Sequence[Any] = ()

    def compose(self) -> None:
        """Check the plugins and put them in order, if they are others than before.

        Raises:
            TypeError: If one is a class, or made for classifiers.
            ValueError: If two do the same thing, or one lacks what it needs.
        """
        if self.plugins != self._composed:
            check_plugins(self)
            put_in_order(self)
            self._composed = list(self.plugins)

    def _before_training(self, **kwargs: Any) -> None:
        self.compose()
        super()._before_training(**kwargs)  # type: ignore[misc]

    def _before_training_exp(self, **kwargs: Any) -> None:
        check_needs(STREAM_NEEDS, self)
        # Stopped in an experience's last epoch, Avalanche would skip the next one.
        self._stop_training = False
        super()._before_training_exp(**kwargs)  # type: ignore[misc]
        for plugin in self._synaptic_intelligence():
            note_copies(plugin.ewc_data[0])

    def _after_train_dataset_adaptation(self, **kwargs: Any) -> None:
        super()._after_train_dataset_adaptation(**kwargs)  # type: ignore[misc]
        # Memories sorted by class give samples task labels, whether others have them.
        self.adapted_dataset = copy(self.adapted_dataset)
        self.adapted_dataset.collate_fn = CommonFields(self.adapted_dataset.collate_fn)

    def make_train_dataloader(self, *, drop_last: bool, **kwargs: Any) -> None:
        """Make the loader; see :class:`~avalanche_pnr.SelfSupervised`."""
        if drop_last:
            check_memory_batches(self)
        super().make_train_dataloader(drop_last=drop_last, **kwargs)  # type: ignore[misc]

    def _before_training_iteration(self, **kwargs: Any) -> None:
        super()._before_training_iteration(**kwargs)  # type: ignore[misc]
        for plugin in self._synaptic_intelligence():
            note_copies(plugin.syn_data["old_theta"])
        if not self.model.training:  # RWalk leaves it in eval mode.
            self.model.train()

    def _synaptic_intelligence(self) -> Iterator[SynapticIntelligencePlugin]:
        return (p for p in self.plugins if isinstance(p, SynapticIntelligencePlugin))

    def _save_train_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super()._save_train_state()  # type: ignore[misc]
        return {**state, **{name: getattr(self, name) for name in _BATCH}}

    def _load_train_state(self, prev_state: dict[str, Any]) -> None:
        super()._load_train_state(prev_state)  # type: ignore[misc]
        # After an evaluation Avalanche has forgotten the batch, which MIR asks for when
        # the experience ends.
        for name in _BATCH:
            setattr(self, name, prev_state[name])


class CommonFields:
    """A collate function for samples some of which have further fields.

    Args:
        collate: The collate function of what all samples have.
    """

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: list[Any]) -> Any:
        """Collate (x, y) of samples (x, y) and (x, y, t), say."""
        if isinstance(samples[0], (tuple, list)):
            fields = min(map(len, samples))
            samples = [sample[:fields] for sample in samples]
        return self.collate(samples)


def note_copies(weights: dict[str, ParamData]) -> None:
    """Let Synaptic Intelligence note copies of the weights.

    On the CPU its ``param.detach().cpu()`` is the weight itself, which then seems to
    have moved by 0 in each step, so that there is no penalty.

    Args:
        weights: What the plugin has just noted.
    """
    for weight in weights.values():
        weight.data = weight.data.clone()
