import math
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor, nn
from torchvision import transforms

from avalanche_pnr import PNRPlugin, TwoViews, backbones
from avalanche_pnr.backbones import resnet18, resnet_small
from avalanche_pnr.benchmarks import ImageData, class_incremental
from avalanche_pnr.evaluation import extract_features
from avalanche_pnr.methods import MoCoV2Plus, SimCLR, infer_feature_dim
from experiments.overrides import CONF
from tests.conftest import Strategy

RESNETS = {"resnet18": 512, "resnet34": 512, "resnet50": 2048}
BACKBONES = sorted({file.stem for file in CONF.glob("backbone/*.yaml")} - {"any"})


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize("small_images", [True, False], ids=["cifar", "imagenet"])
@pytest.mark.parametrize("name", RESNETS)
def test_resnets_return_vectors(name: str, small_images: bool, size: int) -> None:
    backbone = getattr(backbones, name)(small_images=small_images)
    assert infer_feature_dim(backbone, (3, size, size)) == RESNETS[name]


@pytest.mark.parametrize("size", [8, 32])
@pytest.mark.parametrize(("width", "stride"), [(64, 1), (16, 2)])
def test_the_small_resnet_returns_vectors(width: int, stride: int, size: int) -> None:
    backbone = backbones.resnet_small(width, stem_stride=stride)
    assert infer_feature_dim(backbone, (3, size, size)) == width


@pytest.mark.parametrize(("size", "patch_size"), [(8, 4), (32, 4), (32, 8), (224, 16)])
def test_vit_tiny_returns_vectors(size: int, patch_size: int) -> None:
    backbone = backbones.vit_tiny(size, patch_size)
    assert infer_feature_dim(backbone, (3, size, size)) == 192


@pytest.mark.parametrize("name", RESNETS)
def test_weights_with_the_imagenet_stem_are_torchvisions(name: str) -> None:
    backbone = getattr(backbones, name)(small_images=False)
    other = getattr(torchvision.models, name)()
    result = other.load_state_dict(backbone.state_dict(), strict=False)
    assert sorted(result.missing_keys) == ["fc.bias", "fc.weight"]
    assert result.unexpected_keys == []
    other.fc = nn.Identity()
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(other.eval()(images), backbone.eval()(images))


@pytest.mark.parametrize("name", RESNETS)
def test_the_cifar_stem_is_the_published_one(name: str) -> None:
    small = getattr(backbones, name)()
    stem = small.conv1
    assert (stem.kernel_size, stem.stride, stem.padding) == ((3, 3), (1, 1), (2, 2))
    assert stem.bias is None
    assert isinstance(small.maxpool, nn.Identity)
    large = shapes(getattr(backbones, name)(small_images=False))
    assert shapes(small) == {**large, "conv1.weight": torch.Size([64, 3, 3, 3])}


def test_vit_tiny_has_the_published_size() -> None:
    backbone = backbones.vit_tiny(224, patch_size=16)
    parameters = sum(each.numel() for each in backbone.parameters())
    # DeiT-Ti has 5,717,416 with its classifier.
    assert parameters == 5_717_416 - 1000 * (192 + 1)


@pytest.mark.parametrize(("size", "patch_size"), [(30, 4), (8, 16), (0, 4), (32, 0)])
def test_patches_must_tile_the_image(size: int, patch_size: int) -> None:
    message = f"image_size={size} must be a multiple of patch_size={patch_size}"
    with pytest.raises(ValueError, match=message):
        backbones.vit_tiny(size, patch_size)


def test_width_of_the_small_resnet_is_checked() -> None:
    with pytest.raises(ValueError, match="width=12 must be a multiple of 8"):
        backbones.resnet_small(12)


@pytest.mark.parametrize("name", BACKBONES)
def test_configured_backbones_take_the_images_of_the_data(name: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [f"backbone={name}"])
    size = config.data.image_size
    assert infer_feature_dim(instantiate(config.backbone), (3, size, size)) > 0


