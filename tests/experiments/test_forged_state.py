"""A run is not continued with a state that somebody has changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avalanche_pnr.runs.files import load_state, save_state
from tests.experiments.small_runs import prepared, save_images
from tests.experiments.test_continuing import ONE, RUN, stopped
from tests.training.forged import forged


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Folder and arguments of a run that was stopped in the second experience."""
    folder = tmp_path_factory.mktemp("stopped")
    choices = [*RUN, *ONE, f"data.path={save_images(folder / 'images.npz')}"]
    assert stopped(folder / "run", 12, *choices)
    return folder / "run", choices


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a method": (lambda state: forged(state["strategy"], "touch executed"), "unknown"),
    "no strategy": (lambda state: state.update(strategy=[]), "strategy is a list"),
    "no epochs": (lambda state: state.update(epochs="many"), "epochs is 'many'"),
    "more": (lambda state: state.update(command="ls"), "with an unknown 'command'"),
    "no facts": (lambda state: state.update(facts={}), "facts is without 'data'"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_state_is_refused_by_name(
    change: str,
    stopped_run: tuple[Path, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (out, choices), (make, answer) = stopped_run, CHANGES[change]
    path = out / "state.pt"
    content = path.read_bytes()
    state = dict(load_state(path))
    make(state)
    save_state(path, state)
    with pytest.raises(ValueError, match=rf"state\.pt.* {answer}"):
        prepared(out, *choices).run()
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(content)
