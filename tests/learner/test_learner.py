"""A learner in Python: experiences, what it refuses, and what it gives."""

import csv
import json
import re
import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from avalanche_pnr import Learner, load_backbone, resnet_small
from avalanche_pnr.learner.folder import LearnerFolder
from tests.learner.conftest import SETTINGS, TRAINING, write_digits, write_photos

Make = Callable[..., Learner]


@pytest.fixture(scope="module")
def learned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a learner of three experiences."""
    folder = tmp_path_factory.mktemp("learned")
    learner = Learner(folder / "learner", say=lambda _: None, **SETTINGS)
    photos = write_photos(folder)
    learner.learn(photos[0], **TRAINING)
    for each in photos[1:]:
        learner.learn(each)
    return learner.folder.path


@pytest.fixture
def learned(learned_once: Path, make_learner: Make, tmp_path: Path) -> Learner:
    """A copy of a learner that has learned ``photos``."""
    shutil.copytree(learned_once, tmp_path / "learner", symlinks=True)
    return make_learner()


def test_each_experience_changes_the_backbone_and_is_kept(learned: Learner) -> None:
    weights = [learned.folder.backbone(k).read_bytes() for k in range(4)]
    assert len(set(weights)) == 4
    experiences = learned.folder.experiences()
    assert [each["number"] for each in experiences] == [1, 2, 3]
    assert [each["images"] for each in experiences] == [40, 40, 40]
    assert [each["steps"] for each in experiences] == [4, 4, 4]


def test_the_next_experience_begins_with_the_options_of_the_last(
    learned: Learner,
) -> None:
    trainings = [each["training"] for each in learned.folder.experiences()]
    assert trainings[0] == trainings[2]
    assert trainings[0]["batch_size"] == 16


def test_the_regularizer_is_at_work_from_the_second_experience_on(
    make_learner: Make, photos: list[Path]
) -> None:
    weights = []
    for regularizer in ("none", "pnr", "cassle"):
        learner = make_learner(regularizer)
        for folder in photos[:2]:
            learner.learn(folder, **TRAINING, regularizer=regularizer)
        weights.append([learner.folder.backbone(k).read_bytes() for k in (1, 2)])
    first, second = zip(*weights, strict=True)
    assert len(set(first)) == 1
    assert len(set(second)) == 3


def test_the_watch_sees_loss_rank_and_drift(learned: Learner) -> None:
    first, _, last = learned.folder.experiences()
    assert [each["epoch"] for each in last["history"]] == [0, 1, 2]
    assert first["history"][-1]["cka"] == {}
    assert set(last["history"][-1]["cka"]) == {"1", "2"}
    assert last["history"][0]["cka"]["2"] == pytest.approx(1)
    assert 0 < last["history"][-1]["cka"]["2"] < 1
    assert last["history"][-1]["effective_rank"] > 1
    assert last["history"][-1]["loss"] > 0


def test_images_learned_before_are_counted_and_left_out(
    learned: Learner, tmp_path: Path, photos: list[Path]
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(photos[1], mixed / "old")
    write_digits(mixed / "new", {6, 7})
    experience = learned.learn(mixed)
    assert experience["images"] == 40
    assert experience["arrived"] == 80
    assert experience["learned_before"] == {"2": 40}
    assert "40 of 80 images were learned in experience 2, and are left out" in (
        learned.said  # type: ignore[attr-defined]
    )


def test_nothing_new_is_refused_unless_again(
    learned: Learner, photos: list[Path]
) -> None:
    with pytest.raises(ValueError, match=r"all 40 images were learned.*again=true"):
        learned.learn(photos[0])
    assert learned.learn(photos[0], again=True)["images"] == 40


def test_equal_files_count_once(make_learner: Make, photos: list[Path]) -> None:
    shutil.copytree(photos[0], photos[0] / "copy")
    experience = make_learner().learn(photos[0], **TRAINING)
    assert (experience["images"], experience["duplicates"]) == (40, 40)


def test_what_a_learner_is_cannot_change(make_learner: Make, learned: Learner) -> None:
    with pytest.raises(ValueError, match=r"method=simclr \(it has method=vicreg\)"):
        make_learner(method="simclr")
    with pytest.raises(ValueError, match=r"backbone\.width=32 \(it has .*=16\)"):
        make_learner(**{"backbone.width": 32})


def test_a_folder_alone_does_not_choose_what_is_called(
    make_learner: Make, learned: Learner, photos: list[Path], tmp_path: Path
) -> None:
    path, victim = learned.folder.path, tmp_path / "victim"
    content = json.loads((path / "learner.json").read_text())
    content["settings"]["backbone"] = "os.mkdir"
    content["options"] = {"backbone.path": str(victim)}
    (path / "learner.json").write_text(json.dumps(content))
    opened = Learner(path, say=lambda _: None)
    new = write_digits(tmp_path / "new", {7})
    for call in (
        lambda: opened.embed(photos[0]),
        lambda: opened.judge(photos[0]),
        lambda: opened.export(tmp_path / "b.safetensors"),
        lambda: opened.learn(new),
        lambda: opened.learn(new, dry=True),
    ):
        with pytest.raises(ValueError, match=r"write backbone=os\.mkdir too"):
            call()
    assert not victim.exists()
    assert len(opened.info()["experiences"]) == 3


def test_a_backbone_of_ones_own_is_named_again(
    make_learner: Make, photos: list[Path]
) -> None:
    name = "torchvision.models.squeezenet1_1"
    chosen: dict[str, Any] = {"backbone": name, "image_size": 32}
    make = partial(Learner, make_learner("own").folder.path, say=lambda _: None)
    make(**chosen, method="simclr").learn(photos[0], **{**TRAINING, "epochs": 1})
    features, _ = make(backbone=name).embed(photos[0])
    assert features.shape == (40, 1000)
    with pytest.raises(ValueError, match="was made with backbone=torchvision"):
        make().embed(photos[0])


def test_undo_goes_back_to_before_the_last_experience(
    learned: Learner, photos: list[Path]
) -> None:
    weights = learned.folder.backbone(3).read_bytes()
    assert learned.undo() == 3
    assert len(learned.folder.experiences()) == 2
    learned.learn(photos[2])
    assert learned.folder.backbone(3).read_bytes() == weights
    for number in (3, 2, 1):
        assert learned.undo() == number
    with pytest.raises(ValueError, match="has learned nothing yet"):
        learned.undo()
    learned.embed(photos[0])
    assert "nothing is learned yet" in learned.said[-1]  # type: ignore[attr-defined]


def test_embed_keeps_the_order_in_every_format(
    learned: Learner, photos: list[Path], tmp_path: Path
) -> None:
    features, paths = learned.embed(photos[1], batch_size=7)
    assert features.shape == (40, 16)
    assert paths == [str(each) for each in sorted(photos[1].rglob("*.png"), key=str)]
    learned.embed(photos[1], tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz") as file:
        np.testing.assert_allclose(file["features"], features, rtol=1e-5, atol=1e-6)
        assert file["paths"].tolist() == paths
        assert file["experience"] == 3
    learned.embed(photos[1], tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(newline="") as table:
        rows = list(csv.reader(table))
    assert rows[0][:3] == ["path", "experience", "feature_0"]
    assert [row[0] for row in rows[1:]] == paths
    np.testing.assert_allclose(
        np.array([row[2:] for row in rows[1:]], np.float32),
        features,
        rtol=1e-4,
        atol=1e-6,
    )


def test_embed_after_an_earlier_experience(
    learned: Learner, photos: list[Path]
) -> None:
    now, _ = learned.embed(photos[0])
    before, _ = learned.embed(photos[0], after=1)
    assert not np.allclose(now, before)
    with pytest.raises(FileNotFoundError, match="choose one of 0 to 3"):
        learned.embed(photos[0], after=4)
    with pytest.raises(FileNotFoundError, match="data=nowhere does not exist"):
        learned.embed("nowhere")


def test_a_damaged_file_is_named_or_left_out(
    learned: Learner, photos: list[Path]
) -> None:
    damaged = photos[0] / "damaged.png"
    damaged.write_bytes(b"no image")
    with pytest.raises(OSError, match=r"damaged\.png"):
        learned.embed(photos[0])
    features, paths = learned.embed(photos[0], skip_damaged=True)
    assert len(features) == len(paths) == 40


def test_an_unknown_ending_is_refused(learned: Learner, photos: list[Path]) -> None:
    with pytest.raises(ValueError, match=r"must end in \.csv, \.npz"):
        learned.embed(photos[0], "features.xls")
    with pytest.raises(ValueError, match=r"must end in \.safetensors or \.onnx"):
        learned.export("backbone.pth")


def test_judge_compares_the_backbones_and_changes_nothing(
    learned: Learner, tmp_path: Path
) -> None:
    def tree() -> dict[str, bytes]:
        return {
            str(each): each.read_bytes()
            for each in (learned.folder.path / "experiences").rglob("*")
            if each.is_file()
        }

    labelled = tmp_path / "labelled"
    for k in range(6):
        write_digits(labelled / f"experience{k // 2}" / f"class{k}", {k}, 20)
    for each in labelled.glob("*/*"):  # images directly in the folders of classes
        for image in list(each.rglob("*.png")):
            image.replace(each / image.name)
        for folder in each.glob("day*"):
            folder.rmdir()
    before = tree()
    judgements = learned.judge(labelled, layout="experience/class")
    assert tree() == before
    assert [each.name for each in judgements] == [
        "random backbone",
        *(f"after experience {k}" for k in (1, 2, 3)),
    ]
    assert set(judgements[0].accuracy) == {"linear", "knn", "ncm", "few labels"}
    assert all(len(v) == 4 for v in judgements[0].accuracy.values())
    (written,) = (learned.folder.path / "judged").glob("*.json")
    content = json.loads(written.read_text())
    assert content["columns"] == [*(f"experience{k}" for k in range(3)), "all"]
    assert "the last experience" in content["verdict"].lower()


def test_export_writes_weights_that_the_backbone_takes(
    learned: Learner, tmp_path: Path, photos: list[Path]
) -> None:
    learned.export(tmp_path / "backbone.safetensors")
    backbone = resnet_small(16)
    load_backbone(backbone, tmp_path / "backbone.safetensors")
    assert isinstance(backbone(torch.zeros(2, 3, 8, 8)), torch.Tensor)
    learned.export(tmp_path / "first.safetensors", after=0)
    assert (tmp_path / "first.safetensors").read_bytes() != (
        tmp_path / "backbone.safetensors"
    ).read_bytes()


class Positional(nn.Module):
    """A backbone whose argument has a name of its own."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, width, 3)

    def forward(self, photographs: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layer(photographs).mean(dim=(2, 3))
        return features


@pytest.mark.parametrize("backbone", ["resnet_small", f"{__name__}.Positional"])
def test_onnx_gives_the_features_of_any_number_of_images(
    backbone: str,
    make_learner: Make,
    photos: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("onnx")
    evaluator = pytest.importorskip("onnx.reference").ReferenceEvaluator
    learner = make_learner(backbone=backbone, **{"backbone.width": 8})
    learner.learn(photos[0], **TRAINING)
    learner.export(tmp_path / "backbone.onnx")
    assert not capsys.readouterr().out  # of the exporter's own steps
    images = torch.rand(5, 3, 8, 8)
    expected = learner.networks.backbone(1)(images).detach().numpy()
    model = evaluator(str(tmp_path / "backbone.onnx"))
    (features,) = model.run(None, {"images": images.numpy()})
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-5)
    assert [each.name for each in tmp_path.glob("*.onnx*")] == ["backbone.onnx"]


def test_the_report_is_one_page_with_its_pictures(
    learned: Learner, learned_once: Path
) -> None:
    page = learned.report().read_text()
    assert page.count("data:image/png;base64,") == 3
    for path in (learned.folder.path, learned_once):  # where it is, and has learned
        assert str(path.parent) not in page


def test_the_folder_can_be_moved_and_the_images_deleted(
    learned: Learner, make_learner: Make, photos: list[Path], tmp_path: Path
) -> None:
    new = write_digits(tmp_path / "later", {8, 9})
    expected = make_learner("learner").learn(new)
    weights = learned.folder.backbone(4).read_bytes()
    learned.undo()
    learned.folder.path.rename(tmp_path / "moved")
    for folder in photos:
        shutil.rmtree(folder)
    moved = make_learner("moved")
    assert moved.learn(new)["history"] == expected["history"]
    assert moved.folder.backbone(4).read_bytes() == weights


def test_kept_images_are_listed_and_can_be_forgotten(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **{**TRAINING, "memory": 12})
    learner.learn(photos[1])
    kept = learner.info()["kept images"]
    assert kept["sample"]["images"] == 20
    assert kept["memory"]["images"] == 12
    learner.forget_images()
    kept = learner.info()["kept images"]
    assert {each["bytes"] for each in kept.values()} == {0}


def test_the_memory_is_replayed(make_learner: Make, photos: list[Path]) -> None:
    weights = []
    for memory in (0, 12):
        learner = make_learner(f"memory{memory}")
        for folder in photos:
            learner.learn(folder, **{**TRAINING, "memory": memory})
        weights.append([learner.folder.backbone(k).read_bytes() for k in (1, 2, 3)])
    without, with_memory = weights
    assert without[0] == with_memory[0]
    assert without[1] != with_memory[1]


def test_exif_is_not_stored(make_learner: Make, tmp_path: Path) -> None:
    folder = tmp_path / "exif"
    folder.mkdir()
    random = np.random.default_rng(0)
    for k in range(20):
        exif = Image.Exif()
        exif[0x010E] = "a secret place"
        image = Image.fromarray(random.integers(0, 256, (80, 90, 3), dtype=np.uint8))
        image.save(folder / f"{k}.jpg", exif=exif)
    learner = make_learner()
    learner.learn(folder, **{**TRAINING, "memory": 10})
    state = (learner.folder.experience(1) / "state.pt").read_bytes()
    assert b"secret" in (folder / "0.jpg").read_bytes()
    assert b"secret" not in state


def test_dry_says_what_would_happen_and_does_nothing(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **TRAINING, dry=True)
    assert not learner.folder.path.exists()
    (line,) = learner.said  # type: ignore[attr-defined]
    assert line.startswith("would learn 40 images in 2 epochs of 16 images a step")
    assert re.search(r"4 steps of .* s, .* on cpu; on the disk .* weights and", line)
    learner.learn(photos[0], **TRAINING)
    before = sorted(learner.folder.path.rglob("*")), learner.info()
    learner.learn(photos[1], dry=True, epochs=3)
    assert (sorted(learner.folder.path.rglob("*")), learner.info()) == before
    assert "6 steps of" in learner.said[-1]  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as of the short trial's warm-up
        learner.learn(photos[1], dry=True, epochs=200)


def size_of_images(learner: Learner) -> float:
    """Bytes of images that the last line of a dry run tells."""
    line = learner.said[-1]  # type: ignore[attr-defined]
    found = re.search(r"weights and ([\d.]+) (bytes|kB) of images", line)
    assert found is not None, line
    return float(found[1]) * {"bytes": 1, "kB": 1000}[found[2]]


def test_dry_counts_the_images_that_will_be_kept(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **{**TRAINING, "sample": 0}, dry=True)
    assert size_of_images(learner) == 0
    learner.learn(photos[0], **{**TRAINING, "memory": 30})
    learner.learn(photos[1], dry=True)
    told = size_of_images(learner)
    learner.learn(photos[1])
    kept = learner.info()["kept images"]
    assert (kept["sample"]["images"], kept["memory"]["images"]) == (20, 30)
    actual = sum(each["bytes"] for each in kept.values())
    assert told == pytest.approx(actual, rel=0.2)


@pytest.fixture
def interrupted(
    make_learner: Make, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> Learner:
    """A learner whose second experience was interrupted after its last epoch."""
    learner = make_learner()
    learner.learn(photos[0], **TRAINING)
    with monkeypatch.context() as stopped:
        stopped.setattr(LearnerFolder, "add", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            learner.learn(photos[1], save_every_minutes=0)
    return learner


def test_an_interrupted_experience_goes_on_with_other_workers_and_saves(
    interrupted: Learner, photos: list[Path]
) -> None:
    for other in ({"epochs": 3}, {"precision": "bf16"}, {"regularizer": "none"}):
        with pytest.raises(ValueError, match="experience 2 was interrupted with other"):
            interrupted.learn(photos[1], **other)
    interrupted.learn(photos[1], workers=1, dry=True)
    assert (
        "would go on with 40 images"
        in (
            interrupted.said[-1]  # type: ignore[attr-defined]
        )
    )
    experience = interrupted.learn(photos[1], workers=1, save_every_minutes=5)
    assert "experience 2 goes on where it was interrupted" in interrupted.said  # type: ignore[attr-defined]
    assert interrupted.said[-1] == "experience 2 is learned"  # type: ignore[attr-defined]
    assert experience["training"]["workers"] == 1
    assert not any("last digits" in s for s in interrupted.said)  # type: ignore[attr-defined]
    weights = interrupted.folder.backbone(2).read_bytes()
    interrupted.undo()
    interrupted.learn(photos[1], workers=0)
    assert interrupted.folder.backbone(2).read_bytes() == weights


def test_what_follows_on_another_device_or_version_is_said_to_differ(
    interrupted: Learner, photos: list[Path]
) -> None:
    path = interrupted.folder.current / "plan.json"
    plan = json.loads(path.read_text())
    path.write_text(json.dumps({**plan, "device": "cuda", "torch": "2.6.0"}))
    experience = interrupted.learn(photos[1], device="cpu")
    (said,) = (s for s in interrupted.said if s.startswith("note:"))  # type: ignore[attr-defined]
    assert "device cpu, not cuda, PyTorch" in said
    assert "may differ in the last digits" in said
    assert (experience["device"], experience["torch"]) == ("cpu", torch.__version__)


def test_an_array_file_and_a_text_file_of_paths(
    make_learner: Make, photos: list[Path], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "a.npz", x=random.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    )
    paths = sorted(photos[0].rglob("*.png"))
    (tmp_path / "list.txt").write_text(
        "\n".join(str(each.relative_to(tmp_path)) for each in paths)
    )
    learner = make_learner()
    assert learner.learn(tmp_path / "a.npz", **TRAINING)["images"] == 40
    assert learner.learn(tmp_path / "list.txt")["images"] == 40
    with pytest.raises(ValueError, match="all 40 images were learned"):
        learner.learn(photos[0])


def test_another_folder_is_not_taken_for_a_learner(
    make_learner: Make, photos: list[Path]
) -> None:
    with pytest.raises(FileExistsError, match="holds no learner"):
        make_learner(photos[0].name).learn(photos[1], **TRAINING)


def test_a_learner_whose_making_was_cut_short_is_made_again(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **TRAINING)
    weights = learner.folder.backbone(1).read_bytes()
    shutil.rmtree(learner.folder.experience(1))
    (learner.folder.path / "learner.json").unlink()
    (learner.folder.path / "status.json").unlink()
    again = make_learner()
    again.learn(photos[0], **TRAINING)
    assert again.folder.backbone(1).read_bytes() == weights


def test_a_call_that_was_killed_when_its_experience_had_entered_ends(
    make_learner: Make, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **TRAINING)
    with monkeypatch.context() as killed:
        killed.setattr(learner, "_forget", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            learner.learn(photos[1], forget_images=True)
    assert learner.learn(photos[1], again=True, forget_images=True)["number"] == 2
    assert "experience 2 had been learned already" in (
        learner.said  # type: ignore[attr-defined]
    )
    assert learner.info()["kept images"]["sample"]["bytes"] == 0
    assert learner.learn(photos[1], again=True)["number"] == 3


def test_what_was_not_saved_can_be_begun_with_other_options(
    make_learner: Make, photos: list[Path]
) -> None:
    damaged = photos[0] / "damaged.png"
    damaged.write_bytes(b"no image")
    learner = make_learner()
    with pytest.raises(OSError, match=r"damaged\.png"):
        learner.learn(photos[0], **{**TRAINING, "epochs": 3})
    experience = learner.learn(photos[0], **TRAINING, skip_damaged=True)
    assert (experience["images"], experience["epochs"]) == (40, 2)
    assert experience["damaged"] == [str(damaged)]


def test_another_regularizer_goes_on_with_the_heads_that_it_knows(
    make_learner: Make, photos: list[Path], tmp_path: Path
) -> None:
    learner = make_learner()
    learner.learn(photos[0], **TRAINING, regularizer="pnr")
    later = [photos[1], photos[2], write_digits(tmp_path / "later", {8, 9})]
    for data, regularizer in zip(later, ("cassle", "pfr", "pnr"), strict=True):
        experience = learner.learn(data, regularizer=regularizer)
        assert experience["training"]["regularizer"] == regularizer
    assert len({learner.folder.backbone(k).read_bytes() for k in range(5)}) == 5


def test_the_last_two_backbones_are_kept_if_asked_for(
    make_learner: Make, photos: list[Path], tmp_path: Path
) -> None:
    learner = make_learner()
    for folder in photos:
        learner.learn(folder, **TRAINING, keep="last")
    with pytest.raises(FileNotFoundError, match=r"was not kept \(keep=last\)"):
        learner.embed(photos[0], after=1)
    assert len(learner.embed(photos[0], after=2)[1]) == 40
    with pytest.raises(ValueError, match="all 40 images were learned"):
        learner.learn(photos[0])
    assert learner.undo() == 3
    with pytest.raises(ValueError, match="one experience can be undone"):
        learner.undo()
    assert learner.learn(photos[2])["number"] == 3


def test_forgetting_images_waits_for_an_experience_in_progress(
    interrupted: Learner,
) -> None:
    interrupted.report()
    with pytest.raises(ValueError, match="experience 2 was interrupted and needs the"):
        interrupted.forget_images()
    interrupted.undo()
    interrupted.forget_images()
    assert not (interrupted.folder.path / "report.html").exists()


def test_no_pixel_is_kept_without_a_sample(
    make_learner: Make, photos: list[Path]
) -> None:
    learner = make_learner()
    for folder in photos[:2]:
        learner.learn(folder, **{**TRAINING, "sample": 0})
    assert {each["bytes"] for each in learner.info()["kept images"].values()} == {0}
    assert learner.report().read_text().count("data:image/png") == 1


def test_a_learner_of_another_format_is_refused(learned: Learner) -> None:
    path = learned.folder.path / "learner.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": 7}))
    for use in (learned.info, learned.undo, learned.report):
        with pytest.raises(ValueError, match=r"learner\.json is of format 7, and this"):
            use()
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=r"learner\.json is damaged"):
        learned.info()


