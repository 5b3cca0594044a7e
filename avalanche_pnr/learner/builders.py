"""What the options of a learner stand for: networks, views, optimizers, plugins."""

import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from avalanche.benchmarks.utils import AvalancheDataset
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.training.determinism.rng_manager import RNGManager
from avalanche.training.plugins import EvaluationPlugin, ReplayPlugin
from avalanche.training.storage_policy import ExemplarsBuffer
from torch import nn
from torch.optim import SGD, Optimizer
from torchvision.transforms import Compose

from avalanche_pnr.backbones import (
    resnet18,
    resnet34,
    resnet50,
    resnet_small,
    vit_tiny,
)
from avalanche_pnr.learner.options import Settings, Training, checked
from avalanche_pnr.learner.targets import call, imported
from avalanche_pnr.methods import (
    BYOL,
    BarlowTwins,
    MoCoV2Plus,
    SelfSupervisedMethod,
    SimCLR,
    VICReg,
)
from avalanche_pnr.methods.precision import NumberFormat, Precision
from avalanche_pnr.plugins import (
    CaSSLePlugin,
    LessForgetPlugin,
    PFRPlugin,
    PNRPlugin,
    WarmupCosinePlugin,
)
from avalanche_pnr.training import LARS
from avalanche_pnr.transforms import make_eval_transform, make_ssl_transform

SMALL_IMAGES = 64
"""Up to this size, in pixels, a ResNet has the stem for small images."""


class Recipe(NamedTuple):
    """An SSL method and its learning rates for 256 images, by optimizer.

    Source: LARS, the recipes of Cha et al. 2024, arXiv 2306.05101, for CIFAR-100; SGD,
    short runs on a CPU (``experiments/conf/method``).
    """

    method: type[SelfSupervisedMethod]
    base_lr: Mapping[str, float]


METHODS = {
    "vicreg": Recipe(VICReg, {"lars": 0.3, "sgd": 0.04}),
    "barlow_twins": Recipe(BarlowTwins, {"lars": 0.4, "sgd": 0.1}),
    "simclr": Recipe(SimCLR, {"lars": 0.6, "sgd": 0.4}),
    "byol": Recipe(BYOL, {"lars": 1.0, "sgd": 0.1}),
    "mocov2plus": Recipe(MoCoV2Plus, {"lars": 0.6, "sgd": 0.4}),
}

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
"""Whether whole batches of views are drawn on the device."""
KEPT = {"all": False, "last": True}
"""Whether backbones before the last two are removed."""
TIMM = "timm/"
PRECISIONS: dict[str, NumberFormat] = {
    "fp32": "float32",
    "bf16": "bfloat16",
    "fp16": "float16",
}


class Augmentation(NamedTuple):
    """Statistics of images, and what their views are allowed to do."""

    mean: Sequence[float]
    std: Sequence[float]
    views: Mapping[str, Any]


PHOTOGRAPHS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AUGMENTATIONS = {
    "photographs": Augmentation(*PHOTOGRAPHS, {"min_scale": 0.2, "solarize": (0, 0)}),
    "digits": Augmentation(
        (0.305,) * 3,
        (0.376,) * 3,
        {
            "min_scale": 0.5,
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
            "solarize": (0, 0),
            "jitter_probability": 0,
            "greyscale": 0,
            "flip": 0,
        },
    ),
}


def check_choices(settings: Settings, training: Training) -> None:
    """Refuse names that nothing stands for, before anything is made.

    Args:
        settings: Of the learner.
        training: Of the experience.

    Raises:
        ValueError: With the nearest name.
    """
    recipe = checked("method", settings.method, METHODS)
    if "." not in settings.backbone and not settings.backbone.startswith(TIMM):
        checked("backbone", settings.backbone, BACKBONES)
    checked("optimizer", training.optimizer, recipe.base_lr)
    checked("regularizer", training.regularizer, REGULARIZERS)
    checked("augment", training.augment, AUGMENTATIONS)
    checked("precision", training.precision, PRECISIONS)
    checked("views", training.views, VIEWS)
    checked("keep", training.keep, KEPT)


def is_imported(backbone: str) -> bool:
    """Return whether a backbone is named by the function that makes it."""
    return "." in backbone and not backbone.startswith(TIMM)


