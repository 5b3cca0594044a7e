"""What the main job answers to bad input, without a process for each."""

import sys
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.overrides import check_overrides
from experiments.report import write_report

pytestmark = pytest.mark.usefixtures("uncovered")


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("epoch=3", "no setting 'epoch'; did you mean epochs"),
        ("path=x", "no setting 'path'"),
        ("experiences=5", "did you mean stream.n_experiences"),
        ("precision=bf8", "no precision=bf8; did you mean bf16"),
        ("method=moco", "no method=moco; did you mean mocov3 or mocov2plus"),
        ("probe=lineer", "no probe=lineer; did you mean linear"),
        ("data=cifar1000", "did you mean cifar100 or cifar10"),
        ("xyzzy=1", "no setting 'xyzzy'; the nearest are "),
        ("out=a=b", "'out=a=b' is not understood"),
        ("epochs", "'epochs' is not understood: write name=value"),
        ("+recip=cifar100/byol", "no setting 'recip'; did you mean recipe"),
        ("+epoch=1", "no setting 'epoch'; did you mean epochs"),
        ("~seed", "settings cannot be removed"),
        ("data.path=x", "data.path needs data=cifar10 or cifar100 or "),
        ("method=mocov2plus,pirl", "no method=pirl"),
        ("method=[simclr,mocov2plus]", "method takes one name"),
        ("method.queue_length=8", "needs method=mocov2plus"),
        ("plugins.mine=[]", r"of your own, write '\+plugins.NAME=\[...\]'"),
        ("+plugins.my-own=[]", "letters, digits and _ in NAME"),
    ],
)
def test_unknown_names_get_the_nearest_valid_one(override: str, answer: str) -> None:
    with pytest.raises(ValueError, match=answer):
        check_overrides([override])


