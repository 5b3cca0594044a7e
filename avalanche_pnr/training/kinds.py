"""Kinds of values in a state: how each is saved, and what may come back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.training.utils import ParamData
from torch import Tensor

from avalanche_pnr.benchmarks.streams.stream_samples import DIGEST, StreamSamples
from avalanche_pnr.runs.state_checks import (
    check_count,
    check_keys,
    check_plain,
    check_same_form,
    check_scalar,
    check_tensor,
    check_type,
)


@dataclass(frozen=True)
class Place:
    """The place of a value in a strategy.

    Args:
        name: Name of the value in error messages.
        owner: Object whose attribute the value is.
        samples: Images of the stream, or ``None`` if the stream is not known.
        parameters: The model's parameters by name.
        weights: The model's parameters and buffers by name.
    """

    name: str
    owner: Any
    samples: StreamSamples | None
    parameters: Mapping[str, Tensor]
    weights: Mapping[str, Tensor]

    @property
    def plugin(self) -> str:
        """Name of the plugin that holds the value."""
        return self.name.partition(".")[0]

    def within(self, part: str, owner: Any = None) -> "Place":
        """Return the place of a value inside this one."""
        owner = self.owner if owner is None else owner
        return replace(self, name=f"{self.name}{part}", owner=owner)


class Kind(ABC):
    """A kind of value, with its conversion to tensors and plain data and back."""

    @abstractmethod
    def encode(self, value: Any, place: Place) -> Any:
        """Convert a value to tensors and plain data; tensors are not copies.

        Args:
            value: The value.
            place: Its place.

        Raises:
            TypeError: If it is of another kind.
        """

    @abstractmethod
    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Convert the content of a state to a value.

        Args:
            saved: Supposed result of :meth:`encode`.
            now: Current value in its place.
            place: The place.

        Returns:
            The value; ``now`` itself if that was filled in place.

        Raises:
            ValueError: If ``saved`` does not belong there.
        """


class Scalar(Kind):
    """A number, a truth value, ``None``, or text, which is never changed."""

    def encode(self, value: Any, place: Place) -> Any:
        """Return the value itself."""
        value = value.item() if isinstance(value, np.generic) else value
        if type(value) not in (type(None), bool, int, float, str):
            raise TypeError(
                f"{place.name} is a {type(value).__name__}, and a state cannot know "
                f"what that is made of: leave {type(place.owner).__name__} out, or "
                "give it state_dict() and load_state_dict(state)"
            )
        return value

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Return the saved value."""
        now = now.item() if isinstance(now, np.generic) else now
        check_scalar(saved, now, place.name)
        return saved


class Offered(Kind):
    """An object with a ``state_dict`` of its own, whose form does not change."""

    def encode(self, value: Any, place: Place) -> Any:
        """Return the object's state."""
        return offered_state(value, place.name)

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Return the object with the saved state."""
        check_same_form(saved, now.state_dict(), place.name)
        now.load_state_dict(saved)
        return now


class Images(Kind):
    """A data set of images of the stream, saved as indices and digests."""

    def encode(self, value: Any, place: Place) -> Any:
        """Note experience, index and digest of each image."""
        indices = torch.empty(0, 2, dtype=torch.long)
        digests = torch.empty(0, DIGEST, dtype=torch.uint8)
        if len(value):
            if place.samples is None:
                raise TypeError(f"{place.plugin} holds images of an unknown stream")
            indices = place.samples.indices(value, place.plugin)
            digests = place.samples.digests(indices)
        return {"indices": indices, "digests": digests}

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Find the same images in the current stream."""
        check_keys(saved, ("indices", "digests"), place.name)
        indices, digests = saved["indices"], saved["digests"]
        check_tensor(indices, place.name, (None, 2), torch.long)
        check_tensor(digests, place.name, (len(indices), DIGEST), torch.uint8)
        if not len(indices):
            return AvalancheDataset([])
        if place.samples is None:
            raise ValueError(
                f"{place.plugin} holds {len(indices)} images, which are found in the "
                "stream that they come from: load_state_dict(state, "
                "benchmark.train_stream)"
            )
        return place.samples.subset(indices, digests, place.plugin)


class PerImage(Kind):
    """A floating-point tensor with a row for each image that its owner holds.

    Args:
        images: Function from the owner to its number of images.
        dims: Number of dimensions of a row.
    """

    def __init__(self, images: Callable[[Any], int], dims: int = 0) -> None:
        self._images, self._dims = images, dims

    def encode(self, value: Any, place: Place) -> Any:
        """Return the tensor."""
        return value.detach()

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Copy the saved tensor to the CPU."""
        images = self._images(place.owner)
        rows = (images, *[None] * self._dims)
        if not images:
            rows = tuple(now.shape) if not now.numel() else (0, *[None] * self._dims)
        check_tensor(saved, place.name, rows)
        return saved.cpu().clone()


class Views(Kind):
    """Tensors that a memory keeps of each experience, the same number for each.

    Args:
        *dtypes: Dtypes allowed; by default that of the stream's views, or if these are
            no whole numbers, all floating-point ones.
        like: Attribute of the owner with one row for each row of these tensors.
    """

    def __init__(self, *dtypes: torch.dtype, like: str | None = None) -> None:
        self._dtypes, self._like = dtypes, like

    def encode(self, value: Any, place: Place) -> Any:
        """Return the tensors by number of the experience."""
        return {number: tensor.detach() for number, tensor in value.items()}

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Copies of the saved tensors."""
        check_type(saved, place.name, dict)
        dtypes = self._dtypes or (place.samples.dtypes if place.samples else ())
        if self._like is not None:
            check_keys(saved, getattr(place.owner, self._like), place.name)
        for number, tensor in saved.items():
            name = f"{place.name}[{number!r}]"
            check_count(number, name)
            check_type(tensor, name, Tensor)
            rows = list(tensor.shape)
            if self._like is not None:
                rows = [len(getattr(place.owner, self._like)[number])]
            check_tensor(tensor, name, rows, *dtypes)
        now.clear()
        now.update({number: tensor.clone() for number, tensor in saved.items()})
        return now