def test_weights_to_begin_with_are_said_and_may_go(
    make_learner: Make, photos: list[Path], tmp_path: Path
) -> None:
    first = tmp_path / "first weights.pt"
    networks = {"teacher": resnet_small(16), "student": resnet_small(16)}
    torch.save({k: v.state_dict() for k, v in networks.items()}, first)
    with pytest.raises(ValueError, match="init_key=NAME"):
        make_learner("unclear", init=str(first)).learn(photos[0], **TRAINING)
    learner = make_learner(init=str(first), init_key="teacher")
    learner.learn(photos[0], **TRAINING)
    (said,) = (s for s in learner.said if s.startswith("init: "))  # type: ignore[attr-defined]
    assert "under 'teacher' are used" in said
    before = resnet_small(16)
    load_backbone(before, learner.folder.backbone(0))
    weights = networks["teacher"].state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in before.state_dict().items())
    first.unlink()
    learner.learn(photos[1], dry=True)
    learner.learn(photos[1])
    names = [each.name for each in learner.judge(classes_of(tmp_path))]
    assert names[:3] == ["random backbone", "before learning", "after experience 1"]


def classes_of(tmp_path: Path) -> Path:
    """Labelled images, class/image."""
    for k in range(3):
        write_digits(tmp_path / "labelled" / f"class{k}", {k}, 20)
    return tmp_path / "labelled"


