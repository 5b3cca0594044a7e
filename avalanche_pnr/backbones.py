"""Backbones: torchvision's ResNet-18 with either stem, and a small one for CPUs."""

import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet


def resnet18(small_images: bool = True) -> ResNet:
    """ResNet-18 without classifier: images (N, 3, H, W) to features (N, 512).

    Args:
        small_images: Whether to use the stem for images of about 32 px, a 3x3
            convolution with stride 1 and padding 2 and no max-pool.
    """
    model = torchvision.models.resnet18()
    model.fc = nn.Identity()
    if small_images:
        model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=2, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out")
        model.maxpool = nn.Identity()
    return model


def resnet_small(width: int = 128, stem_stride: int = 1) -> nn.Sequential:
    """A narrow ResNet-10 for images of 8 to 32 px on a CPU.

    Four stages of one block with ``width / 8`` to ``width`` channels; each but the
    first halves the resolution. Images (N, 3, H, W) to features (N, width).

    Args:
        width: Size of the features, a multiple of 8.
        stem_stride: Stride of the first convolution; 2 costs a quarter, for 32 px.

    Raises:
        ValueError: If the width is not a multiple of 8.
    """
    if width < 8 or width % 8:
        raise ValueError(f"width must be a multiple of 8, got {width}")
    channels = width // 8
    layers: list[nn.Module] = [
        nn.Conv2d(3, channels, 3, stem_stride, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        BasicBlock(channels, channels),
    ]
    while channels < width:
        shortcut = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1, stride=2, bias=False),
            nn.BatchNorm2d(2 * channels),
        )
        layers.append(BasicBlock(channels, 2 * channels, 2, shortcut))
        channels *= 2
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
