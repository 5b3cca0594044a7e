"""The documentation site: ``python -m sphinx -W -n docs build/site``."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from avalanche_pnr import __version__

project = "avalanche_pnr"
author = copyright = "The avalanche_pnr authors"  # noqa: A001
release = version = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "api_pages",
    "diagrams",
    "repository_links",
    "tutorials",
]
exclude_patterns = ["_ext", "upstream/README.md"]

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autosummary_generate = False
maximum_signature_line_length = 72
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

# Tutorials are executed when they are written: ``jupyter execute --inplace``.
nb_execution_mode = "off"
nb_merge_streams = True
nb_output_stderr = "remove"

html_theme = "furo"
html_title = "avalanche_pnr"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# GitHub sets it where the site is published.
repository = os.environ.get("GITHUB_REPOSITORY", "")
if repository:
    html_theme_options = {
        "source_repository": f"https://github.com/{repository}/",
        "source_branch": "main",
        "source_directory": "docs/",
    }
