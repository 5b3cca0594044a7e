"""The documentation site: it builds without a warning, and needs no other site."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import avalanche_pnr

pytestmark = pytest.mark.slow
pytest.importorskip("myst_nb", reason="pip install '.[docs]'")
pytest.importorskip("furo", reason="pip install '.[docs]'")
pytest.importorskip("sphinx_copybutton", reason="pip install '.[docs]'")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


class Page(HTMLParser):
    """What a page of the site links to, loads, and can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") not in {"canonical", "next", "prev"}:
            self.loads.append(found["href"])
        if tag in {"script", "img", "source", "iframe", "video"} and "src" in found:
            self.loads.append(found["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ["-q", "-n", "-W", "--keep-going", "-d", folder / "doctrees"]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, DOCS, folder / "html"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GITHUB_REPOSITORY": ""},
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_source_has_a_page(pages: dict[Path, Page], site: Path) -> None:
    sources = [*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb")]
    names = {path.relative_to(DOCS).with_suffix(".html") for path in sources}
    missing = names - {path.relative_to(site) for path in pages}
    assert missing == {Path("upstream/README.html")}  # part of contributions.html


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    for path, page in pages.items():
        for address in page.loads:
            parts = urlsplit(address)
            assert not parts.netloc, f"{path.name} loads {address}"
            if parts.scheme != "data":
                assert (path.parent / unquote(parts.path)).exists(), address
    for path in site.rglob("*.css"):
        assert not re.search(
            r"(url\(|@import)[ '\"]*(https?:)?//", path.read_text(encoding="utf-8")
        )


def test_links_lead_to_pages_and_headings(pages: dict[Path, Page]) -> None:
    known = {path.resolve(): page.ids for path, page in pages.items()}
    broken = defaultdict(set)
    for path, page in pages.items():
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            ids = known.get(target.resolve(), set())
            if not target.is_file() or (parts.fragment and parts.fragment not in ids):
                broken[path.name].add(address)
    assert not broken


def test_every_public_name_is_described(pages: dict[Path, Page], site: Path) -> None:
    described = {name for path in (site / "api").iterdir() for name in pages[path].ids}
    public = {f"avalanche_pnr.{name}" for name in avalanche_pnr.__all__}
    assert public <= described
    assert {"avalanche_pnr.losses.info_nce", "avalanche_pnr.evaluation.forgetting"} <= (
        described
    )


def test_the_search_knows_names_and_words(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {"tutorials/1_forgetting", "evaluation", "api/plugins"} <= {
        *index["docnames"]
    }
    assert "pseudo" in index["terms"]
    names = {entry[4] for entries in index["objects"].values() for entry in entries}
    assert "PNRPlugin" in names


def test_tutorials_show_their_pictures(pages: dict[Path, Page], site: Path) -> None:
    for path in DOCS.glob("tutorials/*.ipynb"):
        page = pages[site / "tutorials" / f"{path.stem}.html"]
        shown = [each for each in page.loads if each.endswith(".png")]
        drawn = path.read_text(encoding="utf-8").count('"image/png"')
        assert len(shown) >= drawn > 0
        assert any(each.endswith(path.name) for each in page.links)
