"""Pages from elsewhere in the repository, and links to them.

``README.md``, ``CONTRIBUTING.md`` and ``CHANGELOG.md`` lie beside ``docs/``, where
GitHub looks for them. A page of the site includes each by a line of its own,

    <!-- include README.md from "## Install" to "## Further" -->

and links, which lead from file to file in the repository, lead from page to page here.
Files that are no page, such as scripts, are offered as downloads.
"""

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PAGES = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "CONTRIBUTING.md": DOCS / "contributing.md",
    ROOT / "CHANGELOG.md": DOCS / "changelog.md",
    DOCS / "upstream" / "README.md": DOCS / "contributions.md",
}
INCLUDE = re.compile(
    r'^<!-- include (?P<file>\S+)(?: from "(?P<start>.+?)")?(?: to "(?P<end>.+?)")?'
    r" -->$",
    re.MULTILINE,
)
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")


def relinked(text: str, origin: Path, page: Path) -> str:
    """A text whose links, relative to ``origin``, are made relative to ``page``."""

    def move(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(origin / link["path"]))
        moved = Path(os.path.relpath(PAGES.get(target, target), page)).as_posix()
        return moved + (link["anchor"] or "")

    return LINK.sub(move, text)


def included(match: re.Match[str]) -> str:
    """The part of a file of the repository that an ``include`` line asks for."""
    text = (ROOT / match["file"]).read_text(encoding="utf-8")
    start = text.index(match["start"]) if match["start"] else 0
    end = text.index(match["end"], start) if match["end"] else len(text)
    return relinked(text[start:end], (ROOT / match["file"]).parent, DOCS)


def read_source(app: Sphinx, name: str, source: list[str]) -> None:
    """Include and relink the pages written in Markdown."""
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md":
        source[0] = relinked(source[0], path.parent, path.parent)
        source[0] = INCLUDE.sub(included, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
