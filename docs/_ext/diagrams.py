"""Mermaid's ``graph RL`` as a picture in the page, which no script has to draw.

GitHub draws the same block by itself. Lines ``a --> b & c`` are understood, which is
what ``docs/architecture.md`` uses. Layers are the lengths of the longest paths; an
arrow across layers gets a place in each of them, and the order within a layer brings
neighbours together (Sugiyama, Tagawa and Toda 1981).
"""

import re
from itertools import pairwise
from statistics import mean
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDTH, HEIGHT = 100, 30
"""Of a box, in pixels."""

COLUMN, ROW = 158, 36
"""Distances of the boxes' centres; an arrow that passes takes a row as well."""

Place = tuple[str, ...]
"""A node ``(name,)``, or the passage ``(source, target, layer)`` of an arrow."""


def arrows(lines: list[str]) -> list[tuple[str, str]]:
    """The pairs (source, target) of the lines ``a --> b & c``."""
    arrow = re.compile(r"\s*(\w+) --> (\w+(?: & \w+)*)\s*")
    found = [match for each in lines if (match := arrow.fullmatch(each))]
    return [(each[1], target) for each in found for target in each[2].split(" & ")]


def layers_of(pairs: list[tuple[str, str]]) -> dict[str, int]:
    """The layer of each node: one above the highest that it points at."""
    targets: dict[str, list[str]] = {name: [] for pair in pairs for name in pair}
    for source, target in pairs:
        targets[source].append(target)

    def layer(name: str) -> int:
        return max((layer(each) + 1 for each in targets[name]), default=0)

    return {name: layer(name) for name in targets}


def route(source: str, target: str, layer: dict[str, int]) -> list[Place]:
    """The places of an arrow, from its source through the layers to its target."""
    between = range(layer[source] - 1, layer[target], -1)
    return [(source,), *((source, target, str(each)) for each in between), (target,)]


def ordered(routes: list[list[Place]], layer: dict[str, int]) -> list[list[Place]]:
    """The places of each layer, from top to bottom."""
    columns: list[list[Place]] = [[] for _ in range(max(layer.values()) + 1)]
    neighbours: dict[Place, set[Place]] = {}
    for places in routes:
        for one, other in pairwise(places):
            neighbours.setdefault(one, set()).add(other)
            neighbours.setdefault(other, set()).add(one)
    for place in neighbours:
        columns[int(place[2]) if len(place) > 1 else layer[place[0]]].append(place)
    for _ in range(8):
        for column in (*columns, *reversed(columns)):
            height = {
                place: index - (len(each) - 1) / 2
                for each in columns
                for index, place in enumerate(each)
            }
            column.sort(key=lambda p: mean(height[n] for n in neighbours[p]))
    return columns


def draw(lines: list[str]) -> str:
    """The graph as SVG, in the colours of the page."""
    pairs = arrows(lines)
    layer = layers_of(pairs)
    routes = [route(*pair, layer) for pair in pairs]
    columns = ordered(routes, layer)
    tall = max(map(len, columns)) * ROW
    at = {
        place: (
            number * COLUMN + WIDTH / 2 + 1,
            tall / 2 + (index - (len(column) - 1) / 2) * ROW,
        )
        for number, column in enumerate(columns)
        for index, place in enumerate(column)
    }
    parts = []
    for places in routes:
        x, y = at[places[0]]
        path = f"M{x - WIDTH / 2:g} {y:g}"
        for place in places[1:]:
            # Arrive at the right of the column, and pass it in a straight line.
            left, (x, y) = x - WIDTH / 2, at[place]
            right = x + WIDTH / 2 + (6 if place == places[-1] else 0)
            middle = (left + right) / 2
            old = path.rsplit(maxsplit=1)[-1]
            path += f" C{middle:g} {old} {middle:g} {y:g} {right:g} {y:g}"
            if place != places[-1]:
                path += f" L{x - WIDTH / 2:g} {y:g}"
        parts.append(f'<path d="{path}" marker-end="url(#tip)"/>')
    for name in layer:
        x, y = at[(name,)]
        parts.append(
            f'<rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="5"/><text x="{x:g}" y="{y + 5:g}">{name}</text>'
        )
    wide = (len(columns) - 1) * COLUMN + WIDTH + 2
    label = "; ".join(f"{source} imports {target}" for source, target in pairs)
    return (
        f'<div class="diagram"><svg viewBox="0 0 {wide} {tall}" width="{wide}" '
        f'role="img" aria-label="{label}"><defs><marker id="tip" viewBox="0 0 8 8" '
        'refX="2" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z"/></marker></defs>{"".join(parts)}</svg></div>'
    )


class Mermaid(SphinxDirective):
    """A block of Mermaid."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw it."""
        return [nodes.raw("", draw(list(self.content)), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
