import pytest

from tests.started import HEAVY, answer


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--help"], "powered by Hydra"),
        (["--cfg", "job"], "batch_size"),
        (["epochz=3"], "did you mean epochs"),
    ],
)
def test_what_needs_no_networks_imports_none(arguments: list[str], text: str) -> None:
    found = answer("experiments", *arguments)
    assert text in found.text
    assert not HEAVY & found.packages
    assert len(found.modules) < 700
