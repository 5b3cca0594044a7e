"""Descriptions of a learner, its experiences, sizes and times for people."""

from typing import Any

from avalanche_pnr.benchmarks.reading.text_lists import counted

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def describe(name: str, info: dict[str, Any]) -> str:
    """Describe a learner in some lines.

    Args:
        name: Of the learner.
        info: As :meth:`Learner.info` has it.
    """
    settings = {k: v for k, v in info["settings"].items() if v is not None}
    kept = [
        f"  {kind}: {each['images']:,} images, {file_size(each['bytes'])}"
        for kind, each in info["kept images"].items()
    ]
    return "\n".join(
        [
            name,
            f"  {', '.join(f'{k}={v}' for k, v in settings.items())}",
            "",
            *(_experience(each) for each in info["experiences"]),
            *([] if info["experiences"] else ["It has learned nothing yet."]),
            *_in_progress(info["in progress"]),
            "",
            "Images that it keeps (forget_images=true removes them)",
            *kept,
        ]
    )


def _experience(experience: dict[str, Any]) -> str:
    training = experience["training"]
    return (
        f"experience {experience['number']}: {experience['images']:,} images of "
        f"{experience['data']}\n"
        f"  {_day(experience['begun'])} to {_day(experience['ended'])}, "
        f"{counted(experience['epochs'], 'epoch')}, "
        f"{counted(experience['steps'], 'step')} of "
        f"{experience['batch_size']} images, regularizer={training['regularizer']}, "
        f"torch {experience['torch']}"
    )


def _in_progress(plan: dict[str, Any] | None) -> list[str]:
    if plan is None:
        return []
    return [
        f"experience {plan['number']}: in progress since {_day(plan['begun'])}, "
        f"{plan['images']:,} images of {plan['data']}"
    ]


def _day(time: str) -> str:
    """Shorten a time in ISO format to date and minute, UTC."""
    return time[:16].replace("T", " ")


def file_size(size: float) -> str:
    """Format a number of bytes with its unit."""
    power = 0
    while size >= 1000 and power < len(UNITS) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.3g} {UNITS[power]}"


def duration(seconds: float) -> str:
    """Format seconds with a unit that fits."""
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} seconds"