def test_valid_names_pass() -> None:
    names = ["epochs=3", "data=npz", "data.path=x", "optimizer.lr=0.1"]
    check_overrides([*names, "method=mocov2plus,simclr", "method.queue_length=64"])
    check_overrides(["hydra.verbose=true", "backbone.width=64", "data.views.flip=1"])


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (["data=npz"], "data=npz needs data.path="),
        (["data=folders", "data.path="], "data=folders needs data.path="),
        (["data=npz", "data.path=nowhere.npz"], "nowhere.npz does not exist"),
        (["data=cifar100", "data.path=nowhere"], "data.download=true"),
        (
            ["data.views._target_=avalanche_pnr.TwoViews"],
            "views of data=digits, makes them of one image at a time",
        ),
        (["accumulate=0"], "accumulate must be a whole number from 1"),
        (["stack_views=both"], "stack_views must be true or false, not both"),
        (["precision.dtype=fp8"], "no precision 'fp8': choose one of float32, bfl"),
        (["accumulate=1000"], "fewer than a step of accumulate=1000: lower accumulate"),
        (["mem_size=0"], "mem_size must be a whole number from 2, not 0"),
        (["mem_size=32", "regularizers=[er]"], "write mem_size=64 or more"),
        (["mem_size=x"], "mem_size must be a whole number from 2, not x"),
        (["method.hidden_dim=0"], "method.hidden_dim must be a whole number from 1"),
        (["data.image_size=0"], "data.image_size must be a whole number from 1"),
        (["schedule.warmup_epochs=-1"], "must be a whole number from 0, not -1"),
        (["base_lr=nan"], "base_lr must be a number above 0, not nan"),
        (["base_lr=abc"], "base_lr must be a number above 0, not abc"),
        (["base_lr=-1"], "base_lr must be a number above 0, not -1"),
        (["optimizer=adamw", "adamw_lr=0"], "adamw_lr must be a number above 0"),
        (["distributed.timeout_minutes=0"], "timeout_minutes must be a number above 0"),
        (["batch_size=1", "accumulate=2", "base_lr=1"], "batches of 2 images or more"),
        (["references=null"], "references has no value: leave references=null out"),
        (["probes.main=null"], "probes.main has no value: leave probes.main=null out"),
        (["views=null"], "views has no value: leave views=null out"),
        (["data=npz", "data.path=null"], "data=npz needs data.path="),
        (["device=mps"], "device=mps cannot be used: PyTorch finds no Apple GPU"),
        (["optimizer=adamw", "base_lr=1"], "with optimizer=adamw write adamw_lr="),
        (["views=batch"], "no views=batch; did you mean batched"),
        (["regularizers=[pmr]"], "no regularizer=pmr; did you mean pnr"),
        (["+plugins.my=5", "regularizers=[my]"], "plugins.my=5 is not a list"),
        (["+plugins.my=[{_target_: 5}]", "regularizers=[my]"], "is not a list"),
        (["+plugins.my=[{a: 1}]", "regularizers=[my]"], "_target_: your_module"),
        (
            ["+plugins.my=[{_target_: os.system}]", "regularizers=[my]"],
            "os.system is of Python's own library",
        ),
        (["regularizers=[]"], "write a list of different names"),
        (["regularizers=pnr"], "write a list of different names"),
        (["regularizers=[pnr,pnr]"], "write a list of different names"),
        (["epochs=0"], "epochs must be a whole number from 1, not 0"),
        (["epochs=two"], "epochs must be a whole number from 1, not two"),
        (["seed=-1"], "seed must be a whole number from 0"),
        (["workers=-1"], "workers must be a whole number from 0"),
        (["device=gpu"], "device=auto takes what is available"),
        (["schedule.warmup_start_lr=9"], "the warm-up starts at 9"),
        (["epochs=1000001"], "epochs must be at most 1000000, not 1000001"),
        (["seed=100000000000000000000"], "seed must be at most 4294967295, not 1000"),
        (["epochs=1e20"], "epochs must be a whole number from 1, not 1e+20"),
        (["backbone._target_=os.system", "backbone.command=true"], "not called: write"),
        (["data.image_size=1", "data.source._target_=avalanche_pnr.load_digits"], "px"),
        (["stream.n_experiences=11"], "11 experiences cannot be made of 10 classes"),
        (["data.image_size=32"], "set data.image_size=8"),
        (["out=/proc/nothing"], "out=/proc/nothing cannot be written"),
        (["batch_size=4000"], "fewer than one batch"),
        (["batch_size=1", "base_lr=1"], "batches of 2 images or more"),
        (
            ["method=mocov2plus", "method.queue_length=8"],
            "queue of length 8 is shorter than a batch",
        ),
        (["predictor_hidden_dim=0"], "predictor_hidden_dim must be 1 or more"),
        (["method=simclr", "method.temperature=0"], "temperature must be above 0"),
        (
            ["method=simclr", "method.pseudo_negatives=all"],
            "must be one of 'both', 'loss', 'regularizer'",
        ),
        (["method.lambda_pnr=25"], "must be below lambda_distill=25"),
        (["references=[pixels]"], "no reference=pixels; did you mean raw pixels"),
        (["stream.seed=null"], "needs a whole number as its seed (stream.seed=0)"),
        (["stream=domain"], "needs data with domains"),
        (
            ["data=imagenet100", "data.path=x", "backbone=resnet_small"],
            "data=imagenet100 needs data.classes=",
        ),
        (["nonsense=1"], "no setting 'nonsense'"),
    ],
)
def test_bad_configurations_end_with_one_sentence_and_write_nothing(
    overrides: list[str],
    answer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    arguments = ["backbone.width=16", f"out={out}", *overrides]
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert str(exit_.value).startswith("error: ")
    assert answer in str(exit_.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (
            ["nothing.there"],
            "cannot be imported (No module named 'nothing'): write the",
        ),
        (["torchvision.models.resnet19"], "cannot be imported ("),
        (["torch.Size"], "gives Size, which is not a torch.nn.Module"),
        (["torchvision.models.resnet18", "backbone.classes=3"], "argument 'classes'"),
    ],
)
def test_a_backbone_that_cannot_be_made_is_named(
    overrides: list[str],
    answer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target, *others = overrides
    arguments = [f"backbone._target_={target}", *others, f"out={tmp_path / 'out'}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert str(exit_.value).startswith("error: ")
    assert answer in str(exit_.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_runs_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no run: config"):
        write_report([tmp_path], tmp_path)
