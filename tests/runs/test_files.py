"""Files survive what happens to files: each one is whole, and says if it is not."""

import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from avalanche_pnr.runs import files
from avalanche_pnr.runs.files import (
    append,
    load_state,
    previous,
    save_state,
    write_whole,
)


def state(number: int) -> dict[str, Any]:
    return {"number": number, "tensor": torch.full((50,), float(number))}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The second of two states, the first kept beside it."""
    path = tmp_path / "state.pt"
    save_state(path, state(1))
    save_state(path, state(2))
    return path


def test_the_last_state_is_read_and_the_one_before_is_kept(path: Path) -> None:
    assert load_state(path)["number"] == 2
    assert load_state(previous(path))["number"] == 1
    assert sorted(path.parent.iterdir()) == [path, previous(path)]


def test_a_state_is_also_a_file_of_plain_pytorch(path: Path) -> None:
    loaded = torch.load(path, weights_only=True)
    assert torch.equal(loaded["state"]["tensor"], state(2)["tensor"])


def test_nothing_comes_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"state\.pt does not exist"):
        load_state(tmp_path / "state.pt")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_of_a_truncated_state_the_one_before_is_used(kept: float, path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.warns(UserWarning, match=r"state.pt is damaged: using .*previous"):
        assert load_state(path)["number"] == 1


def test_of_a_state_with_any_flipped_bit_the_one_before_is_used(path: Path) -> None:
    content, rng = path.read_bytes(), random.Random(0)
    for position in [0, len(content) - 1, *rng.choices(range(len(content)), k=30)]:
        flipped = bytearray(content)
        flipped[position] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        with pytest.warns(UserWarning, match="is damaged"):
            assert load_state(path)["number"] == 1


def test_of_a_state_that_is_missing_the_one_before_is_used(path: Path) -> None:
    path.unlink()
    with pytest.warns(UserWarning, match="is missing"):
        assert load_state(path)["number"] == 1


def test_two_damaged_states_are_refused_by_name(path: Path) -> None:
    path.write_bytes(b"")
    previous(path).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"state.pt is damaged, and .*previous is dam"):
        load_state(path)


class Malicious:
    """Runs code when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_malicious_state_is_refused_and_executes_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "state.pt", tmp_path / "executed"
    save_state(path, {"harmless": torch.ones(1), "payload": Malicious(target)})
    with pytest.raises(ValueError, match="something else than tensors and plain data"):
        load_state(path)
    assert not target.exists()
    torch.load(path, weights_only=False)
    assert target.exists()  # it would have


def test_a_bare_malicious_pickle_is_refused(tmp_path: Path) -> None:
    path, target = tmp_path / "state.pt", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Malicious(target)))
    with pytest.raises(ValueError, match="is damaged"):
        load_state(path)
    assert not target.exists()


def test_older_states_migrate_or_are_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "VERSION", files.VERSION + 1)
    with pytest.raises(ValueError, match="is of version 1, written by an older"):
        load_state(path)
    upgrade = {files.VERSION - 1: lambda old: {**old, "new": True}}
    monkeypatch.setattr(files, "MIGRATIONS", upgrade)
    assert load_state(path)["new"]


def test_newer_states_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "VERSION", 0)
    with pytest.raises(ValueError, match="is of version 1, written by a newer release"):
        load_state(path)


def test_a_state_that_cannot_be_written_leaves_both_as_they_were(path: Path) -> None:
    before = path.read_bytes(), previous(path).read_bytes()
    with pytest.raises(TypeError):
        save_state(path, {"lock": (each for each in ())})
    assert (path.read_bytes(), previous(path).read_bytes()) == before
    assert len(list(path.parent.iterdir())) == 2


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot be saved as .*nowhere.*state.pt"):
        save_state(tmp_path / "nowhere" / "state.pt", state(1))


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "text"
    write_whole(path, b"first")
    with pytest.raises(TypeError), files.replacing(path) as file:
        file.writelines([b"half of the sec", "ond"])
    assert path.read_bytes() == b"first"
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device is always full")
def test_a_link_in_the_folder_does_not_lead_out_of_it(tmp_path: Path) -> None:
    outside, path = tmp_path / "outside", tmp_path / "run" / "state.pt"
    outside.write_text("kept")
    path.parent.mkdir()
    for name in (".state.pt.part", "state.pt", "state.pt.previous"):
        (path.parent / name).symlink_to(outside)
    for number in range(3):
        save_state(path, {"number": number})
    assert outside.read_text() == "kept"
    assert load_state(path) == {"number": 2}


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    append(path, "first\n")
    append(path, "second\n")
    assert path.read_text() == "first\nsecond\n"
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match=rf"No space left on device: '{full}'"):
        append(full, "third\n")
