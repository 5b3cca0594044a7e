"""The protocol, to be stated with every number: data, split, seeds."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from experiments.constants import RAW, RAW_SIDE
from experiments.reporting.probes import caveats
from experiments.results import Run
from experiments.sweep import Group

STREAMS = {
    "class_incremental": "Class-IL",
    "data_incremental": "Data-IL",
    "domain_incremental": "Domain-IL",
}


def title(runs: Sequence[Run]) -> str:
    """Method, data, length of the stream and seeds, in one line."""
    judged = ", judged on validation images" if _validated(runs) else ""
    return (
        f"{each(runs, lambda run: _target(run, 'method'))} on "
        f"{each(runs, lambda run: run.config['data']['name'])}, "
        f"{_experiences(runs)}, {_seeds(runs)}{judged}"
    )


def facts(runs: Sequence[Run]) -> dict[str, str]:
    """The protocol, by heading."""
    found = {
        "Data": each(runs, _data),
        "Class list": each(runs, lambda run: run.config["data"].get("classes") or ""),
        "Stream": each(runs, _stream),
        "Images": "; ".join(images(runs)),
        "Training": each(runs, _training),
        "References": _references(runs),
        "Numbers": f"{_seeds(runs)}; mean and sample standard deviation where there "
        f"are several. All accuracies are of {_judged_on(runs)}, from one classifier "
        "over all classes, without masking; only the task-aware ones let just the "
        "classes of the experience compete.",
    }
    return {heading: text for heading, text in found.items() if text}


def _references(runs: Sequence[Run]) -> str:
    if not any(RAW in run.config["references"] for run in runs):
        return ""
    return f"{RAW} are those of images reduced to {RAW_SIDE} px, where they are larger"


def images(runs: Sequence[Run]) -> list[str]:
    """Sentences on images that were left out or are in training and test data."""
    counts = [line for run in runs for line in run.of("stream")]
    return [
        f"{sentence}: {', '.join(map(str, dict.fromkeys(found)))}"
        for key, sentence in (
            ("skipped", "damaged images left out"),
            ("duplicates", "test images that are training images too"),
        )
        if (found := [line[key] for line in counts if line.get(key) is not None])
    ]


def warnings(groups: Sequence[Group]) -> list[str]:
    """Warnings that a reader of the numbers must not overlook."""
    runs = [run for group in groups for run in group.runs]
    seed_results = [results for group in groups for results in group.seed_results]
    lines = [line for run in runs for line in run.of("stream")]
    touched = any(line.get(key) for line in lines for key in ("skipped", "duplicates"))
    lists = each(runs, lambda run: run.config["data"].get("classes") or "")
    return [
        *([f"class list: {lists}"] if lists else []),
        *([f"accuracies are of {_judged_on(runs)}"] if _validated(runs) else []),
        *caveats(runs),
        *(images(runs) if touched else []),
        *dict.fromkeys(sentence for run in runs for sentence in _not_told(run)),
        *(sentence for results in seed_results for sentence in results.repeated),
    ]


def each(runs: Iterable[Run], what: Callable[[Run], Any]) -> str:
    """The value of a setting, or the values that a sweep went through."""
    return ", ".join(dict.fromkeys(str(what(run)) for run in runs))


def _validated(runs: Sequence[Run]) -> bool:
    """Return whether some runs were evaluated on images held out of training."""
    return any(run.config.get("validation") for run in runs)


def _judged_on(runs: Sequence[Run]) -> str:
    if not _validated(runs):
        return "test data"
    part = each(runs, lambda run: run.config.get("validation"))
    return (
        f"images held out of training (validation={part}), to choose settings by, and "
        "not of the test data"
    )


def _seeds(runs: Sequence[Run]) -> str:
    seeds = sorted({run.seed for run in runs})
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _experiences(runs: Sequence[Run]) -> str:
    lengths = each(runs, lambda run: run.experiences)
    return f"{lengths} experience{'s' * (lengths != '1')}"


def _target(run: Run, part: str) -> str:
    return str(run.config[part]["_target_"]).rpartition(".")[2]


def _not_told(run: Run) -> list[str]:
    """Sentence on figures that cannot be computed from the data, with the reason."""
    if not run.has_accuracies:
        return [
            "no accuracies: they need labelled images of two classes at least; what is "
            "shown is how the features change"
        ]
    missing = run.experiences - run.test_experiences
    if run.test_experiences < 2 or not missing:
        return []
    return [
        f"experiences without test images: {missing} of {run.experiences}; what "
        "compares experiences, such as forgetting, is not defined"
    ]


def _data(run: Run) -> str:
    data = run.config["data"]
    path = f" from {data['path']}" if data.get("path") else ""
    return f"{data['name']}{path}, {data['image_size']} px"


def _stream(run: Run) -> str:
    target = _target(run, "stream")
    options = {k: v for k, v in run.config["stream"].items() if not k.startswith("_")}
    if options.get("seed") == run.seed:
        options["seed"] = "the run's"
    split = ", ".join(f"{name}={value}" for name, value in options.items())
    return (
        f"{STREAMS.get(target, target)}, {target}({split}), {run.experiences} "
        f"experiences trained on, {run.test_experiences} tested on"
    )


def _training(run: Run) -> str:
    init = run.config.get("init")
    begun = f" begun with {init}" if init else ""
    epochs = run.config["epochs"]
    length = f"{epochs} epoch{'s' * (epochs != 1)} an experience"
    return (
        f"{_target(run, 'method')}, backbone {_target(run, 'backbone')}{begun}, "
        f"{_target(run, 'optimizer')}, {length}, batches of {run.config['batch_size']}"
    )
