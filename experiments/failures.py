"""Errors that say what is wrong with the data or the settings."""

from hydra.errors import InstantiationException

from avalanche_pnr.runs import failures

EXPECTED = (InstantiationException, ValueError, OSError, FloatingPointError)
"""Errors that are reported by one sentence, without a traceback."""


def sentence(error: BaseException) -> str:
    """Return the message of an error without the wrappers added on its way."""
    if isinstance(error, InstantiationException) and error.__cause__:
        error = error.__cause__
    return failures.sentence(error)


def way_on(error: BaseException, continue_with: str) -> str:
    """Return the remedy for an error that ended a run, as the end of a sentence.

    Args:
        error: The error.
        continue_with: The command that continues the run.
    """
    from avalanche_pnr.benchmarks.reading.file_images import UnreadableImageError

    if isinstance(error, UnreadableImageError):
        # Without the image it is another run, which the folder refuses.
        return (
            "; to leave it out, also choose another out=; once it is replaced, "
            f"{continue_with}"
        )
    # Of the machine, or of the settings.
    return f"; {continue_with}" if isinstance(error, OSError) else ""
