"""Backbones out of a learner, for other programs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from avalanche_pnr.learner.options import check_out
from avalanche_pnr.weights import export_backbone


def check_format(out: Path) -> None:
    """Refuse a file of a format that is not written, or in a folder that is not there.

    Raises:
        FileNotFoundError: With the folder.
        ImportError: If ONNX is asked for and not installed.
        ValueError: With the endings of the formats.
    """
    check_out(out, WRITERS)
    if out.suffix == ".onnx":
        try:
            import onnx  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f"out={out} needs onnx and onnxscript: pip install "
                "'avalanche-pnr[onnx]'"
            ) from error


def export(backbone: nn.Module, image_size: int, out: Path) -> None:
    """Write a backbone as ``.safetensors`` or ``.onnx``, whole or not at all.

    Args:
        backbone: Maps images (N, 3, H, W) to features (N, F).
        image_size: Height and width of an image, pixels.
        out: The file.

    Raises:
        FileNotFoundError: If its folder is not there.
        ImportError: If ONNX is asked for and not installed.
        ValueError: If the file's ending is another.
    """
    check_format(out)
    WRITERS[out.suffix](backbone, image_size, out)


def _export_safetensors(backbone: nn.Module, _: int, out: Path) -> None:
    export_backbone(backbone, out)


def _export_onnx(backbone: nn.Module, image_size: int, out: Path) -> None:
    part = out.with_name(f".{out.name}.part")
    try:
        torch.onnx.export(
            backbone.eval(),
            (torch.zeros(2, 3, image_size, image_size),),
            part,
            input_names=["images"],
            output_names=["features"],
            dynamo=True,  # the default from PyTorch 2.9 on
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            external_data=False,
            verbose=False,
        )
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


WRITERS: Mapping[str, Callable[[nn.Module, int, Path], None]] = {
    ".safetensors": _export_safetensors,
    ".onnx": _export_onnx,
}
