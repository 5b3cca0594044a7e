import pytest

from tests.started import HEAVY, answer


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "usage: avalanche-pnr COMMAND"),
        (["learn", "--help"], "usage: avalanche-pnr learn"),
        (["--version"], "avalanche-pnr "),
        (["lern"], "did you mean learn?"),
        (["learn", "epochs=many"], "epochs=many is not a whole number"),
    ],
)
def test_what_needs_no_networks_imports_none(arguments: list[str], text: str) -> None:
    found = answer("avalanche_pnr", *arguments)
    assert text in found.text
    assert not HEAVY & found.packages
    assert len(found.modules) < 200