def test_judge_takes_a_table_of_paths(learned: Learner, tmp_path: Path) -> None:
    paths = sorted(classes_of(tmp_path).rglob("*.png"))
    rows = [f'"{each.relative_to(tmp_path)}",{each.parts[-3]},2024' for each in paths]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["path,label,experience", *rows]))
    judgements = learned.judge(table)
    assert all(len(each.accuracy["knn"]) == 2 for each in judgements)
    (said,) = (s for s in learned.said if s.startswith("accuracy"))  # type: ignore[attr-defined]
    assert "2024" in said
    table.write_text("file,class\na,b")
    with pytest.raises(ValueError, match=r"must have the columns path and label.*file"):
        learned.judge(table)
    with pytest.raises(FileNotFoundError, match="data=nowhere does not exist"):
        learned.judge("nowhere")
    np.savez(tmp_path / "images.npz", x=np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"images\.npz holds no labels: name a folder"):
        learned.judge(tmp_path / "images.npz")
    (tmp_path / "loose").mkdir()
    with pytest.raises(ValueError, match=r"a folder for each class \(with layout="):
        learned.judge(tmp_path / "loose")


@pytest.mark.parametrize(
    ("backbone", "options"),
    [
        ("timm/resnet10t", {}),
        pytest.param("vit_tiny", {"backbone.patch_size": 4}, marks=pytest.mark.slow),
        ("torchvision.models.squeezenet1_1", {"backbone.num_classes": 12}),
    ],
)
def test_backbones_of_others(
    backbone: str, options: dict[str, Any], tmp_path: Path, photos: list[Path]
) -> None:
    if backbone.startswith("timm"):
        pytest.importorskip("timm")
    sizes = {"method.hidden_dim": 32, "method.projection_dim": 32}
    settings = {"backbone": backbone, "image_size": 32, **sizes, **options}
    learner = Learner(tmp_path / "learner", say=lambda _: None, **settings)
    for folder in photos[:2]:
        learner.learn(folder, **{**TRAINING, "epochs": 1})
    again = Learner(tmp_path / "learner", backbone=backbone)
    assert len(again.embed(photos[0])[0]) == 40


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"backbone": "timm/resnet00"}, "timm has no resnet00 .*did you mean"),
        ({"backbone": "torchvision.models.nothing"}, "cannot be imported"),
        (
            {"backbone": "builtins.dict", "backbone.a": 1},
            "builtins.dict is of Python's own library",
        ),
        ({"backbone.width": "wide"}, "cannot be made with backbone.width=wide"),
        ({"backbone.widht": 8}, "no backbone.widht=; did you mean backbone.width"),
        (
            {"method.hidden": 8},
            "there is no method.hidden=; did you mean method.hidden_dim",
        ),
    ],
)
def test_a_network_that_cannot_be_made_is_a_sentence(
    settings: dict[str, Any], sentence: str, tmp_path: Path, photos: list[Path]
) -> None:
    settings = {"backbone": "resnet_small", "image_size": 8, **settings}
    learner = Learner(tmp_path / "learner", **settings)
    with pytest.raises(ValueError, match=sentence):
        learner.learn(photos[0], **TRAINING)
