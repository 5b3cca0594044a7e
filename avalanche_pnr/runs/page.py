"""Files of a report: pictures, and the page that holds them."""

import base64
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure


def page(template: Path, **content: Any) -> str:
    """Fill a template; text in it is escaped."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template.name).render(**content)


def inline(picture: bytes) -> str:
    """Encode a PNG as a data URL, so that the page needs no other file."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


@contextmanager
def names_as_text() -> Iterator[None]:
    """Show dollars in pictures as dollars, and characters the font lacks as boxes."""
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def png(figure: Figure) -> bytes:
    """Render a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    return buffer.getvalue()
