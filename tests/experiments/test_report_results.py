"""What a report reads from runs, and how it puts runs together."""

from pathlib import Path

import numpy as np
import pytest

from experiments.report import write_report
from experiments.results import find_runs, read_run
from experiments.sweep import group_runs
from tests.experiments.made_runs import read_lines, write_lines, write_run

pytestmark = pytest.mark.usefixtures("uncovered")


def test_probes_are_named_by_their_line_the_main_one_first(tmp_path: Path) -> None:
    probes = {"convex": "convex (L2 0.001)", "knn": "knn (k = 20)"}
    run = read_run(write_run(tmp_path / "run", probes=probes))
    assert run.probes == probes
    assert run.probe == "convex"


def test_probes_of_older_runs_are_named_by_their_metrics(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    write_lines(
        folder, [each for each in read_lines(folder) if each["run"] != "probes"]
    )
    assert list(read_run(folder).probes) == ["linear", "knn", "ncm"]


def test_evaluations_in_the_midst_of_training_do_not_count(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    before = read_run(folder).matrix("pnr", "Linear_Acc_Exp")
    midst = {"after": 3, "epoch": 1, "stream": "test", "experience": 0, "value": 0.0}
    line = {"run": "pnr", "metric": "Linear_Acc_Exp", **midst}
    write_lines(folder, [*read_lines(folder), line])
    after = read_run(folder).matrix("pnr", "Linear_Acc_Exp")
    assert np.array_equal(before, after)


@pytest.mark.parametrize(
    ("name", "left", "answer"),
    [
        ("pnr", 7, "stops at 'pnr' after 2 of 3 evaluations"),
        ("joint", 2, "stops at 'joint' after 0 of 1 evaluations"),
        ("single", 0, "stops at 'single' after 0 of 3 evaluations"),
    ],
)
def test_a_run_without_some_accuracy_of_the_main_probe_is_refused(
    name: str, left: int, answer: str, tmp_path: Path
) -> None:
    names = ["finetune", "pnr", "joint", "single"]
    folder = write_run(tmp_path / "run", names=names, trained=3, tested=3)
    lines = read_lines(folder)
    own = [
        each
        for each in lines
        if each["run"] == name and each["metric"] == "Linear_Acc_Exp"
    ]
    write_lines(folder, [each for each in lines if each not in own[left:]])
    with pytest.raises(ValueError, match=f"run is incomplete: it {answer}; remove it"):
        read_run(folder)


@pytest.mark.parametrize("lines", [0, 1, 4])
def test_a_run_that_stopped_before_the_first_evaluation_is_refused(
    lines: int, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run")
    write_lines(folder, read_lines(folder)[:lines])
    answer = "before the first evaluation" if lines < 4 else "stops at 'raw pixels'"
    with pytest.raises(ValueError, match=answer):
        read_run(folder)


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    with (folder / "results.jsonl").open("a") as file:
        file.write('{"run": "pn')
    with pytest.raises(ValueError, match=r"results.jsonl, line \d+: not JSON"):
        read_run(folder)


def test_runs_of_the_same_seed_are_one_trial_whatever_was_trained(
    tmp_path: Path,
) -> None:
    for seed in (0, 1, 10):
        write_run(tmp_path / f"a{seed}", seed, names=["finetune", "pnr"])
    for seed in (1, 10):
        mode = {"mode": "joint"}
        write_run(tmp_path / f"b{seed}", seed, names=["joint"], settings=mode)
    write_run(tmp_path / "c", 0, names=["single"])
    (group,) = group_runs(find_runs([tmp_path]))
    assert [results.seed for results in group.seed_results] == [0, 1, 10]
    references = ["raw pixels", "random backbone"]
    assert group.names == [*references, "single", "finetune", "pnr", "joint"]
    held = [{"single", "joint"} & set(results.runs) for results in group.seed_results]
    assert held == [{"single"}, {"joint"}, {"joint"}]
    assert not any(results.repeated for results in group.seed_results)


@pytest.mark.parametrize("out", ["e", "3", "runs/one"])
def test_settings_leave_out_paths_into_the_run_and_nothing_else(
    out: str, tmp_path: Path
) -> None:
    own = {"logger.tensorboard.tb_log_dir": f"{out}/board", "logger.wandb.dir": out}
    kept = {"a.neighbour": f"{out}ther/board", "a.path": f"data/{out}"}
    settings = read_run(
        write_run(tmp_path / "run", settings={**own, **kept, "out": out})
    ).settings
    assert not {"out", *own} & set(settings)
    expected = {**kept, "epochs": 3, "method.temperature": 0.2, "device": "cpu"}
    assert settings.items() >= expected.items()


def test_what_was_trained_twice_counts_once_and_is_told(tmp_path: Path) -> None:
    for name in ("cassle", "pnr"):
        write_run(tmp_path / name, names=["finetune", name])
    text = write_report([tmp_path], tmp_path)
    assert f"finetune with seed 0 is in {tmp_path / 'cassle'}" in text
    assert (tmp_path / "table.csv").read_text().count(",finetune,forgetting,") == 1


def test_runs_of_other_settings_are_groups_of_their_own(tmp_path: Path) -> None:
    for lr in (0.1, 0.2):
        settings = {"optimizer.lr": lr}
        write_run(tmp_path / f"{lr}", names=["pnr"], settings=settings)
        write_run(tmp_path / f"{lr}j", names=["joint"], settings=settings)
    groups = group_runs(find_runs([tmp_path]))
    assert [group.label for group in groups] == ["lr=0.1", "lr=0.2"]
    assert all(group.names[-2:] == ["pnr", "joint"] for group in groups)


def test_rows_can_be_told_apart_by_what_was_trained_on_request(tmp_path: Path) -> None:
    for name in ("cassle", "pnr"):
        settings = {"regularizers": [name]}
        write_run(tmp_path / name, names=[name], settings=settings)
    groups = group_runs(find_runs([tmp_path]), by=["regularizers"])
    assert [group.label for group in groups] == [
        "regularizers=['cassle']",
        "regularizers=['pnr']",
    ]


def test_runs_that_differ_in_what_no_command_says_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 0)
    config = write_run(tmp_path / "b", 1) / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.1", "lr: 0.2"))
    with pytest.raises(ValueError, match=r"in optimizer\.lr, of which their commands"):
        group_runs(find_runs([tmp_path]))


def test_a_setting_that_no_command_names_cannot_tell_rows_apart(
    tmp_path: Path,
) -> None:
    write_run(tmp_path / "a", settings={"optimizer.lr": 0.2})
    with pytest.raises(
        ValueError, match=r"no swept setting=optimiser\.lr; did you mean"
    ):
        group_runs(find_runs([tmp_path]), by=["optimiser.lr"])


def test_runs_may_differ_in_where_they_write_and_what_they_measure(
    tmp_path: Path,
) -> None:
    for seed in (0, 1):
        folder = tmp_path / f"{seed}"
        settings = {
            "logger.tensorboard.tb_log_dir": f"{folder}/tensorboard",
            "loggers": ["tensorboard"] * seed,
            "semi_supervised": [0.1] * seed,
            "downstream.flowers.path": "flowers" * (seed + 1),
        }
        write_run(folder, seed, settings=settings)
    (group,) = group_runs(find_runs([tmp_path]))
    assert len(group.seed_results) == 2
