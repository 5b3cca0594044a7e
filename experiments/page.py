"""Files of a report: pictures, and the page that holds them."""

import base64
import io
from pathlib import Path
from typing import Any

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
    """A PNG as an address that needs no file beside the page."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    return buffer.getvalue()
