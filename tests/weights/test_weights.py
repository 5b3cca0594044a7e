"""Weights leave and enter as others write and read them, and nothing is executed."""

import argparse
import copy
import errno
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from avalanche.benchmarks import CLScenario
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import avalanche_pnr
from avalanche_pnr import (
    ConvexProbe,
    KNNProbe,
    LinearProbe,
    MoCoV2Plus,
    PNRPlugin,
    backbones,
    export_backbone,
    load_backbone,
)
from avalanche_pnr.evaluation import probe_accuracy
from avalanche_pnr.runs.files import save_state
from tests.conftest import Strategy, tiny_backbone, tiny_moco

Weights = dict[str, Tensor]


def weights_of(module: nn.Module) -> Weights:
    return copy.deepcopy(dict(module.state_dict()))


def assert_holds(module: nn.Module, weights: Weights) -> None:
    held = module.state_dict()
    assert held.keys() == weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(held[name], tensor), name


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: tensor for name, tensor in weights.items()}


def others(weights: Weights) -> Weights:
    """Weights of the same names and shapes."""
    return {name: tensor + 1 for name, tensor in weights.items()}


def plain_torchvision(small_images: bool) -> nn.Module:
    """ResNet-18 as users of torchvision alone make it."""
    model = torchvision.models.resnet18()
    if small_images:
        model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=2, bias=False)
        model.maxpool = nn.Identity()
    model.fc = nn.Identity()
    return model


@pytest.mark.parametrize("small_images", [True, False], ids=["cifar", "imagenet"])
def test_plain_torchvision_reads_the_weights_and_its_probes_are_the_same(
    small_images: bool,
    benchmark_of_digits: CLScenario,
    make_strategy: Strategy,
    tmp_path: Path,
) -> None:
    backbone = backbones.resnet18(small_images)
    method = MoCoV2Plus(backbone, hidden_dim=16, projection_dim=8, queue_length=16)
    strategy = make_strategy(method, plugins=[PNRPlugin(predictor_hidden_dim=16)])
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    path = tmp_path / "backbone.safetensors"
    export_backbone(method, path)

    model = plain_torchvision(small_images)
    model.load_state_dict(load_file(path), strict=True)
    images = torch.rand(4, 3, 16, 16)
    assert torch.equal(model.eval()(images), method.eval()(images))
    probes = [ConvexProbe(), KNNProbe(k=5), LinearProbe(epochs=5)]
    streams = benchmark_of_digits.probe_stream, benchmark_of_digits.test_stream
    accuracies = [probe_accuracy(each, *streams, probes) for each in (method, model)]
    assert accuracies[0] == accuracies[1]
    assert len(set(accuracies[0]["convex"])) > 1


def test_a_backbone_alone_is_written_as_that_of_a_method_is(tmp_path: Path) -> None:
    method = tiny_moco()
    paths = [tmp_path / name for name in ("method", "backbone")]
    for path, network in zip(paths, (method, method.backbone), strict=True):
        export_backbone(network, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_file_says_what_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "backbone.safetensors"
    export_backbone(backbones.resnet18(), path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    wrote = f"avalanche_pnr {avalanche_pnr.__version__}"
    assert metadata == {"source": f"{wrote}, torchvision.models.resnet.ResNet"}


def test_tensors_of_any_layout_in_memory_are_written(tmp_path: Path) -> None:
    backbone, path = tiny_backbone(), tmp_path / "backbone.safetensors"
    backbone[1].bias = backbone[1].weight  # one tensor under two names
    backbone.to(memory_format=torch.channels_last)
    export_backbone(backbone, path)
    assert_holds(backbone, load_file(path))


def test_an_export_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "backbone.safetensors"
    export_backbone(tiny_backbone(), path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*safetensors'"):
        export_backbone(tiny_backbone(), path)
    monkeypatch.undo()
    assert [path] == list(tmp_path.iterdir())
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError, match=r"nowhere.*safetensors"):
        export_backbone(tiny_backbone(), tmp_path / "nowhere" / "backbone.safetensors")


@pytest.fixture(scope="module")
def resnet() -> Weights:
    """Those of a ResNet-18 for small images."""
    return weights_of(backbones.resnet18())


def lightning(weights: Weights) -> dict[str, Any]:
    """A checkpoint of PyTorch Lightning."""
    return {
        "epoch": 3,
        "pytorch-lightning_version": "1.2.7",
        "state_dict": weights,
        "callbacks": {},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1}]}],
        "hyper_parameters": {"encoder": "resnet18", "tasks": [torch.ones(3)]},
    }