class WithTokens(nn.Module):
    """Returns (features, tokens), as some libraries' transformers do."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        tokens = images.flatten(2)
        return tokens.mean(dim=2), tokens


def test_a_backbone_that_does_not_return_vectors_is_refused() -> None:
    maps = nn.Sequential(nn.Conv2d(3, 4, 3))
    with pytest.raises(ValueError, match=r"\(2, 4, 30, 30\).*nn.Flatten"):
        MoCoV2Plus(maps)
    with pytest.raises(ValueError, match="not one vector an image"):
        SimCLR(nn.Identity())
    with pytest.raises(
        ValueError, match=r"returns tuple of a tensor .*let its forward"
    ):
        SimCLR(WithTokens())
    with pytest.raises(ValueError, match=r"returns dict of out, aux .*let its forward"):
        SimCLR(WithNames())
    tokens = nn.Flatten(start_dim=2)
    with pytest.raises(ValueError, match=r"\(2, 3, 1024\).*take one token"):
        SimCLR(tokens)


class WithNames(nn.Module):
    """Returns a dictionary, as torchvision's networks for segmentation do."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": images, "aux": images}


@pytest.mark.parametrize(
    ("backbone", "least"),
    [(resnet_small(16), 8), (resnet_small(16, 2), 16), (resnet18(False), 32)],
)
def test_images_that_a_backbone_reduces_to_nothing_are_refused(
    backbone: nn.Module, least: int
) -> None:
    assert infer_feature_dim(backbone, (3, least, least)) > 0
    message = rf"image_shape=\(3, 1, 1\) nothing is left .* of {least} px or more"
    with pytest.raises(ValueError, match=message):
        infer_feature_dim(backbone, (3, 1, 1))


def test_squeeze_and_excitation_is_no_reduction() -> None:
    backbone = torchvision.models.mobilenet_v3_small()
    backbone.classifier = nn.Identity()
    assert infer_feature_dim(backbone, (3, 16, 16)) == 576


@pytest.fixture
def noise() -> CLScenario:
    """Three experiences of one class, 16 images of 32 px to train on and 4 to test."""
    random = np.random.default_rng(0)

    def images(of_each: int) -> tuple[Any, Any]:
        shape = (3 * of_each, 32, 32, 3)
        x = random.integers(0, 256, shape, dtype=np.uint8)
        return x, np.repeat(np.arange(3), of_each)

    data = ImageData.from_arrays("noise", images(16), images(4))
    crop = transforms.Compose(
        [transforms.RandomResizedCrop(32, (0.5, 1.0)), transforms.ToTensor()]
    )
    return class_incremental(
        data,
        n_experiences=3,
        train_transform=TwoViews(crop),
        eval_transform=transforms.ToTensor(),
    )


class LossRecorder(SupervisedPlugin):
    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def after_update(self, strategy: Any, **kwargs: Any) -> None:
        self.losses.append(strategy.loss.item())


@pytest.mark.slow
def test_vit_tiny_learns_three_experiences_with_pnr(
    noise: CLScenario, make_strategy: Strategy
) -> None:
    method = MoCoV2Plus(
        backbones.vit_tiny(), hidden_dim=32, projection_dim=16, queue_length=32
    )
    recorder = LossRecorder()
    plugins = [PNRPlugin(predictor_hidden_dim=32), recorder]
    strategy = make_strategy(method, plugins=plugins)
    streams = zip(noise.train_stream, noise.test_stream, strict=True)
    for number, (experience, test) in enumerate(streams, start=1):
        before = {name: p.detach().clone() for name, p in method.named_parameters()}
        strategy.train(experience)
        assert len(recorder.losses) == number
        for name, parameter in method.named_parameters():
            if name in before:
                assert not torch.equal(parameter, before[name]), name
        features, _ = extract_features(method, test.dataset)
        assert features.shape == (4, 192)
        assert features.isfinite().all()
    assert all(map(math.isfinite, recorder.losses))
    assert strategy.past_model.exists
