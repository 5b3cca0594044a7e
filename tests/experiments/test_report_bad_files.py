"""Damaged and made-up files end a report with one sentence that names them."""

import json
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.report import main, write_report
from experiments.results import read_run
from tests.experiments.made_runs import read_lines, write_lines, write_run

pytestmark = pytest.mark.usefixtures("uncovered")

Spoil = Callable[[Path], None]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", names=["finetune"], trained=2, tested=2)


def refusal(run: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command says of a run that it refuses."""
    monkeypatch.setattr(sys, "argv", ["report", str(run)])
    with pytest.raises(SystemExit) as stop:
        main()
    message = str(stop.value)
    assert message.startswith("error: ")
    assert len(message.splitlines()) == 1
    assert len(message) < 1000
    return message


LINES = {
    "a number": b"4711",
    "a list": b"[1, 2]",
    "null": b"null",
    "text": b'"pnr"',
    "nothing": b"",
    "cut off": b'{"run": "pn',
    "not UTF-8": b'{"run": "\xff\xfe"}',
    "bytes of UTF-16": '{"run": 1}'.encode("utf-16"),
    "5000 digits": b'{"run": "a", "value": ' + b"1" * 5000 + b"}",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "endless": b'{"run": "' + b"a" * 2**21 + b'"}',
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_lines_that_are_no_records_are_named(
    line: bytes, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run / "results.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:5], line, *lines[5:]]) + b"\n")
    assert f"{path}, line 6: " in refusal(run, monkeypatch)


VALUES: dict[str, Any] = {
    "run": [None, 7, ["pnr"], "\ud800"],
    "metric": [None, 7, {}, "\ud800"],
    "value": [None, "0.5", True, [0.5], float("inf"), -float("inf"), 10**400, 1e300],
    "stream": [None, 7, []],
    "after": [None, "1", 1.0, True, -1, float("nan"), 10**12, 3],
    "experience": [None, "1", 1.0, False, -1, float("nan"), 10**12, 2],
}
CASES = [(field, value) for field, values in VALUES.items() for value in values]


@pytest.mark.parametrize(("field", "value"), CASES, ids=range(len(CASES)))
def test_values_of_another_kind_or_range_are_named_with_their_line(
    field: str, value: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = read_lines(run)
    number = next(n for n, line in enumerate(lines) if "experience" in line)
    lines[number][field] = value
    write_lines(run, lines)
    told = refusal(run, monkeypatch)
    assert f"results.jsonl, line {number + 1}: " in told
    assert field in told


@pytest.mark.parametrize("field", VALUES)
def test_fields_that_are_missing_are_named_with_their_line(
    field: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = read_lines(run)
    number = next(n for n, line in enumerate(lines) if "experience" in line)
    del lines[number][field]
    write_lines(run, lines)
    told = refusal(run, monkeypatch)
    assert field == "stream" or f"line {number + 1}: {field} is missing" in told


DESCRIPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("stream", {"train": 10**12}),
    ("stream", {"train": 0}),
    ("stream", {"test": "2"}),
    ("stream", {"test": None}),
    ("stream", {"classes": None}),
    ("stream", {"classes": "2"}),
    ("stream", {"skipped": "many"}),
    ("stream", {"duplicates": -1}),
    ("command", {"overrides": None}),
    ("command", {"overrides": [7]}),
    ("command", {"overrides": "seed=0"}),
    ("probes", {"names": "linear"}),
    ("probes", {"names": ["linear"]}),
    ("probes", {"names": ["linear"] * 3}),
    ("probes", {"descriptions": [None] * 3}),
    ("environment", {"torch": {"version": 2}}),
    ("environment", {"torch": "\ud800"}),
]


@pytest.mark.parametrize(("kind", "change"), DESCRIPTIONS)
def test_descriptions_of_another_kind_are_named_with_their_line(
    kind: str, change: dict[str, Any], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = read_lines(run)
    number = next(n for n, line in enumerate(lines) if line["run"] == kind)
    lines[number].update(change)
    write_lines(run, lines)
    assert f"results.jsonl, line {number + 1}: " in refusal(run, monkeypatch)


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
)
CONFIGS: dict[str, bytes] = {
    "nothing": b"",
    "a list": b"- seed\n- 0\n",
    "text": b"seed",
    "broken": b"seed: [0",
    "two": b"seed: 0\n---\nseed: 1\n",
    "tabs": b"seed:\n\t- 0",
    "not UTF-8": b"seed: \xff\xfe",
    "NUL": b"seed: \x00",
    "an object": b"seed: !!python/object/apply:os.system [echo]",
    "self-multiplying": BOMB.encode(),
    "itself": b"seed: &a [*a]",
    "merged": b"a: &a {b: 1}\nc: {<<: *a}",
    "deep": b"seed: " + b"[" * 5000 + b"]" * 5000,
    "deep mappings": b"seed: " + b"{a: " * 5000 + b"}" * 5000,
    "5000 digits": b"seed: " + b"1" * 5000,
    "huge": b"seed: " + b"a" * 2**21,
    "an interpolation that is none": b'seed: "${"',
    "twice": b"seed: 0\nseed: 1\n",
    "a date": b"seed: 2020-01-01",
    "no date": b"seed: 2020-99-99",
}


@pytest.mark.parametrize("content", CONFIGS.values(), ids=CONFIGS.keys())
def test_configurations_that_are_none_are_named(
    content: bytes, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run / "config.yaml"
    path.write_bytes(content)
    assert str(path) in refusal(run, monkeypatch)


SETTINGS = [
    ("seed: 0", "seed: zero", "seed must be a whole number"),
    ("seed: 0", "seed: -1", "seed must be a whole number"),
    ("seed: 0", "seed: .nan", "seed must be a whole number"),
    ("seed: 0", "seed: ${oc.env:HOME}", "seed must be a whole number"),
    ("epochs: 3", "epochs: 1e400", "epochs must be a whole number"),
    ("epochs: 3", "epochs: 3.5", "epochs must be a whole number"),
    ("batch_size: 64", "batch_size: null", "batch_size must be a whole number"),
    ("- finetune", "- 7", "regularizers must be a list of different names"),
    ("- finetune", "- {a: b}", "regularizers must be"),
    ("- raw pixels", "- pixels", "references must be a list of some of raw pixels"),
    ("  name: digits", "  named: digits", "data.name must be text"),
    ("  image_size: 8", "  image_size: [8]", "data.image_size must be"),
    ("  _target_: torch.optim.SGD", "  target: x", "optimizer._target_ must be text"),
    ("data:\n  name: digits\n  image_size: 8", "data: digits", "data.name must be"),
]


@pytest.mark.parametrize(("there", "instead", "answer"), SETTINGS)
def test_settings_of_another_kind_are_named(
    there: str, instead: str, answer: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run / "config.yaml"
    text = path.read_text()
    assert there in text
    path.write_text(text.replace(there, instead))
    assert f"{path}: {answer}" in refusal(run, monkeypatch)


def npy(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def archive(**members: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return file.getvalue()


def features(**changes: Any) -> bytes:
    arrays: dict[str, Any] = {
        "features": np.ones((4, 3), np.float32),
        "labels": np.arange(4),
        "experience": np.arange(4) // 2,
    }
    arrays |= changes
    members = {k: v if isinstance(v, bytes) else npy(v) for k, v in arrays.items()}
    return archive(**members)


def head(shape: tuple[int, ...]) -> bytes:
    """An array that says it is larger than it is."""
    file = BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue()


FEATURES = {
    "nothing": b"",
    "text": b"version https://git-lfs.github.com/spec/v1\n",
    "cut off": features()[:-40],
    "another archive": archive(features=b"no array"),
    "labels missing": archive(features=npy(np.ones((4, 3)))),
    "objects": features(labels=np.array([{}] * 4, dtype=object)),
    "one dimension": features(features=np.ones(4, np.float32)),
    "of nothing": features(features=np.ones((0, 3), np.float32)),
    "whole numbers": features(features=np.ones((4, 3), int)),
    "text in numbers' place": features(features=np.full((4, 3), "a")),
    "not a number": features(features=np.full((4, 3), np.nan, np.float32)),
    "infinite": features(features=np.full((4, 3), np.inf, np.float32)),
    "too few labels": features(labels=np.arange(3)),
    "labels with a point": features(labels=np.arange(4.0)),
    "no experiences": features(experience=np.array(0)),
    "more than memory": features(features=head((10**9, 10**6))),
    "a negative length": features(features=head((-4, 3))),
    "that unpacks to a GB": features(features=npy(np.zeros(2**28, np.uint8))),
}


@pytest.mark.parametrize("content", FEATURES.values(), ids=FEATURES.keys())
def test_damaged_features_are_named(
    content: bytes, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = run / "features_finetune.npz"
    path.write_bytes(content)
    assert f"{path} does not hold what a run kept" in refusal(run, monkeypatch)


@pytest.mark.parametrize("metric", ["Linear_Acc_Exp", "Knn_Acc_Exp", "Alignment_Stre"])
def test_what_is_not_defined_is_left_out(metric: str, run: Path) -> None:
    lines = read_lines(run)
    for line in lines:
        if line.get("metric", "").startswith(metric):
            line["value"] = float("nan")
    write_lines(run, lines)
    write_report([run], run)
    assert "Accuracy after" in (run / "report.html").read_text()


@pytest.mark.parametrize("change", [{"after": 0}, {"experience": 0}])
def test_a_value_that_lies_in_another_cell_is_missed(
    change: dict[str, int], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = read_lines(run)
    main = [line for line in lines if line.get("metric") == "Linear_Acc_Exp"]
    main[-1].update(change)  # now twice, or before training
    write_lines(run, lines)
    assert "is incomplete" in refusal(run, monkeypatch)


def test_runs_of_one_setting_and_streams_of_different_length_are_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(run / "longer", 1, names=["finetune"], trained=3, tested=3)
    config = (run / "config.yaml").read_text().replace("seed: 0", "seed: 1")
    (run / "longer" / "config.yaml").write_text(config)
    assert "have the same settings and streams of" in refusal(run, monkeypatch)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**12, 10**400, 1e300, -0.0, "linear", "Linear_Acc_Exp"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = ["run", "metric", "value", "after", "experience", "stream", "epoch", "names"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return write_run(folder, names=["finetune"], trained=2, tested=2, everything=False)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    where=st.floats(0, 1, exclude_max=True),
    field=st.sampled_from(FIELDS),
    value=json_values,
)
def test_whatever_stands_in_a_line_is_read_or_refused_by_name(
    whole: Path, where: float, field: str, value: Any
) -> None:
    lines = read_lines(whole)
    kept = (whole / "results.jsonl").read_bytes()
    lines[int(where * len(lines))][field] = value
    try:
        (whole / "results.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
        run = read_run(whole)
    except ValueError as error:
        assert str(whole) in str(error)  # noqa: PT017  (or it is read)
    else:
        assert run.probe
        for metric in run.metrics:
            run.holds("finetune", metric)
    finally:
        (whole / "results.jsonl").write_bytes(kept)
