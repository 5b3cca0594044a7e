"""Building networks, views, optimizers and plugins from a learner's options."""

import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.training.determinism.rng_manager import RNGManager
from avalanche.training.plugins import EvaluationPlugin, ReplayPlugin
from avalanche.training.storage_policy import ExemplarsBuffer
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torchvision.transforms import Compose

from avalanche_pnr.backbones import (
    resnet18,
    resnet34,
    resnet50,
    resnet_small,
    vit_tiny,
)
from avalanche_pnr.learner.names import nearest
from avalanche_pnr.learner.options import Settings, Training, checked
from avalanche_pnr.learner.published import METHODS, SMALL_IMAGES, Recipe
from avalanche_pnr.learner.targets import call, imported
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.precision import NumberFormat, Precision
from avalanche_pnr.plugins import (
    CaSSLePlugin,
    LessForgetPlugin,
    PFRPlugin,
    PNRPlugin,
    WarmupCosinePlugin,
)
from avalanche_pnr.runs.devices import choose_device
from avalanche_pnr.training import LARS, SelfSupervised
from avalanche_pnr.transforms import make_eval_transform, make_ssl_transform

BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet_small": resnet_small,
    "vit_tiny": vit_tiny,
}

REGULARIZERS: dict[str, Callable[[int], list[Any]]] = {
    "pnr": lambda dim: [PNRPlugin(predictor_hidden_dim=dim)],
    "cassle": lambda dim: [CaSSLePlugin(predictor_hidden_dim=dim)],
    "pfr": lambda _: [PFRPlugin()],
    "less_forget": lambda _: [LessForgetPlugin()],
    "none": lambda _: [],
}
"""Plugins of each regularizer, by the width of the distillation predictor."""

VIEWS = {"per_sample": False, "batched": True}
"""True where whole batches of views are drawn on the device."""
KEPT = {"all": False, "last": True}
"""True where backbones before the last two are removed."""
OPTIMIZERS: dict[str, Callable[[Any, float, Recipe], Optimizer]] = {
    "lars": lambda parameters, lr, recipe: LARS(
        parameters,
        lr,
        weight_decay=recipe.weight_decay,
        exclude_bias_and_norm=recipe.exclude_bias_and_norm,
    ),
    "sgd": lambda parameters, lr, recipe: SGD(
        parameters, lr, momentum=0.9, weight_decay=recipe.weight_decay
    ),
    "adamw": lambda parameters, lr, _: AdamW(parameters, lr, weight_decay=0.05),
}
"""Optimizers of parameters, with a learning rate and the settings of a method."""
TIMM = "timm/"
PRECISIONS: dict[str, NumberFormat] = {
    "fp32": "float32",
    "bf16": "bfloat16",
    "fp16": "float16",
}


class Augmentation(NamedTuple):
    """Statistics of images, and the distortions of their views.

    Attributes:
        mean: Mean of each channel.
        std: Standard deviation of each channel.
        views: Arguments of :func:`make_ssl_transform`, beside or instead of those that
            are published for the method.
    """

    mean: Sequence[float]
    std: Sequence[float]
    views: Mapping[str, Any]


PHOTOGRAPHS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AUGMENTATIONS = {
    "photographs": Augmentation(*PHOTOGRAPHS, {}),
    "digits": Augmentation(
        (0.305,) * 3,
        (0.376,) * 3,
        {
            "min_scale": 0.5,
            "blur": (0, 0),
            "solarize": (0, 0),
            "jitter": (0.4, 0.4, 0, 0),
            "greyscale": 0,
            "flip": 0,
        },
    ),
    "none": Augmentation(
        *PHOTOGRAPHS,
        {
            "min_scale": 1.0,
            "blur": (0, 0),
            "solarize": (0, 0),
            "jitter_probability": 0,
            "greyscale": 0,
            "flip": 0,
        },
    ),
}


def check_choices(settings: Settings, training: Training) -> None:
    """Refuse names of choices that do not exist, before anything is made.

    Args:
        settings: Of the learner.
        training: Of the experience.

    Raises:
        ValueError: With the nearest name, or if the device is not available.
    """
    checked("method", settings.method, METHODS)
    if "." not in settings.backbone and not settings.backbone.startswith(TIMM):
        checked("backbone", settings.backbone, BACKBONES)
    checked("optimizer", training.optimizer, OPTIMIZERS)
    checked("regularizer", training.regularizer, REGULARIZERS)
    checked("augment", training.augment, AUGMENTATIONS)
    checked("precision", training.precision, PRECISIONS)
    choose_device(training.device)
    checked("views", training.views, VIEWS)
    checked("keep", training.keep, KEPT)


def is_imported(backbone: str) -> bool:
    """Return whether a backbone is named by the function that makes it."""
    return "." in backbone and not backbone.startswith(TIMM)


