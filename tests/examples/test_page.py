"""``docs/examples.md`` lists every example."""

import re

from tests.examples.scripts import EXAMPLES

PAGE = (EXAMPLES.parent / "docs" / "examples.md").read_text()


def test_every_example_is_listed_with_its_command() -> None:
    rows = re.findall(r"^\| \[(\S+)\]\((\S+)\) \|.*\| `(.*)` \|$", PAGE, re.MULTILINE)
    assert {name for name, *_ in rows} == {path.name for path in EXAMPLES.glob("*.*")}
    for name, link, command in rows:
        assert link == f"../examples/{name}"
        assert command.split()[1] == f"examples/{name}"
