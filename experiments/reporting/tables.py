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
from experiments.seed_results import is_learner

BASELINE = "finetune"

Cell = Callable[[Row, Measure], str]


def tables(rows: Sequence[Row]) -> list[Table]:
    """All tables of a report that have something to show."""
    found = _found(rows)
    trained = [row for row in rows if is_learner(row.name)]
    over_stream = [m for m in found if m.title in DEFINITIONS]
    compared = [m for m in found if m.title in (AVERAGE, FORGETTING)]
    last = _compared_with_all(rows)
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
            difference_cells(rows, to=BASELINE),
        ),
        _table(
            f"Difference of {last} from each other of the same seed, in percentage "
            "points, with a 95 % confidence interval (Student's t)",
            [row for row in trained if row.name != last],
            compared if last else [],
            difference_cells(rows, of=last),
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
    further = [m for m in found if m.title in (FORGETTING, PLASTICITY)]
    notes = {**DEFINITIONS, **IN_THE_END}
    table = _table("", rows, [*first, *others[:1], *further], notes=notes)
    last = _compared_with_all(rows)
    from_baseline = _table("", rows, first, difference_cells(rows, to=BASELINE))
    gains = [
        Column(
            f"difference from {BASELINE}", f"{each.probe}, 95 % interval", each.cells
        )
        for each in from_baseline.columns
    ]
    if last:
        beside = _table("", rows, first, difference_cells(rows, of=last))
        heads = f"{last} minus this", "95 % interval"
        gains += [Column(*heads, each.cells) for each in beside.columns]
    return Table("", table.labels, table.learners, table.columns + gains, table.notes)


def summary(row: Row, measure: Measure) -> str:
    """Mean and deviation over seeds."""
    return str(Summary.of(row.of(measure).values()))


def difference(
    rows: Sequence[Row], row: Row, measure: Measure, of: str = "", to: str = ""
) -> Difference | None:
    """Difference of two rows in the same setting and with the same seeds.

    Args:
        rows: All rows.
        row: A row of the setting.
        measure: The figure that is compared.
        of: Name of the row that is compared; by default ``row``.
        to: Name of the row that it is compared with; by default ``row``.

    Returns:
        Their difference; None for a row and itself, and with fewer than two seeds.
    """
    ours, theirs = (_beside(rows, row, name or row.name) for name in (of, to))
    if ours is None or theirs is None or ours is theirs:
        return None
    return paired_difference(ours.of(measure), theirs.of(measure))


def difference_cells(rows: Sequence[Row], of: str = "", to: str = "") -> Cell:
    """Cells with differences; see :func:`difference`."""
    return lambda row, measure: str(
        difference(rows, row, measure, of, to) or NOT_MEASURED
    )


def _beside(rows: Sequence[Row], row: Row, name: str) -> Row | None:
    """The row of a name in the same setting."""
    if row.name == name:
        return row
    same = (each for each in rows if each.name == name)
    return next((each for each in same if each.setting == row.setting), None)


def _compared_with_all(rows: Sequence[Row]) -> str:
    """The last regularizer, where there are others than the baseline."""
    learners = dict.fromkeys(row.name for row in rows if is_learner(row.name))
    others = [name for name in learners if name != BASELINE]
    return others[-1] if len(others) > 1 else ""


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
