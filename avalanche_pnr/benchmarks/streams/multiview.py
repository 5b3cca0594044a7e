"""Two views in the train stream of any Avalanche benchmark."""

from copy import copy
from typing import Any

from avalanche.benchmarks import CLScenario, EagerCLStream

from avalanche_pnr.benchmarks.streams.adapting import adapted
from avalanche_pnr.benchmarks.streams.cutting import check_transformed
from avalanche_pnr.benchmarks.streams.raw_images import raw_images
from avalanche_pnr.reproducibility.random_state import preserve_random_state
from avalanche_pnr.transforms import ViewsTransform


def with_multiview(benchmark: CLScenario, transform: ViewsTransform) -> CLScenario:
    """Give a benchmark two views in training, whatever it trained on before.

    For Avalanche's classic benchmarks (SplitCIFAR100, SplitTinyImageNet, CORe50,
    CLEAR, ...) and those of its generators::

        benchmark = with_multiview(SplitCIFAR100(10), TwoViews(view))

    The views are made of the raw images, in place of the train transform that the
    benchmark came with: PIL images as RGB, tensors as they are if the transform takes
    tensors, otherwise, of 1 or 3 channels, as RGB PIL images. Tensors may be any other
    inputs, too: token ids (L,), windows (C, L) of time series. Transforms that are
    frozen, such as those of PermutedMNIST, are a part of the raw image. The "eval"
    group stays, for probes, which are fitted to the train stream. Targets, task
    labels, the timeline of classes and all other streams stay as well.

    Args:
        benchmark: A benchmark with a train stream of labelled images, PIL or tensors
            (C, H, W) of any number of channels, or inputs (...) of another kind; of
            those that become PIL images the values are in 0..1, or of dtype uint8. It
            is not changed.
        transform: Stacked views of an input, (2, ...), for images (2, C, H, W), or
            those of a whole batch, which are made on the CPU here.

    Returns:
        A new benchmark of the same streams.

    Raises:
        ValueError: If there is no train stream, its samples are not images, the
            transform does not return two views, or the benchmark's eval transform
            does not return a tensor of as many dimensions and, for images, channels.
    """
    streams = benchmark.streams
    if "train" not in streams:
        raise ValueError(
            "with_multiview needs a benchmark with a stream named train, got "
            f"{', '.join(streams) or 'no stream'}: name the stream to learn from so"
        )
    experiences = [
        _with_views(experience, transform) for experience in streams["train"]
    ]
    streams["train"] = EagerCLStream("train", experiences)
    return CLScenario(list(streams.values()))


def _with_views(experience: Any, transform: ViewsTransform) -> Any:
    """A copy of the experience with another train group."""
    raw = raw_images(experience.dataset, "train")
    train_transform = adapted(transform, raw[0][0])
    with preserve_random_state():
        views, plain = train_transform(raw[0][0]), raw.eval()[0][0]
    check_transformed(views, plain, "transform", "the benchmark's eval_transform")
    groups = {"train": (train_transform, None), "eval": (None, None)}
    viewed = copy(experience)
    viewed._dataset = type(raw)([raw], transform_groups=groups)
    return viewed
