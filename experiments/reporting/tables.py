"""The tables of a report."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from experiments.reporting.measures import (
    AVERAGE,
    DEFINITIONS,
    DOWNSTREAM,
    FORGETTING,
    IN_THE_END,
    NEVER_SEEN,
    PLASTICITY,
    READINGS,
    Measure,
)
from experiments.reporting.rows import Row
from experiments.reporting.summaries import (
    NOT_MEASURED,
    Difference,
    Summary,
    paired_difference,
)
from experiments.reporting.table import Column, Table, without_empty_lines
from experiments.trials import is_learner

BASELINE = "finetune"

Cell = Callable[[Row, Measure], str]


def tables(rows: Sequence[Row]) -> list[Table]:
    """All tables of a report that have something to show."""
    found = _found(rows)
    trained = [row for row in rows if is_learner(row.name)]
    over_stream = [m for m in found if m.title in DEFINITIONS]
    compared = [m for m in found if m.title in (AVERAGE, FORGETTING)]
    each = [
        _table(
            "Accuracy after the last experience, in percent",
            rows,
            [m for m in found if m.title in READINGS],
            notes=IN_THE_END,
        ),
        _table(
            "Over the stream, in percentage points",
            trained,
            over_stream,
            notes=DEFINITIONS,
        ),
        _table(
            f"Difference from {BASELINE} of the same seed, in percentage points, with "
            "a 95 % confidence interval (Student's t)",
            [row for row in rows if row.name != BASELINE],
            compared,
            difference_to(rows),
        ),
        _table(
            "Accuracy on data sets never seen, in percent",
            rows,
            [m for m in found if m.title.startswith(DOWNSTREAM)],
            notes=NEVER_SEEN,
        ),
    ]
    return [without_empty_lines(table) for table in each if table.columns]


def essential_table(rows: Sequence[Row]) -> Table:
    """The figures that fit into a terminal."""
    found = _found(rows)
    averages = [m for m in found if m.title == AVERAGE]
    compared = [m for m in found if m.title == FORGETTING]
    main = {m.probe for m in compared or averages[:1]}
    others = [m for m in averages if m.probe not in main]
    first = [m for m in averages if m.probe in main]
    last = [m for m in found if m.title in (FORGETTING, PLASTICITY)]
    notes = {**DEFINITIONS, **IN_THE_END}
    table = _table("", rows, [*first, *others[:1], *last], notes=notes)
    gains = _table("", rows, first, difference_to(rows))
    heads = (f"difference from {BASELINE}", ", 95 % interval")
    columns = [Column(heads[0], c.probe + heads[1], c.cells) for c in gains.columns]
    return Table("", table.labels, table.learners, table.columns + columns, table.notes)


def summary(row: Row, measure: Measure) -> str:
    """Mean and deviation over seeds."""
    return str(Summary.of(row.of(measure).values()))


def difference(rows: Sequence[Row], row: Row, measure: Measure) -> Difference | None:
    """The gain over finetuning in the same setting and with the same seeds."""
    same = (each for each in rows if each.name == BASELINE and each is not row)
    baseline = next((each for each in same if each.setting == row.setting), None)
    if baseline is None:
        return None
    return paired_difference(row.of(measure), baseline.of(measure))


def difference_to(rows: Sequence[Row]) -> Cell:
    """Cells with the gain over finetuning."""
    return lambda row, measure: str(difference(rows, row, measure) or NOT_MEASURED)


def _found(rows: Sequence[Row]) -> list[Measure]:
    """Measures that any row has, those of a probe together."""
    found = list(dict.fromkeys(measure for row in rows for measure in row.values))
    probes = list(dict.fromkeys(measure.probe for measure in found))
    titles = [*READINGS, *DEFINITIONS, *(measure.title for measure in found)]
    return sorted(found, key=lambda m: (probes.index(m.probe), titles.index(m.title)))


def _table(
    caption: str,
    rows: Sequence[Row],
    measures: Sequence[Measure],
    cell: Cell = summary,
    notes: Mapping[str, str] = MappingProxyType({}),
) -> Table:
    columns = [
        Column(m.title, m.probe, [cell(row, m) for row in rows]) for m in measures
    ]
    shown = [c for c in columns if set(c.cells) - {NOT_MEASURED}]
    judged = {row.name for row in rows if any(m in row.values for m in measures)}
    noted = {column.title for column in shown} | judged
    return Table(
        caption,
        [row.label for row in rows],
        [is_learner(row.name) for row in rows],
        shown,
        {what: meaning for what, meaning in notes.items() if what in noted},
    )
