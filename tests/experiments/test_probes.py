"""Probes, further judges and loggers of the main job, chosen on the command line."""

import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hydra.utils import instantiate

from avalanche_pnr import OnlineProbe
from experiments.__main__ import main
from experiments.builders import (
    make_benchmark,
    make_downstream,
    make_method,
    make_probes,
    make_watchers,
)
from experiments.overrides import check_overrides
from experiments.report import write_report
from experiments.results import Run, read_run
from experiments.run import Comparison
from tests.experiments.small_runs import composed, finished, prepared, save_images

ALL = "regularizers=[finetune,cassle,pnr]"
DIGITS = "{_target_: avalanche_pnr.load_digits}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three experiences of 32 images and two classes."""
    path = save_images(tmp_path_factory.mktemp("data") / "images.npz")
    return ["data=npz", f"data.path={path}", "stream.n_experiences=3"]


def reported(run: Run) -> str:
    """The page of a run, as text."""
    write_report([run.folder], run.folder)
    return re.sub(r"<[^>]*>", " ", (run.folder / "report.html").read_text())


def accuracies(run: Run, name: str) -> list[list[float]]:
    rows: list[list[float]] = run.matrix(name, "Online_Acc_Exp").tolist()
    return rows


@pytest.fixture(scope="module")
def online(data: list[str], tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    out = tmp_path_factory.mktemp("runs") / "online"
    choices = ["probe=online", "probes.main.batch_size=16", "epochs=2", ALL]
    comparison = prepared(out, *data, *choices)
    comparison.run()
    return comparison


def test_the_online_probe_is_trained_beside_the_network(online: Comparison) -> None:
    run = read_run(online.out)
    assert run.probe == "online"
    assert "sees future classes" in reported(run)
    for name in ("finetune", "cassle", "pnr"):
        assert run.matrix(name, "Online_Acc_Exp").shape == (3, 3)
    steps = [probe.steps for probe in online.probes if isinstance(probe, OnlineProbe)]
    assert steps == [2 * 32 // 8]


@pytest.mark.parametrize("name", ["finetune", "cassle", "pnr"])
def test_the_online_probe_goes_on_after_the_shared_experience(
    name: str, online: Comparison
) -> None:
    config, trainer = online.config, online.trainer
    alone, probes = f"{name} alone", make_probes(online.config)
    plugins = instantiate(config.plugins[name])
    strategy = trainer.strategy(alone, make_method(config), probes, plugins)
    for experience in online.benchmark.train_stream:
        trainer.train(strategy, experience)
        trainer.evaluate(alone, strategy)
    run = read_run(online.out)
    assert accuracies(run, name) == accuracies(run, alone)
    assert run.series(name, "Alignment_Stream") == run.series(alone, "Alignment_Stream")
    assert accuracies(run, name)[0] == accuracies(run, "finetune")[0]


def test_the_published_probe_trains_as_many_epochs_as_asked(
    data: list[str], tmp_path: Path
) -> None:
    choices = ["probe=published", "probes.main.epochs=2", "probe_lr=0.3"]
    others = ["regularizers=[pnr]", "references=[random backbone]"]
    run = finished(tmp_path / "out", *data, *choices, *others)
    assert run.holds("pnr", "Published_Acc_Exp")
    assert run.holds("random backbone", "Published_Acc_Exp")
    page = reported(run)
    assert "SGD on distorted images, 2 epochs, momentum 0, learning rate 0.3" in page


def test_the_linear_probe_says_which_learning_rate_it_chose(
    data: list[str], tmp_path: Path
) -> None:
    choices = ["probe=linear", "probes.main.epochs=5", "probes.main.lrs=[0.01,0.1]"]
    run = finished(tmp_path / "out", *data, *choices, "regularizers=[pnr]")
    assert set(run.series("pnr", "Linear_Lr_Stream").values()) <= {0.01, 0.1}
    assert "learning rate 0.01, 0.1 chosen on a tenth held out" in reported(run)


def test_few_labels_and_data_never_seen_are_judged_too(
    data: list[str], tmp_path: Path
) -> None:
    other = save_images(tmp_path / "other.npz")
    source = f"{{_target_: avalanche_pnr.load_npz, path: {other}}}"
    run = finished(
        tmp_path / "out",
        *data,
        "regularizers=[pnr]",
        "probe=linear",
        "probes.main.epochs=5",
        "semi_supervised=[0.1,0.5]",
        f"downstream={{letters: {source}}}",
    )
    for metric in ("Convex_10pct_Acc_Exp", "Convex_50pct_Acc_Exp"):
        assert run.matrix("pnr", metric).shape == (3, 3)
    assert list(run.series("pnr", "Linear_Acc_Downstream_letters")) == [1, 2, 3]
    page = reported(run)
    for text in ("convex_10pct", "10 % of the labels", "downstream letters", "L2"):
        assert text in page


def test_chosen_loggers_write_for_each_training(
    data: list[str], tmp_path: Path
) -> None:
    choices = ["regularizers=[finetune,joint]", "loggers=[tensorboard]"]
    comparison = prepared(tmp_path / "out", *data, *choices)
    board = tmp_path / "out" / "tensorboard"
    assert not board.exists()
    comparison.run()
    names = {file.parent.name for file in board.rglob("events.out.tfevents.*")}
    assert names == {"first experience", "finetune", "joint"}


def test_one_setting_adds_a_data_set_without_a_change_of_the_others() -> None:
    config = composed(f"downstream={{digits: {DIGITS}}}")
    assert config.downstream.digits == {"_target_": "avalanche_pnr.load_digits"}


def refused(monkeypatch: pytest.MonkeyPatch, out: Path, *choices: str) -> str:
    """What the main job answers."""
    arguments = ["backbone.width=16", *choices, f"out={out}"]
    monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert not out.exists()
    return str(exit_.value)


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        (["probe=online", "references=[raw pixels]"], "not trained: set references=[]"),
        (["semi_supervised=[2]"], "semi_supervised=[2]: write a list of fractions"),
        (["semi_supervised=[ten]"], "write a list of fractions above 0"),
        (["semi_supervised=0.1"], "semi_supervised=0.1: write a list of fractions"),
        (["semi_supervised=[0.1,0.1]"], "probes need different names"),
        (
            ["downstream={digits: 3}"],
            "downstream: digits is 3, which is not a data set",
        ),
        (["downstream={digits: {path: x}}"], "which is not a data set: write"),
        (["downstream=[digits]"], "write names and what loads them"),
        (["downstream={a: {_target_: nothing}}"], "nothing"),
        (
            ["downstream={a: {_target_: avalanche_pnr.load_npz, path: x.npz}}"],
            "x.npz does not exist",
        ),
        (
            ["downstream={a: {_target_: avalanche_pnr.ConvexProbe}}"],
            "which is not a data set",
        ),
        (
            ["loggers=[nothing]"],
            "no logger=nothing; there are tensorboard, wandb, mlflow",
        ),
        (["loggers=[tensorbord]"], "no logger=tensorbord; did you mean tensorboard"),
        (["loggers=wandb"], "loggers=wandb: write a list, for example [tensorboard]"),
        (["loggers=[tensorboard]", "batch_size=1", "base_lr=1"], "batches of 2 images"),
        (["representation_images=0"], "must be a whole number from 2, not 0"),
        (["representation_images=few"], "must be a whole number from 2, not few"),
    ],
)
def test_bad_settings_end_with_one_sentence_and_write_nothing(
    choices: list[str], answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = refused(monkeypatch, tmp_path / "out", *choices)
    assert stop.startswith("error: ")
    assert answer in stop


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("probe_lr=1", "probe_lr needs probe=published"),
        ("probes.main.lrs=[1]", "probes.main.lrs needs probe=linear"),
        ("probe=linea", "no probe=linea; did you mean linear"),
        ("semi_supervise=[0.1]", "did you mean semi_supervised"),
    ],
)
def test_settings_of_another_probe_say_which(override: str, answer: str) -> None:
    with pytest.raises(ValueError, match=re.escape(answer)):
        check_overrides([override])


