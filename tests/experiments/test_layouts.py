"""Data sets in the folders they are published in, from files to the report."""

import json
import shutil
import sys
from collections.abc import Callable
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from experiments.__main__ import main
from experiments.report import write_report
from experiments.results import read_run
from experiments.trainer import Trainer
from tests.benchmarks.pictures import save, truncate
from tests.benchmarks.shards import write_greys
from tests.experiments.small_runs import TINY, finished, prepared

PNR = "regularizers=[pnr]"
Build = Callable[[Path], list[str]]
"""Writes a data set below a folder and says how it is called for."""


def fill(folders: list[Path], images: int, suffix: str = ".png") -> None:
    """Images in each folder, no two of them the same."""
    grey = count(1)
    for folder, number in product(folders, range(images)):
        save(folder / f"{number:03d}{suffix}", next(grey))


def class_folders(root: Path) -> list[str]:
    fill([root / name for name in ("ant", "bee", "cat")], 15)
    return ["data=folders", f"data.path={root}", "stream.n_experiences=3"]


def domain_folders(root: Path) -> list[str]:
    names = product(("ink", "oil", "wax"), ("ant", "bee"))
    fill([root / domain / name for domain, name in names], 10)
    layout = "data.layout=domain/class"
    return ["data=folders", f"data.path={root}", layout, "stream=domain"]


def unlabelled(root: Path) -> list[str]:
    fill([root / "photos", root / "photos" / "2024" / "may"], 13)
    fill([root / "sorted" / name for name in ("ant", "bee", "cat")], 8)
    source = f"{{_target_: avalanche_pnr.load_folders, path: {root / 'sorted'}}}"
    return [
        "data=unlabelled",
        f"data.path={root / 'photos'}",
        f"data.labelled={source}",
        "stream=data",
        "stream.n_experiences=3",
    ]


def huggingface(root: Path) -> list[str]:
    datasets = pytest.importorskip("datasets", reason="needs the extra huggingface")
    splits = datasets.DatasetDict()
    for split, images in (("train", 30), ("test", 6)):
        greys = [Image.new("L", (9, 7), 5 * number + 1) for number in range(images)]
        names = ["ant", "bee", "cat"] * (images // 3)
        columns = {"img": greys, "kind": names, "note": names}
        splits[split] = datasets.Dataset.from_dict(columns)
    splits.save_to_disk(str(root))
    choices = ["data=huggingface", f"data.path={root}", "stream.n_experiences=3"]
    return [*choices, "data.label=kind"]


def missing_classes(root: Path) -> list[str]:
    """Classes without a test image, one of them with a single image to train on."""
    fill([root / "train" / name for name in ("ant", "bee", "cat")], 15)
    fill([root / "test" / name for name in ("ant", "bee", "elk")], 3)
    save(root / "train" / "dog" / "only.png", 250)
    return ["data=folders", f"data.path={root}", "stream.n_experiences=2"]


def webdataset(root: Path) -> list[str]:
    pytest.importorskip("webdataset")
    fill([root / "sorted" / name for name in ("ant", "bee", "cat")], 8)
    source = f"{{_target_: avalanche_pnr.load_folders, path: {root / 'sorted'}}}"
    return [
        "data=webdataset",
        f"data.path='{write_greys(root, shards=6, images=5)}'",
        f"data.labelled={source}",
        "stream=data",
        "stream.n_experiences=3",
        "stream.seed=null",
    ]


def domainnet(root: Path) -> list[str]:
    domains = ("clipart", "infograph", "painting", "quickdraw", "real", "sketch")
    grey = count(1)
    for domain in domains:
        for split, images in (("train", 5), ("test", 2)):
            names = [
                f"{domain}/{name}/{domain}_{y:03d}_{next(grey):06d}.jpg {y}"
                for y, name in enumerate(("axe", "bat"))
                for _ in range(images)
            ]
            (root / f"{domain}_{split}.txt").write_text("\n".join(names))
            for line in names:
                path = root / line.partition(" ")[0]
                save(path, int(path.stem[-6:]))
    size = "data.eval_view.resize=6"
    return ["data=domainnet", f"data.path={root}", "stream=domain", size]


def imagenet100(root: Path) -> list[str]:
    wnids = ("n01440764", "n01443537", "n01484850", "n01491361")
    splits = [root / split / wnid for split in ("train", "val") for wnid in wnids]
    fill(splits, 9, ".JPEG")
    (root / "three.txt").write_text("\n".join([wnids[3], wnids[0], wnids[1]]))
    return [
        "data=imagenet100",
        f"data.path={root}",
        f"data.classes={root / 'three.txt'}",
        "stream.n_experiences=3",
        "data.eval_view.resize=6",
    ]


def tiny_imagenet(root: Path) -> list[str]:
    wnids = ("n02124075", "n01443537", "n04067472")
    (root / "wnids.txt").write_text("\n".join(wnids))
    (root / "words.txt").write_text("n01443537\tgoldfish, Carassius auratus\n")
    fill([root / "train" / wnid / "images" for wnid in wnids], 9, ".JPEG")
    lines = []
    for number in range(6):
        save(root / "val" / "images" / f"val_{number}.JPEG", 200 + number)
        lines.append(f"val_{number}.JPEG\t{wnids[number % 3]}\t0\t32\t44\t62")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))
    return ["data=tiny_imagenet", f"data.path={root}", "stream.n_experiences=3"]