def layouts(weights: Weights) -> dict[str, Any]:
    """What others keep beside the same weights, and under which names."""
    fc = {"fc.weight": torch.ones(10, 512), "fc.bias": torch.ones(10)}
    mlp = {"fc.0.weight": torch.ones(512, 512), "fc.2.weight": torch.ones(128, 512)}
    heads = {"projector.0.weight": torch.ones(3, 512), "classifier.bias": torch.ones(3)}
    old = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    momentum, past = (others(weights) for _ in range(2))
    return {
        "torchvision": {**weights, **fc},
        "torchvision before counters": {**old, **fc},
        "solo-learn": lightning(
            {
                **prefixed("momentum_backbone.", momentum),
                **prefixed("backbone.", weights),
                **heads,
            }
        ),
        "CaSSLe and PNR": lightning(
            {
                **prefixed("momentum_encoder.", momentum),
                **prefixed("encoder.", weights),
                **prefixed("frozen_encoder.", past),
                **heads,
            }
        ),
        "MoCo": {
            "arch": "resnet18",
            "model": "moco",  # a name, where others keep weights
            "state_dict": {
                **prefixed("module.encoder_k.", others({**weights, **mlp})),
                **prefixed("module.encoder_q.", {**weights, **mlp}),
                "module.queue": torch.ones(128, 4),
            },
        },
        "Barlow Twins": {"epoch": 1, "model": prefixed("module.backbone.", weights)},
    }


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("layout", layouts({}))
def test_files_of_others_are_understood(
    layout: str, zipped: bool, resnet: Weights, tmp_path: Path
) -> None:
    path, backbone = tmp_path / "checkpoint.pth", backbones.resnet18()
    content = layouts(resnet)[layout]
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    load_backbone(backbone, path)
    kept = {k: v for k, v in backbone.state_dict().items() if "tracked" not in k}
    for name, tensor in kept.items():
        assert torch.equal(tensor, resnet[name]), name


def test_safetensors_of_others_are_understood(resnet: Weights, tmp_path: Path) -> None:
    """As timm publishes them, with a classifier."""
    path, backbone = tmp_path / "model.safetensors", backbones.resnet18()
    save_file({**resnet, "fc.weight": torch.ones(10, 512)}, path)
    load_backbone(backbone, path)
    assert_holds(backbone, resnet)


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_a_transformer_has_an_encoder_of_its_own(prefix: str, tmp_path: Path) -> None:
    first, second = backbones.vit_tiny(8), backbones.vit_tiny(8)
    path, heads = tmp_path / "vit.pth", {"heads.head.bias": torch.ones(10)}
    torch.save(prefixed(prefix, {**weights_of(first), **heads}), path)
    load_backbone(second, path)
    assert_holds(second, weights_of(first))


def test_states_of_this_package_are_understood(
    benchmark_of_digits: CLScenario, make_strategy: Strategy, tmp_path: Path
) -> None:
    strategy = make_strategy(plugins=[PNRPlugin(predictor_hidden_dim=16)])
    for experience in benchmark_of_digits.train_stream[:3]:
        strategy.train(experience)
    state, paths = strategy.state_dict(), [tmp_path / n for n in ("first.pt", "run.pt")]
    save_state(paths[0], state)
    save_state(paths[1], {"done": [], "training": "pnr", "strategy": state})
    for path in paths:
        backbone = tiny_backbone()
        load_backbone(backbone, path)
        assert_holds(backbone, weights_of(strategy.model.backbone))


def test_a_state_between_trainings_holds_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"done": ["pnr"], "training": None, "strategy": None})
    with pytest.raises(ValueError, match=r"no weights: .* first_experience\.pt"):
        load_backbone(tiny_backbone(), path)