def test_more_neighbours_than_images_are_a_line_and_the_run_goes_on(
    data: list[str], tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=r"knn looks at 96 .* and not at k=97"):
        comparison = prepared(tmp_path / "out", *data, "probes.knn.k=97")
    comparison.run()
    text = (tmp_path / "out" / "results.jsonl").read_text()
    assert "Knn_Acc_Stream" in text


@pytest.mark.parametrize("option", ["--help", "--cfg=job"])
def test_settings_can_be_looked_up(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["experiments", *option.split("=")])
    with suppress(SystemExit):  # Hydra's way to end its help
        main()
    text = capsys.readouterr().out
    assert "representation_images: 200" in text
    assert "_target_: avalanche_pnr.ConvexProbe" in text


def test_data_never_seen_are_fitted_to_their_own_training_images(
    data: list[str],
) -> None:
    config = composed(*data, f"downstream={{digits: {DIGITS}}}")
    stream = make_benchmark(config, instantiate(config.data.source))
    _, plugin = make_watchers(config, stream, make_downstream(config))
    lengths = [
        sum(len(each.dataset) for each in part)
        for part in (plugin.train_data, plugin.test_data)
    ]
    assert lengths == [1347, 450]
    image, *_ = plugin.test_data[0].dataset.eval()[0]
    assert image.shape == (3, 6, 6)


@pytest.mark.parametrize("seed", [0, 3])
def test_few_labels_are_drawn_by_the_seed_of_the_run(seed: int) -> None:
    probes = make_probes(composed("semi_supervised=[0.1]", f"seed={seed}"))
    assert probes[-1].seed == seed
