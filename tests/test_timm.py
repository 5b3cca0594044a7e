"""timm's networks as backbones, and networks that still have their classifier."""

import warnings
from typing import Any

import pytest
import torchvision
from torch import nn

from avalanche_pnr import SimCLR, infer_feature_dim

timm = pytest.importorskip("timm", reason="timm is not installed")

VIT = {"num_classes": 0, "img_size": 32, "patch_size": 8, "depth": 2}


def small(name: str = "vit_tiny_patch16_224", **options: Any) -> nn.Module:
    network: nn.Module = timm.create_model(name, pretrained=False, **options)
    return network


@pytest.mark.parametrize(
    ("network", "features"),
    [
        (lambda: small("resnet10t", num_classes=0), 512),
        (lambda: small(**VIT), 192),
        (lambda: small(**{**VIT, "img_size": 64}, dynamic_img_size=True), 192),
    ],
)
def test_networks_of_timm_are_backbones(network: Any, features: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert infer_feature_dim(network(), (3, 32, 32)) == features


def test_images_of_another_size_are_refused_with_what_to_say() -> None:
    answer = (
        r"VisionTransformer cannot take .*image_shape=\(3, 32, 32\) .*img_size or dyn"
    )
    with pytest.raises(ValueError, match=answer):
        SimCLR(small(num_classes=0, depth=1))
    method = SimCLR(small(num_classes=0, depth=1), image_shape=(3, 224, 224))
    assert method.training


@pytest.mark.parametrize(
    ("network", "layer"),
    [
        (torchvision.models.resnet18, "fc"),
        (torchvision.models.mobilenet_v3_small, r"classifier\.3"),
        (lambda: small("resnet10t"), "fc"),
        (lambda: small(img_size=32, depth=1), "head"),
    ],
)
def test_a_classifier_is_warned_of(network: Any, layer: str) -> None:
    with pytest.warns(UserWarning, match=f"ends in a classifier, {layer}, whose 1000 "):
        infer_feature_dim(network(), (3, 32, 32))
