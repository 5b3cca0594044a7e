import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avalanche_pnr.evaluation import accuracy_matrix, read_records

WORKED = np.array(
    [
        [0.90, 0.99, 0.10],
        [0.60, 0.80, 0.30],
        [0.50, 0.70, 0.95],
    ]
)


def _record(after: int, experience: int, value: float, **more: Any) -> dict[str, Any]:
    where = {"metric": "Linear_Acc_Exp", "stream": "test"}
    return {
        **where,
        "after": after,
        "experience": experience,
        "value": value,
        **more,
    }


def _records(matrix: Any) -> list[dict[str, Any]]:
    return [
        _record(t + 1, k, value)
        for t, row in enumerate(matrix)
        for k, value in enumerate(row)
    ]


def test_records_become_a_matrix_in_any_order() -> None:
    records = _records(WORKED)[::-1]
    assert np.array_equal(accuracy_matrix(records, "Linear_Acc_Exp"), WORKED)


def test_only_the_metric_asked_for_counts() -> None:
    others = [_record(1, 0, 0.1, metric="Knn_Acc_Exp"), {"torch": "2", "run": "env"}]
    others.append({"metric": "Loss_Epoch", "value": 3.0, "after": 0, "epoch": 0})
    others.append({"metric": "Linear_Acc_Stream", "value": 0.1, "after": 3})
    matrix = accuracy_matrix(others + _records(WORKED) + others, "Linear_Acc_Exp")
    assert np.array_equal(matrix, WORKED)


def test_evaluation_before_training_is_no_row() -> None:
    records = [_record(0, k, 0.3) for k in range(3)] + _records(WORKED)
    assert np.array_equal(accuracy_matrix(records, "Linear_Acc_Exp"), WORKED)


def test_only_test_data_make_columns() -> None:
    records = _records(WORKED)
    training = [_record(t, k, 1.0, stream="train") for t in (1, 2, 3) for k in range(3)]
    matrix = accuracy_matrix(records + training, "Linear_Acc_Exp")
    assert np.array_equal(matrix, WORKED)


def test_what_was_not_evaluated_is_nan() -> None:
    records = [_record(1, 0, 0.9), _record(2, 0, 0.6), _record(2, 1, 0.8)]
    matrix = accuracy_matrix(records, "Linear_Acc_Exp")
    expected = [[0.9, np.nan], [0.6, 0.8]]
    assert np.array_equal(matrix, expected, equal_nan=True)


@pytest.mark.parametrize("records", [[], _records(WORKED), [_record(0, 0, 0.5)]])
def test_a_metric_without_values_is_named(records: list[dict[str, Any]]) -> None:
    metric = "Knn_Acc_Exp" if len(records) > 1 else "Linear_Acc_Exp"
    with pytest.raises(ValueError, match=f"hold no '{metric}'"):
        accuracy_matrix(records, metric)


def test_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    records = _records(WORKED)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert read_records(path) == read_records(str(path)) == records


@pytest.mark.parametrize("damaged", ['{"metric": "Lin', "{'metric': 1}", ""])
def test_a_damaged_line_is_named_with_its_file(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"after": 1}\n{"after": 2}\n' + damaged + '\n{"after": 3}\n')
    with pytest.raises(ValueError, match=r"results\.jsonl, line 3: not JSON"):
        read_records(path)