class PerParameter(Kind):
    """Data that Avalanche keeps for each of the model's parameters, or ``None``.

    Args:
        flat: Whether it is kept as vectors on the CPU, and only for some parameters.
        names: Function from the owner to the names of the parameters; by default all
            but those of heads that were added later.
    """

    def __init__(
        self, flat: bool = False, names: Callable[[Any], Iterable[str]] | None = None
    ) -> None:
        self._flat, self._names = flat, names

    def encode(self, value: Any, place: Place) -> Any:
        """Return the tensors by name of the parameter."""
        return value and {name: each.data for name, each in value.items()}

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Copy the saved tensors to the devices of the parameters."""
        check_type(saved, place.name, dict, type(None))
        if self._names is not None:
            check_keys(saved, self._names(place.owner), place.name)
        elif saved and not self._flat:
            first = [k for k in place.parameters if not k.startswith(_ADDED)]
            check_keys(saved, {*first, *(saved.keys() & place.parameters)}, place.name)
        return saved and {
            name: self._one(name, tensor, place) for name, tensor in saved.items()
        }

    def _one(self, name: Any, tensor: Any, place: Place) -> ParamData:
        parameter = place.parameters.get(name)
        if parameter is None:
            raise ValueError(
                f"{place.name} is of a parameter {name!r}, which the model does not "
                "have: make the strategy as it was made"
            )
        shape = [parameter.numel()] if self._flat else parameter.shape
        check_tensor(tensor, f"{place.name}[{name!r}]", shape)
        device = torch.device("cpu") if self._flat else parameter.device
        data = tensor.to(device, copy=True)
        return ParamData(name, init_tensor=data, device=device)


_ADDED = "heads."
"""Heads that plugins add to the model when the second experience begins."""


class Weights(Kind):
    """A state of the whole model, or ``None``."""

    def encode(self, value: Any, place: Place) -> Any:
        """Return the state."""
        return value and dict(value)

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Copy the state to the model's device."""
        if saved is None:
            return None
        check_same_form(saved, dict(place.weights), place.name)
        devices = {name: each.device for name, each in place.weights.items()}
        return {name: each.to(devices[name], copy=True) for name, each in saved.items()}


class Each(Kind):
    """A dictionary of values of one kind by whole numbers, or by known names.

    Args:
        kind: Kind of the values.
        make: Function from the owner to a value to be filled; by default none is made.
        known: Whether the keys must be the current ones.
    """

    def __init__(
        self,
        kind: Kind,
        make: Callable[[Any], Any] = lambda _owner: None,
        known: bool = False,
    ) -> None:
        self._kind, self._make, self._known = kind, make, known

    def encode(self, value: Any, place: Place) -> Any:
        """Encode the values by key."""
        encode = self._kind.encode
        return {k: encode(each, place.within(f"[{k!r}]")) for k, each in value.items()}

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Fill the dictionary, perhaps one with defaults, with the saved values."""
        check_type(saved, place.name, dict)
        if self._known:
            check_keys(saved, now, place.name)
        new = {key: self._one(key, each, place) for key, each in saved.items()}
        now.clear()
        now.update(new)
        return now

    def _one(self, key: Any, saved: Any, place: Place) -> Any:
        if not self._known:
            check_count(key, f"a key of {place.name}")
        made = self._make(place.owner)
        return self._kind.decode(saved, made, place.within(f"[{key!r}]"))


class Pair(Kind):
    """A tuple of two dictionaries of one kind, with the same keys."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def encode(self, value: Any, place: Place) -> Any:
        """Both dictionaries."""
        return [self._kind.encode(each, place) for each in value]

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Both dictionaries."""
        check_type(saved, place.name, list)
        if len(saved) != len(now):
            raise ValueError(f"{place.name} has {len(saved)} parts in the state, not 2")
        pairs = zip(saved, now, strict=True)
        first, second = (self._kind.decode(*pair, place) for pair in pairs)
        check_keys(second, first, place.name)
        return first, second


class Numbers(Kind):
    """A set of whole numbers."""

    def encode(self, value: Any, place: Place) -> Any:
        """Return the set."""
        return {int(each) for each in value}

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Copy the set."""
        check_type(saved, place.name, set)
        for each in saved:
            check_count(each, place.name, least=-1)
        return set(saved)


def offered_state(value: Any, name: str) -> Any:
    """Return the state of an object that offers one.

    Raises:
        TypeError: If it does not consist of tensors and plain data.
    """
    state = value.state_dict()
    try:
        check_plain(state, f"{name}.state_dict()")
    except ValueError as error:
        raise TypeError(str(error)) from None
    return state
