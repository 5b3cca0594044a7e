"""A line below the title of each tutorial: the notebook itself, and Colab."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx


def add_line(app: Sphinx, doctree: nodes.document) -> None:
    """Offer a notebook to be downloaded, and opened where the repository is known."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    line = nodes.paragraph(classes=["notebook"])
    line += download_reference(
        "", "Download this notebook", reftarget=path.name, refdoc=app.env.docname
    )
    if repository := app.config.repository:
        address = f"{repository}/blob/main/docs/{app.env.docname}.ipynb"
        line += nodes.Text(" or ")
        line += nodes.reference(
            "",
            "open it in Colab",
            refuri=f"https://colab.research.google.com/github/{address}",
        )
    title = next(doctree.findall(nodes.title))
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("repository", "", "env")
    app.connect("doctree-read", add_line, priority=400)  # before downloads are found
    return {"parallel_read_safe": True, "parallel_write_safe": True}
