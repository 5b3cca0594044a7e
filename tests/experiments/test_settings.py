"""Settings at their bounds, and arguments that are the user's own."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import VisionTransformer

import avalanche_pnr
from avalanche_pnr import backbones, load_backbone
from avalanche_pnr.runs.devices import available_device
from experiments.__main__ import main
from experiments.checks import NUMBERS
from experiments.overrides import with_own_arguments
from experiments.results import Run, read_run
from tests.experiments.small_runs import TINY, composed, save_images

pytestmark = pytest.mark.usefixtures("no_pictures")

PNR = ["stream.n_experiences=2", "regularizers=[pnr]"]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["data=npz", f"data.path={save_images(tmp_path / 'images.npz')}"]


@pytest.fixture
def run(tmp_path: Path, data: list[str], monkeypatch: pytest.MonkeyPatch) -> "Command":
    return Command(tmp_path / "run", data, monkeypatch)


class Command:
    """Runs the main job as its command does, in this process."""

    def __init__(
        self, out: Path, data: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.out = out
        self.data = data
        self.monkeypatch = monkeypatch

    def __call__(self, *choices: str, tiny: list[str] = TINY) -> Run:
        arguments = [*tiny, *self.data, *choices, f"out={self.out}"]
        self.monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
        main()
        return read_run(self.out)


def without(*prefixes: str) -> list[str]:
    return [each for each in TINY if not each.startswith(prefixes)]


def test_every_number_may_be_as_low_as_is_said(run: Command) -> None:
    bounds = {**NUMBERS, "batch_size": 2, "data.image_size": 3, "save_every_minutes": 0}
    bounds |= {"stream.n_experiences": 2, "predictor_hidden_dim": 1, "probes.knn.k": 1}
    lowest = [f"{name}={value}" for name, value in bounds.items()]
    done = run(*lowest, "regularizers=[finetune,pnr,der]", tiny=[*TINY[4:6], TINY[10]])
    assert done.evaluations("der") == 2


@pytest.mark.parametrize("stream", ["class", "data"])
def test_a_single_experience_trains_and_is_reported(
    stream: str, run: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "regularizers=[finetune,pnr,joint,single]"
    done = run(f"stream={stream}", "stream.n_experiences=1", names)
    metric = "Convex_Acc_Exp"
    shapes = {name: done.matrix(name, metric).shape for name in done.names}
    assert set(shapes.values()) == {(1, 1)}
    assert np.array_equal(done.matrix("pnr", metric), done.matrix("finetune", metric))
    assert (
        "a single experience, and regularizers differ from" in capsys.readouterr().out
    )


def test_a_probe_can_be_left_out(run: Command) -> None:
    done = run(*PNR, "probes.knn=null", tiny=without("probes.knn"))
    assert list(done.probes) == ["convex", "ncm"]


@pytest.mark.parametrize("size", [4, 8])
def test_images_in_memory_get_the_size_that_is_asked_for(
    size: int,
    run: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def shallow(*sizes: int, num_layers: int, **options: int) -> VisionTransformer:
        return VisionTransformer(*sizes, num_layers=1, **options)

    monkeypatch.setattr(backbones, "VisionTransformer", shallow)
    vit = ["backbone=vit_tiny", f"data.image_size={size}"]
    run(*PNR, *vit, tiny=without("backbone", "data.image_size"))
    told = (
        f"images of 6x6 px are resized to data.image_size={size}: write data.image_si"
    )
    assert told in capsys.readouterr().out


def test_any_backbone_takes_arguments_of_its_own(run: Command) -> None:
    target = "torchvision.models.mobilenet_v3_small"
    other = [
        f"backbone._target_={target}",
        "backbone.dropout=0",
    ]
    done = run(*PNR, *other, "backbone.num_classes=12", tiny=without("backbone"))
    assert done.config["backbone"] == {
        "_target_": target,
        "dropout": 0,
        "num_classes": 12,
    }
    # The command continues, and reports, the run that it has begun.
    run(*PNR, *other, "backbone.num_classes=12", tiny=without("backbone"))


def test_arguments_of_the_package_s_own_backbones_stay_theirs() -> None:
    for arguments in (
        ["backbone=resnet18", "backbone._target_=x"],
        ["backbone.width=8"],
    ):
        assert with_own_arguments(arguments) == arguments
    given = ["--multirun", "backbone._target_=x.y", "+backbone.a=1", "seed=1"]
    own = ["--multirun", "backbone._target_=x.y", "++backbone.a=1", "seed=1"]
    assert with_own_arguments(given) == [*own, "backbone=any"]


def test_adamw_warms_up_to_its_own_learning_rate(run: Command) -> None:
    choices = ["optimizer=adamw", "epochs=3", "schedule.warmup_epochs=2"]
    tiny = without("epochs", "schedule")
    config = composed(*run.data, *choices)
    assert config.optimizer.lr == pytest.approx(1e-3 * 8 / 256)
    done = run(*PNR, *choices, tiny=tiny)
    assert done.config["optimizer"]["_target_"] == "torch.optim.AdamW"


def test_the_version_is_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["experiments", "--version"])
    main()
    assert capsys.readouterr().out == f"avalanche_pnr {avalanche_pnr.__version__}\n"


def test_a_finished_run_whose_data_have_changed_says_so(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, choices = tmp_path / "images.npz", [*PNR, "regularizers=[finetune]"]
    run(*choices)
    run(*choices)
    assert "note: the data" not in capsys.readouterr().out
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "x": arrays["x"] + np.uint8(1)})
    run(*choices)
    told = "have changed since this run was finished (differing: test data, train data)"
    assert told in capsys.readouterr().out
    path.unlink()
    run(*choices)
    assert "can no longer be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_is_the_fastest_device_available(
    cuda: bool, mps: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert available_device() == device


def test_a_run_on_whatever_is_available_records_what_that_was(run: Command) -> None:
    done = run(*PNR, "regularizers=[finetune]", "device=auto")
    assert done.config["device"] == available_device()


def test_networks_of_timm_train(run: Command) -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    sizes = {"num_classes": 0, "img_size": 6, "patch_size": 3, "depth": 2}
    own = [f"backbone.{name}={value}" for name, value in sizes.items()]
    name = "vit_tiny_patch16_224"
    target = ["backbone._target_=timm.create_model", f"backbone.model_name={name}"]
    run(*PNR, *target, *own, tiny=without("backbone"))
    network = timm.create_model(name, **sizes)
    load_backbone(network, run.out / "backbone_pnr.safetensors")