def make_backbone(settings: Settings, options: Mapping[str, Any]) -> nn.Module:
    """Make the backbone with random weights.

    Args:
        settings: Of the learner.
        options: Its arguments, ``width`` for example.

    Raises:
        ImportError: If timm is asked for and not installed.
        ValueError: If there is no such backbone or argument, or it is not a network.
    """
    name, size = settings.backbone, settings.image_size
    arguments = dict(options)
    make: Callable[..., nn.Module]
    if name.startswith(TIMM):
        make = partial(_timm().create_model, _timm_name(name), num_classes=0)
    elif is_imported(name):
        make = imported("backbone", name)
    else:
        make = checked("backbone", name, BACKBONES)
        parameters = inspect.signature(make).parameters
        if "small_images" in parameters:
            arguments.setdefault("small_images", size <= SMALL_IMAGES)
        if "image_size" in parameters:
            arguments.setdefault("image_size", size)
        if "patch_size" in parameters:
            arguments.setdefault("patch_size", max(4, size // 14))
    backbone = call("backbone", make, arguments)
    if not isinstance(backbone, nn.Module):
        raise ValueError(
            f"backbone={name} gives {type(backbone).__name__}, which is not a "
            "torch.nn.Module"
        )
    return backbone


def options_of(prefix: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Select the arguments of one network.

    Args:
        prefix: ``backbone`` or ``method``.
        options: Arguments of both, ``{"backbone.width": 32}``.

    Returns:
        Its arguments, ``{"width": 32}``.
    """
    return {
        name.removeprefix(f"{prefix}."): value
        for name, value in options.items()
        if name.startswith(f"{prefix}.")
    }


def make_method(
    settings: Settings, options: Mapping[str, Any], load: Callable[[nn.Module], object]
) -> SelfSupervisedMethod:
    """Make the method, initialised by the seed.

    Args:
        settings: Of the learner.
        options: Arguments of backbone and method, ``{"backbone.width": 32}``.
        load: Loads weights into the backbone, before heads and copies are made.
    """
    recipe = checked("method", settings.method, METHODS)
    RNGManager.set_random_seeds(settings.seed)
    backbone = make_backbone(settings, options_of("backbone", options))
    load(backbone)
    size = settings.image_size
    make = partial(recipe.method, backbone, image_shape=(3, size, size))
    arguments = {**recipe.arguments(size), **options_of("method", options)}
    method: SelfSupervisedMethod = call("method", make, arguments)
    return method


def make_optimizer(
    settings: Settings, training: Training, method: nn.Module, batch_size: int
) -> Optimizer:
    """Make the optimizer, its rate scaled by the batch."""
    recipe = METHODS[settings.method]
    base_lr = training.base_lr
    if base_lr is None:
        base_lr = recipe.rate(training.optimizer, settings.image_size)
    lr = base_lr * batch_size / 256
    return OPTIMIZERS[training.optimizer](method.parameters(), lr, recipe)


def make_regularizer(training: Training) -> list[Any]:
    """Make the plugins that hold the network towards the past model."""
    return REGULARIZERS[training.regularizer](training.predictor_hidden_dim)


def make_schedule(
    training: Training, optimizer: Optimizer, epochs: int
) -> WarmupCosinePlugin:
    """Make the schedule of the learning rate in an experience."""
    warmup = min(training.warmup_epochs, epochs // 10)
    start = min(0.003, optimizer.param_groups[0]["lr"])
    return WarmupCosinePlugin(warmup_epochs=warmup, warmup_start_lr=start)


def make_views(settings: Settings, training: Training) -> Any:
    """Make the transform to two random views of an image."""
    kind, size = AUGMENTATIONS[training.augment], settings.image_size
    return make_ssl_transform(
        size,
        mean=kind.mean,
        std=kind.std,
        batched=VIEWS[training.views],
        **{**METHODS[settings.method].views(size), **kind.views},
    )


def make_plain_view(settings: Settings, augment: str) -> Compose:
    """Make the view in which an image is judged and embedded."""
    kind, size = AUGMENTATIONS[augment], settings.image_size
    return make_eval_transform(mean=kind.mean, std=kind.std, resize=size, crop=size)


def make_plain_data_set(images: Any, view: Compose) -> AvalancheDataset[Any]:
    """Add one view, the same in training and evaluation."""
    groups = {"train": (view, None), "eval": (view, None)}
    made: AvalancheDataset[Any] = as_classification_dataset(images, groups)
    return made


def make_silent_evaluator() -> EvaluationPlugin:
    """Make an evaluator without metrics: a learner watches itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No loggers specified")
        return EvaluationPlugin()


def make_precision(training: Training) -> Precision:
    """Make the precision of networks, laid out in memory as in the comparison."""
    return Precision(dtype=PRECISIONS[training.precision], channels_last=True)


class FixedBuffer(ExemplarsBuffer):
    """A memory that stays as it is: the learner fills it between experiences."""

    def __init__(self, images: AvalancheDataset[Any]) -> None:
        super().__init__(len(images))
        self.buffer = images

    def resize(self, strategy: SelfSupervised, new_size: int) -> None:
        """Leave the size alone."""


class FixedReplayPlugin(ReplayPlugin):
    """Replays images that are the same throughout an experience.

    Args:
        images: The memory.
        batch_size: Of new images, and as many of the memory.
    """

    def __init__(self, images: AvalancheDataset[Any], batch_size: int) -> None:
        super().__init__(len(images), storage_policy=FixedBuffer(images))
        self.batch_size_mem = min(batch_size, len(images))

    def after_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        """Leave the memory as it is."""

    def state_dict(self) -> dict[str, Any]:
        """Return no state: the images are kept by the learner."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing, likewise."""


def _timm_name(backbone: str) -> str:
    """Return the name that timm has for a backbone, perhaps one of a hub.

    Raises:
        ValueError: If it has none of that name, with the nearest.
    """
    name = backbone.removeprefix(TIMM)
    if ":" not in name and not _timm().is_model(name.partition(".")[0]):
        raise ValueError(
            f"timm has no {name} (backbone={backbone})"
            f"{nearest(name, _timm().list_models())}"
        )
    return name


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ImportError(
            "timm/ backbones need timm: pip install 'avalanche-pnr[timm]'"
        ) from error