class Malicious:
    """Runs code when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle", "state"])
def test_a_malicious_file_is_refused_and_executes_nothing(
    form: str, tmp_path: Path
) -> None:
    path, target = tmp_path / "checkpoint.pt", tmp_path / "executed"
    content = {"state_dict": weights_of(tiny_backbone()), "more": Malicious(target)}
    if form == "pickle":
        path.write_bytes(pickle.dumps(content["more"]))
    elif form == "state":
        save_state(path, content)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    backbone = tiny_backbone()
    before = weights_of(backbone)
    refusal = r"holds something else than tensors and plain data \(.*mkdir\)"
    with pytest.raises(ValueError, match="is damaged" if form == "pickle" else refusal):
        load_backbone(backbone, path)
    assert_holds(backbone, before)
    assert not target.exists()


def test_classes_among_hyperparameters_are_named_with_the_remedy(
    resnet: Weights, tmp_path: Path
) -> None:
    path = tmp_path / "last.ckpt"
    checkpoint = lightning(prefixed("encoder.", resnet))
    checkpoint["hyper_parameters"] = argparse.Namespace(lr=0.1)
    torch.save(checkpoint, path)
    with pytest.raises(
        ValueError, match=r"last\.ckpt .*argparse\.Namespace"
    ) as refusal:
        load_backbone(backbones.resnet18(), path)
    assert "\n" not in str(refusal.value)
    assert "torch.load(PATH, weights_only=False)['state_dict']" in str(refusal.value)
    torch.save(torch.load(path, weights_only=False)["state_dict"], path)
    backbone = backbones.resnet18()
    load_backbone(backbone, path)
    assert_holds(backbone, resnet)


def test_a_whole_network_is_named_with_the_remedy(tmp_path: Path) -> None:
    path, network = tmp_path / "model.pth", tiny_backbone()
    torch.save(network, path)
    with pytest.raises(ValueError, match=r"model\.pth .*Sequential") as refusal:
        load_backbone(tiny_backbone(), path)
    assert "torch.load(PATH, weights_only=False).state_dict()" in str(refusal.value)
    torch.save(torch.load(path, weights_only=False).state_dict(), path)
    backbone = tiny_backbone()
    load_backbone(backbone, path)
    assert_holds(backbone, weights_of(network))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy", "state"])
def test_a_truncated_file_is_named(form: str, kept: float, tmp_path: Path) -> None:
    weights, path = weights_of(tiny_backbone()), tmp_path / f"cut.{form}"
    if form == "safetensors":
        save_file(weights, path)
    elif form == "state":
        save_state(path, {"model": weights})
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=form == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=rf"cut\.{form} is damaged"):
        load_backbone(tiny_backbone(), path)


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html>", b"\x80", b"version https://git"]
)
def test_what_is_no_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    for name in ("page.pth", "page.safetensors"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is damaged, or no"):
            load_backbone(tiny_backbone(), path)


def test_a_flipped_bit_in_a_state_is_noticed_and_not_the_one_before_taken(
    tmp_path: Path,
) -> None:
    path, weights = tmp_path / "state.pt", {"0.weight": torch.zeros(8, 3, 3, 3)}
    for _ in range(2):
        save_state(path, {"model": weights})
    content = bytearray(path.read_bytes())
    content[content.index(bytes(600)) + 300] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.pt is damaged$"):
        load_backbone(tiny_backbone(), path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("nothing.pth", "nothing.safetensors", "."):
        path = tmp_path / name
        answer = (
            f"^{re.escape(str(path))} is not a file: name one .*backbone_NAME.safete"
        )
        with pytest.raises(FileNotFoundError, match=answer):
            load_backbone(tiny_backbone(), path)


@pytest.mark.parametrize("small_images", [True, False], ids=["cifar", "imagenet"])
def test_the_other_stem_is_refused_with_the_remedy(
    small_images: bool, tmp_path: Path
) -> None:
    path, backbone = tmp_path / "other.safetensors", backbones.resnet18(small_images)
    export_backbone(backbones.resnet18(not small_images), path)
    before, shapes = weights_of(backbone), ["(64, 3, 7, 7)", "(64, 3, 3, 3)"]
    with pytest.raises(ValueError, match="small_images=True for a conv1 of") as refusal:
        load_backbone(backbone, path)
    there, here = shapes if small_images else reversed(shapes)
    difference = f"(of another shape: conv1.weight is {there} there and {here} here)"
    assert f"other.safetensors does not fit ResNet {difference}" in str(refusal.value)
    assert_holds(backbone, before)


def test_another_backbone_is_refused_with_the_names(tmp_path: Path) -> None:
    path = tmp_path / "resnet34.pth"
    torch.save(torchvision.models.resnet34().state_dict(), path)
    unexpected = r"unexpected: layer1\.2\.conv1\.weight, .* and \d+ more"
    with pytest.raises(ValueError, match=rf"does not fit ResNet \({unexpected}\)"):
        load_backbone(backbones.resnet18(small_images=False), path)
    torch.save(torchvision.models.resnet18().state_dict(), path)
    missing = r"missing: layer1\.2\.conv1\.weight, .* and \d+ more"
    with pytest.raises(ValueError, match=rf"does not fit ResNet \({missing}\)"):
        load_backbone(backbones.resnet34(small_images=False), path)


WRAPPED = [
    ["_orig_mod."],
    ["module."],
    ["module.", "_orig_mod."],
    ["net.", "backbone."],
    ["base_encoder."],
    ["student.", "backbone.", "_orig_mod."],
]


@pytest.mark.parametrize(
    "outer", ["state_dict", "model_state_dict", "model", "teacher"]
)
@pytest.mark.parametrize("wrappers", WRAPPED, ids="".join)
def test_whatever_stands_before_the_names_does_not_matter(
    wrappers: list[str], outer: str, tmp_path: Path
) -> None:
    weights, path = weights_of(tiny_backbone()), tmp_path / "net.pth"
    named = prefixed("".join(wrappers), weights)
    torch.save({outer: {**named, "head.weight": torch.ones(2, 2)}, "epoch": 1}, path)
    backbone = tiny_backbone()
    report = load_backbone(backbone, path)
    assert_holds(backbone, weights)
    kept = [each for each in wrappers if each not in ("_orig_mod.", "module.")]
    assert f"{report.key}." == f"{outer}." + "".join(kept)


def test_layers_that_are_compiled_alone_are_understood(tmp_path: Path) -> None:
    compiled, path = tiny_backbone(), tmp_path / "net.pth"
    compiled[0] = torch.compile(compiled[0])
    assert "0._orig_mod.weight" in compiled.state_dict()
    torch.save(compiled.state_dict(), path)
    backbone = tiny_backbone()
    load_backbone(backbone, path)
    export_backbone(compiled, tmp_path / "out.safetensors")
    assert_holds(backbone, load_file(tmp_path / "out.safetensors"))
    other = tiny_backbone()
    other[0] = torch.compile(other[0])
    load_backbone(other, path)
    assert_holds(other, weights_of(compiled))


@pytest.mark.parametrize(
    "wrap",
    [
        torch.compile,
        nn.DataParallel,
        torch.optim.swa_utils.AveragedModel,
        lambda network: torch.compile(nn.DataParallel(network)),
    ],
)
def test_exports_carry_no_wrappers(wrap: Any, tmp_path: Path) -> None:
    method = tiny_moco()
    export_backbone(method, tmp_path / "plain")
    export_backbone(wrap(method), tmp_path / "method")
    method.backbone = wrap(method.backbone)
    export_backbone(method, tmp_path / "backbone")
    files = {name: (tmp_path / name).read_bytes() for name in ("method", "backbone")}
    assert set(files.values()) == {(tmp_path / "plain").read_bytes()}


@pytest.fixture
def dino(tmp_path: Path) -> tuple[Path, Weights, Weights]:
    """A student and its teacher in one file."""
    student, teacher = (weights_of(tiny_backbone()) for _ in range(2))
    path = tmp_path / "dino.pth"
    content = {
        "student": prefixed("module.backbone.", student),
        "teacher": prefixed("backbone.", teacher),
    }
    torch.save(content, path)
    return path, student, teacher


def test_of_several_networks_one_must_be_named(
    dino: tuple[Path, Weights, Weights],
) -> None:
    path, student, teacher = dino
    backbone = tiny_backbone()
    before = weights_of(backbone)
    several = r"\('student\.backbone', 'teacher\.backbone'\): say which, .*init_key="
    with pytest.raises(ValueError, match=several):
        load_backbone(backbone, path)
    assert_holds(backbone, before)
    for key in ("teacher", "teacher.backbone"):
        load_backbone(backbone, path, key)
        assert_holds(backbone, teacher)
    load_backbone(backbone, path, "student")
    assert_holds(backbone, student)
    with pytest.raises(ValueError, match=r"init_key=pupil: choose one of 'student\.ba"):
        load_backbone(backbone, path, "pupil")


def test_a_copy_is_taken_where_it_is_asked_for(tmp_path: Path) -> None:
    path, online, momentum = tmp_path / "net.pth", tiny_backbone(), tiny_backbone()
    both = {"backbone.": online, "momentum_backbone.": momentum}
    weights = [prefixed(name, weights_of(each)) for name, each in both.items()]
    torch.save({**weights[0], **weights[1]}, path)
    backbone = tiny_backbone()
    for key, network in ((None, online), ("momentum_backbone", momentum)):
        load_backbone(backbone, path, key)
        assert_holds(backbone, weights_of(network))


def test_what_was_used_and_what_was_not_is_told(
    tmp_path: Path, resnet: Weights
) -> None:
    path, old = (
        tmp_path / "net.pth",
        {k: v for k, v in resnet.items() if "num" not in k},
    )
    torch.save({"model": {**old, "fc.weight": torch.ones(2, 512)}}, path)
    report = load_backbone(backbones.resnet18(), path)
    assert sorted(report.used) == sorted(old)
    assert report.unused == ["model.fc.weight"]
    assert len(report.missing) == len(resnet) - len(old)
    told = f"{path}: {len(old)} tensors under 'model' are used, 1 is not (model.fc.wei"
    assert str(report).startswith(told)


def test_a_backbone_that_is_covered_in_part_is_refused(
    tmp_path: Path, resnet: Weights
) -> None:
    path = tmp_path / "net.pth"
    part = {k: v for k, v in resnet.items() if k != "layer4.1.conv2.weight"}
    torch.save(prefixed("net.", part), path)
    with pytest.raises(ValueError, match=r"\(missing: layer4\.1\.conv2\.weight\)"):
        load_backbone(backbones.resnet18(), path)


def test_a_longer_network_is_another_backbone(tmp_path: Path) -> None:
    path, backbone = tmp_path / "net.pth", tiny_backbone()
    longer = {**weights_of(backbone), f"{len(backbone)}.weight": torch.ones(2)}
    torch.save(longer, path)
    with pytest.raises(ValueError, match=rf"\(unexpected: {len(backbone)}\.weight\)"):
        load_backbone(backbone, path)


@pytest.mark.parametrize(
    "content", [[torch.ones(3)], torch.ones(3), "text", {"epoch": 3}]
)
def test_what_holds_no_weights_is_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"list\.pth holds no weights"):
        load_backbone(tiny_backbone(), path)


BAD_WEIGHTS: dict[str, tuple[Tensor, str]] = {
    "truth values": (torch.ones(8, dtype=torch.bool), "is of bool and not of floating"),
    "quantized": (torch.ones(8, dtype=torch.int8), "is of int8 and not of floating"),
    "complex": (torch.ones(8, dtype=torch.complex64), "is of complex64 and not"),
    "NaN": (torch.full((8,), float("nan")), "has NaN or infinite numbers, .* earlier"),
    "infinite": (torch.tensor([float("inf")] * 8), "has NaN or infinite numbers"),
    "sparse": (torch.ones(8).to_sparse(), "is not a dense tensor"),
    "of no device": (torch.empty(8, device="meta"), "has a shape and no numbers"),
}


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_what_no_trained_network_holds_is_refused(kind: str, tmp_path: Path) -> None:
    tensor, answer = BAD_WEIGHTS[kind]
    path, backbone = tmp_path / "bad.pth", tiny_backbone()
    before = weights_of(backbone)
    torch.save({**others(before), "0.bias": tensor}, path)
    with pytest.raises(
        ValueError, match=rf"bad\.pth cannot be loaded: 0\.bias {answer}"
    ):
        load_backbone(backbone, path)
    assert_holds(backbone, before)


@pytest.mark.parametrize(
    ("name", "tensor", "answer"),
    [
        ("1.running_var", -torch.ones(8), "has negative numbers"),
        ("1.num_batches_tracked", torch.tensor(-1), "has negative numbers"),
        ("1.num_batches_tracked", torch.tensor(1.5), "is of float32 and not of whole"),
    ],
)
def test_statistics_that_cannot_be_are_refused(
    name: str, tensor: Tensor, answer: str, tmp_path: Path
) -> None:
    path, backbone = tmp_path / "bad.pth", tiny_backbone()
    torch.save({**weights_of(backbone), name: tensor}, path)
    with pytest.raises(
        ValueError, match=rf"bad\.pth cannot be loaded: {name} {answer}"
    ):
        load_backbone(backbone, path)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_weights(precision: torch.dtype, tmp_path: Path) -> None:
    path, backbone = tmp_path / "half.pth", tiny_backbone()
    weights = weights_of(tiny_backbone().to(precision))
    torch.save(weights, path)
    load_backbone(backbone, path)
    assert torch.equal(backbone[0].weight, weights["0.weight"].float())


@pytest.mark.parametrize("wrapper", [None, "state_dict"])
def test_names_that_are_no_text_are_refused(
    wrapper: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.pt"
    weights = dict(enumerate(weights_of(tiny_backbone()).values()))
    torch.save({wrapper: weights} if wrapper else weights, path)
    answer = r"numbers\.pt holds a tensor under 0, which is not the name of a weight"
    with pytest.raises(ValueError, match=answer):
        load_backbone(tiny_backbone(), path)
