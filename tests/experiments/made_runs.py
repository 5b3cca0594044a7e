"""Folders as finished runs leave them, with made-up numbers."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

CONFIG: dict[str, Any] = {
    "method": {"_target_": "avalanche_pnr.SimCLR", "temperature": 0.2},
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1},
    "backbone": {"_target_": "avalanche_pnr.resnet_small", "width": 64},
    "stream": {"_target_": "avalanche_pnr.class_incremental", "n_experiences": 5},
    "data": {"name": "digits", "image_size": 8},
    "probes": {"main": {"_target_": "avalanche_pnr.LinearProbe"}},
    "epochs": 3,
    "batch_size": 64,
    "references": ["raw pixels", "random backbone"],
    "device": "cpu",
    "workers": 0,
}
PROBES = {
    "linear": "linear (SGD, 100 epochs, learning rate chosen on held-out data)",
    "knn": "knn (k = 20, temperature 0.07)",
    "ncm": "ncm (nearest class mean)",
}
LEVELS = {"raw pixels": 0.35, "random backbone": 0.3, "single": 0.55, "joint": 0.8}
GAINS = {"finetune": 0.0, "cassle": 0.03, "pnr": 0.06}

Line = dict[str, Any]


def write_run(
    folder: Path,
    seed: int = 0,
    names: Sequence[str] = ("finetune", "cassle", "pnr"),
    trained: int = 5,
    tested: int = 5,
    probes: dict[str, str] = PROBES,
    everything: bool = True,
    features: bool = False,
    classes: int = 10,
    counts: dict[str, int] | None = None,
    settings: dict[str, Any] | None = None,
) -> Path:
    """Write a run's folder.

    Args:
        folder: Where; it is made.
        seed: Of the run, and of its numbers.
        names: What was trained: its ``regularizers``.
        trained: Length of the stream.
        tested: Number of test experiences; 1 as Data-IL has it.
        probes: Descriptions by name, the main probe first.
        everything: Whether more than the accuracies of the probes was measured.
        features: Whether features were kept.
        classes: Classes of the kept features.
        counts: Damaged and duplicate images.
        settings: Of the command line, by dotted name.
    """
    folder.mkdir(parents=True)
    own = {"seed": seed, "out": str(folder), "regularizers": list(names)}
    stream = {**CONFIG["stream"], "n_experiences": trained}
    config = OmegaConf.create({**CONFIG, "stream": stream, **own})
    for name, value in (settings or {}).items():
        OmegaConf.update(config, name, value)
    OmegaConf.save(config, folder / "config.yaml")
    command = [f"{name}={value}" for name, value in (settings or {}).items()]
    lines = [
        {"run": "environment", "python": "3.12.1", "torch": "2.9.0"},
        {"run": "command", "overrides": [*command, f"seed={seed}", f"out={folder}"]},
        {"run": "stream", "train": trained, "test": tested, **(counts or {})},
        {"run": "probes", "names": list(probes), "descriptions": list(probes.values())},
    ]
    random = np.random.default_rng([seed, 1])
    for name in (*config.references, *names):
        lines += _judged(name, (trained, tested), list(probes), everything, random)
        if features:
            arrays = _features(name, classes, tested, random)
            np.savez(folder / f"features_{name}.npz", **arrays)
    write_lines(folder, lines)
    return folder


def write_lines(folder: Path, lines: Sequence[Line]) -> None:
    """Write ``results.jsonl``."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "results.jsonl").write_text(text)


def read_lines(folder: Path) -> list[Line]:
    """Read ``results.jsonl``."""
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def matrix_lines(name: str, metric: str, a: Sequence[Sequence[float]]) -> list[Line]:
    """The lines of a matrix a[t, k]; of an untrained network, of one row."""
    start = 0 if name in ("raw pixels", "random backbone") else 1
    return [
        {"run": name, "metric": metric, "value": value, "after": t, **test(k)}
        for t, row in enumerate(a, start=start)
        for k, value in enumerate(row)
    ]


def test(experience: int) -> Line:
    """Where an accuracy by experience belongs."""
    return {"stream": "test", "experience": experience}


def _accuracies(
    name: str, rows: int, columns: int, random: np.random.Generator
) -> list[list[float]]:
    noise = random.normal(0, 0.01, (rows, columns))
    if name in LEVELS:
        return (LEVELS[name] + noise).tolist()
    t, k = np.mgrid[:rows, :columns]
    forgotten = (0.1 - GAINS.get(name, 0.0)) * np.clip(t - k, 0, 4) / 4
    learnt = 0.6 + 0.02 * t / rows - 0.12 * (t < k) + GAINS.get(name, 0.0) / 2
    return (learnt - forgotten + noise).tolist()


def _judged(
    name: str,
    shape: tuple[int, int],
    probes: list[str],
    everything: bool,
    random: np.random.Generator,
) -> Iterator[Line]:
    untrained = name in ("raw pixels", "random backbone")
    once = untrained or name == "joint"
    rows, columns = (1, shape[1]) if once else shape
    for penalty, probe in enumerate(probes):
        head = probe.capitalize()
        a = np.array(_accuracies(name, rows, columns, random)) - 0.04 * penalty
        yield from matrix_lines(name, f"{head}_Acc_Exp", a.tolist())
        if everything:
            yield from matrix_lines(name, f"{head}_Top5_Acc_Exp", (a + 0.18).tolist())
            yield from matrix_lines(
                name, f"{head}_TaskAware_Acc_Exp", (a + 0.1).tolist()
            )
    for t in range(rows) if everything else ():
        place = {"run": name, "after": t + (not untrained), "stream": "test"}
        for metric, value in {
            "Linear_Lr_Stream": 0.1 if t % 2 else 0.3,
            "Linear_HeldOutAcc_Stream": 0.61,
            "Linear_Acc_Stream": 0.6,
            "Linear_Acc_Downstream_flowers": 0.4 + 0.01 * t,
            "Linear_Lr_Downstream_flowers": 0.02 + 0.01 * t,
            "Alignment_Stream": 0.4 - 0.02 * t + random.normal(0, 0.02),
            "Uniformity_Stream": -2.5 - 0.1 * t + random.normal(0, 0.05),
            "EffectiveRank_Stream": 18 + t + random.normal(0, 1),
        }.items():
            yield {**place, "metric": metric, "value": value}
        for k in range(t + 1) if name not in LEVELS else ():
            moved = (0.12 - GAINS.get(name, 0.0)) * (t - k) ** 0.6 + abs(
                random.normal(0, 0.01)
            )
            line = {"metric": "CKA_Exp", "value": 1 - (moved if t > k else 0)}
            yield {**place, **line, "experience": k}


def _features(
    name: str, classes: int, experiences: int, random: np.random.Generator
) -> dict[str, Any]:
    labels = np.arange(40 * classes) % classes
    centres = random.normal(0, 1, (classes, 16))
    noise = random.normal(0, 1.2 - 3 * GAINS.get(name, 0.0), (len(labels), 16))
    return {
        "features": (centres[labels] + noise).astype(np.float32),
        "labels": labels,
        "experience": labels * experiences // classes,
    }