def pacs(root: Path) -> list[str]:
    grey = count(1)
    for domain in ("art_painting", "cartoon", "photo", "sketch"):
        lists: dict[str, list[str]] = {"train": [], "crossval": []}
        for y, name in enumerate(("dog", "horse"), start=1):
            for number in range(7):
                image = f"{domain}/{name}/pic_{number:03d}.png"
                save(root / "pacs_data" / image, next(grey))
                lists["train" if number < 5 else "crossval"].append(f"{image} {y}")
        for split, lines in lists.items():
            file = root / "pacs_label" / f"{domain}_{split}_kfold.txt"
            file.parent.mkdir(exist_ok=True)
            file.write_text("\n".join(lines))
    return ["data=pacs", f"data.path={root}", "stream=domain"]


@pytest.mark.parametrize(
    ("build", "trained", "tested", "images"),
    [
        (class_folders, 3, 3, 36),
        (huggingface, 3, 3, 30),
        (missing_classes, 2, 2, 46),
        (domain_folders, 3, 3, 48),
        (unlabelled, 3, 1, 26),
        (webdataset, 3, 1, 30),
        (domainnet, 6, 6, 60),
        (imagenet100, 3, 3, 27),
        (tiny_imagenet, 3, 3, 27),
        (pacs, 4, 4, 40),
    ],
)
def test_each_layout_runs_to_its_report(
    build: Build, trained: int, tested: int, images: int, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    comparison = prepared(tmp_path / "out", PNR, *build(tmp_path / "data"))
    stream = comparison.benchmark.train_stream
    assert sum(len(each.dataset) for each in stream) == images
    comparison.run()
    run = read_run(tmp_path / "out")
    for metric in ("Convex_Acc_Exp", "Knn_Acc_Exp"):
        assert run.matrix("pnr", metric).shape == (trained, tested)
        assert run.holds("pnr", metric)


def lone_class(root: Path) -> list[str]:
    fill([root / "only"], 40)
    return ["data=folders", f"data.path={root}"]


def no_labels(root: Path) -> list[str]:
    fill([root, root / "more"], 20)
    return ["data=unlabelled", f"data.path={root}"]


@pytest.mark.parametrize("build", [lone_class, no_labels])
def test_without_several_classes_there_is_a_report_without_accuracies(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = [*build(tmp_path / "data"), "stream=data", "stream.n_experiences=2"]
    out = tmp_path / "out"
    run = finished(out, PNR, *choices, "references=[random backbone]")
    assert not any("Acc" in metric for metric in run.metrics)
    assert run.cells("pnr", "EffectiveRank_Stream") == 2
    assert "no accuracies: they need labelled images of two classes" in write_report(
        [out], out
    )
    assert "accuracy without several classes" in capsys.readouterr().out
    assert (out / "representation.png").is_file()
    assert not (out / "accuracy_matrices.png").exists()
    state = (out / "results.jsonl").read_text().splitlines()
    (out / "results.jsonl").write_text("\n".join(state[:-8]) + "\n")
    with pytest.raises(ValueError, match="is incomplete: it stops at 'pnr'"):
        read_run(out)


def test_an_experience_without_test_images_is_not_tested(tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "out"
    fill([root / "train" / name for name in ("ant", "bee", "cat")], 9)
    fill([root / "test" / name for name in ("ant", "cat")], 3)
    with pytest.warns(UserWarning, match=r"experiences \[\d\] have no test images"):
        run = finished(
            out, PNR, "data=folders", f"data.path={root}", "stream.n_experiences=3"
        )
    assert run.matrix("pnr", "Convex_Acc_Exp").shape == (3, 2)
    text = write_report([out], out)
    assert "experiences without test images: 1 of 3" in text
    assert "not defined" in text


@pytest.fixture
def three_classes(tmp_path: Path) -> list[str]:
    return class_folders(tmp_path / "data")


def command(
    monkeypatch: pytest.MonkeyPatch, out: Path, *choices: str
) -> Callable[[], None]:
    """The main job with these arguments, to be called in this process."""
    arguments = ["experiments", *TINY, PNR, *choices, f"out={out}"]
    monkeypatch.setattr(sys, "argv", arguments)
    return main


def of_stream(out: Path) -> dict[str, int | None]:
    lines = map(json.loads, (out / "results.jsonl").read_text().splitlines())
    return next(line for line in lines if line["run"] == "stream")


def test_unlabelled_images_are_judged_by_a_labelled_set(tmp_path: Path) -> None:
    comparison = prepared(tmp_path / "out", *unlabelled(tmp_path / "data"))
    benchmark = comparison.benchmark
    assert all(set(e.dataset.targets) == {-1} for e in benchmark.train_stream)
    (probe,) = benchmark.probe_stream
    assert len(probe.dataset) == 18
    assert set(probe.dataset.targets) == {0, 1, 2}
    assert benchmark.class_names == ("ant", "bee", "cat")


def test_the_class_list_is_named_with_the_numbers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    finished(out, PNR, *imagenet100(tmp_path / "data"))
    path = tmp_path / "data" / "three.txt"
    assert f"class list: {path}" in write_report([out], out)
    page = (out / "report.html").read_text()
    assert "class list: .../three.txt" in page
    assert str(path) not in page


def test_damaged_files_are_named(
    three_classes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data" / "bee" / "003.png"
    truncate(path)
    with pytest.raises(SystemExit) as exit_:
        command(monkeypatch, tmp_path / "out", *three_classes)()
    assert str(exit_.value).startswith(f"error: {path} cannot be read as an image")


def test_damaged_files_are_left_out_on_request_and_counted(
    three_classes: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("ant/001.png", "bee/003.png", "bee/014.png"):
        truncate(tmp_path / "data" / name)
    out = tmp_path / "out"
    command(monkeypatch, out, *three_classes, "data.skip_damaged=true")()
    assert of_stream(out)["skipped"] == 3
    assert "damaged images left out: 3" in capsys.readouterr().out
    assert "damaged images left out: 3" in (out / "report.html").read_text()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_damaged_in_the_midst_of_training_ends_it_with_a_sentence(
    workers: int,
    three_classes: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = Trainer.evaluate

    def judge_then_damage(self: Trainer, *arguments: Any) -> None:
        judge(self, *arguments)
        for path in (tmp_path / "data" / "cat").iterdir():
            path.write_bytes(path.read_bytes()[:40])

    monkeypatch.setattr(Trainer, "evaluate", judge_then_damage)
    choices = [*three_classes, f"workers={workers}"]
    with pytest.raises(SystemExit) as exit_:
        command(monkeypatch, tmp_path / "out", *choices)()
    (sentence,) = str(exit_.value).splitlines()
    assert sentence.startswith("error: ")
    assert f"{tmp_path / 'data' / 'cat'}/" in sentence
    assert "Error" not in sentence
    assert "cannot be read as an image" in sentence
    assert "also choose another out=; once it is replaced, continue with: " in sentence
    results = (tmp_path / "out" / "results.jsonl").read_text()
    assert '"metric": "Convex_Acc_Exp"' in results
    assert not (tmp_path / "out" / "report.html").exists()


def test_test_images_that_are_training_images_are_warned_of_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "data", tmp_path / "out"
    names = product(("train", "test"), ("ant", "bee", "cat"))
    fill([root / split / name for split, name in names], 9)
    for name in ("ant/004.png", "cat/000.png"):
        shutil.copy(root / "train" / name, root / "test" / name)
    choices = ["data=folders", f"data.path={root}", "stream.n_experiences=3"]
    command(monkeypatch, out, *choices)()
    warned = "2 test images are also in the training data"
    assert warned in capsys.readouterr().err
    assert of_stream(out) == {
        "run": "stream",
        "train": 3,
        "test": 3,
        "skipped": 0,
        "duplicates": 2,
        "classes": 3,
    }
    report = (out / "report.html").read_text()
    assert "test images that are training images too: 2" in report


@pytest.mark.parametrize(
    ("labelled", "answer"),
    [
        ("digits", "labelled must be labelled images"),
        ("{_target_: avalanche_pnr.load_folders, path: nowhere}", "nowhere is no"),
    ],
)
def test_what_is_no_labelled_set_is_refused(
    labelled: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill([tmp_path / "photos"], 3)
    choices = ["data=unlabelled", f"data.path={tmp_path / 'photos'}", "stream=data"]
    with pytest.raises(SystemExit, match=rf"^error: .*{answer}"):
        command(monkeypatch, tmp_path / "out", *choices, f"data.labelled={labelled}")()
