"""The API reference: a page for each folder of the package, from its ``__all__``.

Pages are written to ``docs/api/`` before the site is built, so that the reference
follows the package. Names outside it are shown without a link, if they exist.
"""

import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import avalanche_pnr

FOLDER = Path(__file__).parents[1] / "api"


def modules(room: str) -> Iterator[ModuleType]:
    """A folder of the package, or a module beside them, and the folders in it."""
    module = import_module(room)
    yield module
    for each in pkgutil.iter_modules(getattr(module, "__path__", []), f"{room}."):
        if each.ispkg:
            yield from modules(each.name)


def public_names() -> dict[str, list[str]]:
    """Public names of each room in full, as one imports them: the shortest way."""
    top = {name: getattr(avalanche_pnr, name) for name in avalanche_pnr.__all__}
    rooms: dict[str, list[str]] = {}
    for each in pkgutil.iter_modules(avalanche_pnr.__path__, "avalanche_pnr."):
        if each.name.endswith("__main__"):  # importing it would run the command
            continue
        shortest = {
            name: f"avalanche_pnr.{name}"
            for name, value in top.items()
            if f"{value.__module__}.".startswith(f"{each.name}.")
        }
        for module in modules(each.name):
            for name in getattr(module, "__all__", ()):
                shortest.setdefault(name, f"{module.__name__}.{name}")
        if shortest:
            rooms[each.name] = [shortest[k] for k in sorted(shortest, key=str.lower)]
    return rooms


def kind(name: str) -> str:
    """The directive of autodoc for a public name."""
    module, _, attribute = name.rpartition(".")
    value = getattr(import_module(module), attribute)
    if inspect.isclass(value):
        return "autoclass"
    return "autofunction" if inspect.isfunction(value) else "autodata"


def page(room: str, names: list[str]) -> str:
    """A page in reStructuredText: the room's docstring, a table, and each name."""
    title = room.rpartition(".")[2]
    return "\n".join(
        [
            f"{title}\n{'=' * len(title)}\n",
            f".. automodule:: {room}\n   :no-members:\n",
            ".. py:currentmodule:: None\n",
            ".. autosummary::\n   :nosignatures:\n",
            *(f"   ~{name}" for name in names),
            *(f"\n.. {kind(name)}:: {name}" for name in names),
            "",
        ]
    )


def write_pages(app: Sphinx) -> None:
    """Write the pages that changed, and remove those of rooms that are gone."""
    pages = {
        f"{room.rpartition('.')[2]}.rst": page(room, names)
        for room, names in public_names().items()
    }
    for path in FOLDER.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def escape_bars(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Docstrings write |x| for a norm, which reStructuredText would look up."""
    for number, line in enumerate(lines):
        pieces = re.split(r"(``.+?``)", line)
        pieces[::2] = [piece.replace("|", r"\|") for piece in pieces[::2]]
        lines[number] = "".join(pieces)


def exists(name: str) -> bool:
    """Whether a name can be imported, is an attribute of what can, or of a module."""
    module, _, attribute = name.rpartition(".")
    if not module:
        package = [each for each in sys.modules if each.startswith("avalanche_pnr")]
        return any(hasattr(sys.modules[each], attribute) for each in package)
    try:
        import_module(name)
        return True
    except ImportError:
        pass
    try:
        return hasattr(import_module(module), attribute)
    except ImportError:
        return False


def show_without_link(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.TextElement
) -> nodes.TextElement | None:
    """Show a name that is not on the site as text; one that does not exist warns.

    Of a type such as ``A | Callable[[], B]`` or ``Literal["a", "b"]`` Sphinx takes
    pieces for names.
    """
    target = node["reftarget"]
    is_name = target.replace(".", "").isidentifier()
    is_piece = node["reftype"] in ("class", "obj") and "[" in target
    known = exists(target) if is_name else is_piece
    return text if known else None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("missing-reference", show_without_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