def make_backbone(settings: Settings, options: Mapping[str, Any]) -> nn.Module:
    """The backbone with random weights.

    Args:
        settings: Of the learner.
        options: Arguments that the command line gave it, ``width`` for example.

    Raises:
        ImportError: If timm is asked for and not installed.
        ValueError: If there is no such backbone or argument, or it is not a network.
    """
    name, size = settings.backbone, settings.image_size
    arguments = dict(options)
    make: Callable[..., nn.Module]
    if name.startswith(TIMM):
        make = partial(_timm().create_model, name.removeprefix(TIMM), num_classes=0)
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
    """The method, initialised by the seed.

    Args:
        settings: Of the learner.
        options: Arguments of backbone and method, ``{"backbone.width": 32}``.
        load: Gives the backbone other weights, before heads and copies are made.
    """
    recipe = checked("method", settings.method, METHODS)
    RNGManager.set_random_seeds(settings.seed)
    backbone = make_backbone(settings, options_of("backbone", options))
    load(backbone)
    size = settings.image_size
    make = partial(recipe.method, backbone, image_shape=(3, size, size))
    method: SelfSupervisedMethod = call("method", make, options_of("method", options))
    return method


def make_optimizer(
    settings: Settings, training: Training, method: nn.Module, batch_size: int
) -> Optimizer:
    """The optimizer, its rate scaled by the batch."""
    rates = METHODS[settings.method].base_lr
    base_lr = training.base_lr
    if base_lr is None:
        base_lr = rates[training.optimizer]
    lr = base_lr * batch_size / 256
    kind: Any = LARS if training.optimizer == "lars" else SGD
    made: Optimizer = kind(method.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    return made


def make_regularizer(training: Training) -> list[Any]:
    """Plugins that hold the network towards the past model."""
    return REGULARIZERS[training.regularizer](training.predictor_hidden_dim)


def make_schedule(
    training: Training, optimizer: Optimizer, epochs: int
) -> WarmupCosinePlugin:
    """The learning rate over an experience."""
    warmup = min(training.warmup_epochs, epochs // 10)
    start = min(0.003, optimizer.param_groups[0]["lr"])
    return WarmupCosinePlugin(warmup_epochs=warmup, warmup_start_lr=start)


def make_views(settings: Settings, training: Training) -> Any:
    """The random views of an image."""
    kind = AUGMENTATIONS[training.augment]
    return make_ssl_transform(
        settings.image_size,
        mean=kind.mean,
        std=kind.std,
        batched=VIEWS[training.views],
        **kind.views,
    )


def make_plain_view(settings: Settings, augment: str) -> Compose:
    """The image as it is judged and embedded."""
    kind, size = AUGMENTATIONS[augment], settings.image_size
    return make_eval_transform(mean=kind.mean, std=kind.std, resize=size, crop=size)


def make_plain_data_set(images: Any, view: Compose) -> AvalancheDataset[Any]:
    """Images and labels, with one view in training and evaluation."""
    groups = {"train": (view, None), "eval": (view, None)}
    made: AvalancheDataset[Any] = as_classification_dataset(images, groups)
    return made


def make_silent_evaluator() -> EvaluationPlugin:
    """Avalanche's, without metrics: a learner watches itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No loggers specified")
        return EvaluationPlugin()


def make_precision(training: Training) -> Precision:
    """How networks are computed: laid out as the comparison does it."""
    return Precision(dtype=PRECISIONS[training.precision], channels_last=True)


def choose_device(name: str) -> torch.device:
    """The device of that name, ``auto`` for the best there is.

    Raises:
        ValueError: If it is not there.
    """
    if name != "auto":
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(
                f"device={name} is not there ({reason}): device=auto takes what is"
            ) from error
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class FixedBuffer(ExemplarsBuffer):
    """A memory that stays as it is: the learner fills it between experiences."""

    def __init__(self, images: AvalancheDataset[Any]) -> None:
        super().__init__(len(images))
        self.buffer = images

    def resize(self, strategy: Any, new_size: int) -> None:
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

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Leave the memory as it is."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the images are kept by the learner."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is gone on with."""


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ImportError(
            "timm/ backbones need timm: pip install 'avalanche-pnr[timm]'"
        ) from error
