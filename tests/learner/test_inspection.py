"""Images that cannot be read are named before anything is learned."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avalanche_pnr import Learner
from avalanche_pnr.benchmarks.reading.file_images import UnreadableImageError
from avalanche_pnr.learner.command import main
from avalanche_pnr.learner.experience_trainer import ExperienceTrainer
from avalanche_pnr.learner.images import find_images
from avalanche_pnr.learner.inspection import readable
from tests.learner.conftest import SETTINGS, TRAINING, command

Make = Callable[..., Learner]


def damage(folder: Path) -> list[Path]:
    """Put files of each kind that cannot be read beside those that can."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    whole = {}
    for suffix in ("jpg", "png"):
        Image.fromarray(noise).save(folder / f"whole.{suffix}")
        whole[suffix] = (folder / f"whole.{suffix}").read_bytes()
    flipped = bytearray(whole["png"])
    flipped[len(flipped) // 2] ^= 255  # its checksum is another now
    content = {
        "cut.jpg": whole["jpg"][:-400],
        "flipped.png": bytes(flipped),
        "empty.jpg": b"",
        "nothing.png": b"",
        "text.jpg": b"Dear diary",
    }
    for name, each in content.items():
        (folder / name).write_bytes(each)
    return [folder / name for name in content]


def test_all_that_cannot_be_read_is_named_at_once_by_kind(
    photos: list[Path], tmp_path: Path
) -> None:
    damage(photos[0])
    arguments = {"data": photos[0], "learner": tmp_path / "birds"}
    with pytest.raises(SystemExit) as stop:
        main(["learn", *command({**arguments, **SETTINGS, **TRAINING})])
    said = str(stop.value.code).replace(f"{photos[0]}/", "")
    assert "5 of 47 images cannot be read: " in said
    assert "2 damaged (cut.jpg, flipped.png)" in said
    assert "2 empty (empty.jpg, nothing.png)" in said
    assert "1 not recognised as images (text.jpg)" in said
    assert "skip_damaged=true" in said
    assert not (tmp_path / "birds").exists()


def test_they_are_left_out_on_request_also_by_a_dry_run(
    make_learner: Make, photos: list[Path]
) -> None:
    learner, damaged = make_learner(), damage(photos[0])
    for dry in (True, False):
        experience = learner.learn(photos[0], skip_damaged=True, dry=dry, **TRAINING)
        assert experience["images"] == 42
        assert sorted(experience["damaged"]) == sorted(map(str, damaged))
    with pytest.raises(ValueError, match="all 42 images were learned before"):
        learner.learn(photos[0], skip_damaged=True)


def test_files_that_have_gone_or_may_not_be_read_are_named(photos: list[Path]) -> None:
    arrivals = find_images(photos[0])
    gone, folder = (Path(arrivals.names[k]) for k in (3, 5))
    gone.unlink()
    folder.unlink()
    folder.mkdir()  # the superuser, too, cannot read it as a file
    with pytest.raises(UnreadableImageError) as error:
        readable(arrivals, [], skip_damaged=False)
    assert "2 of 40 images cannot be read: " in str(error.value)
    assert f"1 gone ({gone})" in str(error.value)
    assert f"1 unreadable: Is a directory ({folder})" in str(error.value)


def test_files_that_may_not_be_read_are_named_so(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = find_images(photos[0])

    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Image, "open", refused)
    with pytest.raises(UnreadableImageError, match="40 without permission to read"):
        readable(arrivals, [], skip_damaged=False)


def test_too_little_memory_is_no_damage(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str) -> None:
        raise MemoryError

    arrivals = find_images(photos[0])
    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError):
        readable(arrivals, [], skip_damaged=True)


def test_a_file_that_could_not_be_opened_once_is_not_taken_for_an_empty_one(
    make_learner: Make, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, read = make_learner(), Path.read_bytes
    missed = set(sorted(photos[0].rglob("*.png"))[:3])

    def stale(self: Path) -> bytes:
        if self in missed:
            missed.remove(self)
            raise OSError(116, "Stale file handle")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", stale)
    with pytest.raises(UnreadableImageError, match="3 not readable at first"):
        learner.learn(photos[0], **TRAINING)
    assert learner.learn(photos[0], **TRAINING)["images"] == 40


def test_an_interrupted_experience_goes_on_beside_a_new_file_that_is_damaged(
    make_learner: Make, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, save = make_learner(), ExperienceTrainer._save
    options = {**TRAINING, "save_every_minutes": 0.0}

    def save_and_stop(self: ExperienceTrainer, strategy: object) -> None:
        save(self, strategy)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping:
        stopping.setattr(ExperienceTrainer, "_save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            learner.learn(photos[0], **options)
    (photos[0] / "cut.png").write_bytes(b"no image")
    assert learner.learn(photos[0], **options)["images"] == 40


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_goes_meanwhile_stops_with_the_reason_and_what_to_do(
    workers: int,
    make_learner: Make,
    photos: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learner, save = make_learner(), ExperienceTrainer._save
    learner.learn(photos[0], **TRAINING)
    gone = sorted(photos[1].rglob("*.png"))[-1]
    content = gone.read_bytes()

    def save_and_lose(self: ExperienceTrainer, strategy: object) -> None:
        save(self, strategy)  # type: ignore[arg-type]
        gone.unlink(missing_ok=True)

    options = {"epochs": 4, "save_every_minutes": 0.0, "workers": workers}
    with monkeypatch.context() as losing:
        losing.setattr(ExperienceTrainer, "_save", save_and_lose)
        message = re.escape(str(gone)) + ".*Once it is as it was the same command"
        with pytest.raises(UnreadableImageError, match=message) as error:
            learner.learn(photos[1], **options)
    assert "skip_damaged" not in str(error.value)  # it would change the images
    status = json.loads((learner.folder.path / "status.json").read_text())
    assert status["state"] == "stopped"
    assert str(gone) in status["reason"]
    gone.write_bytes(content)
    assert learner.learn(photos[1], **options)["images"] == 40
