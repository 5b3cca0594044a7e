"""The folder of a learner: what lies in it, and how an experience enters it as a whole.

::

    birds/
      learner.json         settings, and the format's version
      experiences/000/     the backbone before learning
      experiences/001/     experience.json, learned.npy, state.pt, backbone.safetensors
      current/             an experience in progress: plan.json, learned.npy, state.pt
      judged/              what ``judge`` has found
      status.json          what is going on, for other programs
"""

import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from avalanche_pnr.learner.images import Digests
from avalanche_pnr.learner.options import Settings
from avalanche_pnr.runs.files import (
    load_state,
    previous,
    save_state,
    sync_folder,
    write_whole,
)
from avalanche_pnr.runs.lock import LOCK

FORMAT = 1
"""Version of the folder's format."""

BACKBONE = "backbone.safetensors"


class LearnerFolder:
    """Reads and writes a learner's files; each is whole or absent.

    Args:
        path: The folder, existing or not.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()

    @property
    def exists(self) -> bool:
        """Whether there is a learner in the folder."""
        return (self.path / "learner.json").is_file()

    @property
    def current(self) -> Path:
        """Folder of the experience that is being learned."""
        return self.path / "current"

    def make(
        self,
        settings: Settings,
        options: dict[str, Any],
        write_backbone: Callable[[Path], None],
    ) -> None:
        """Make a new learner.

        Args:
            settings: What it is.
            options: Arguments of backbone and method.
            write_backbone: Writes the weights that it begins with.

        Raises:
            FileExistsError: If the folder holds other things.
        """
        if self.path.is_dir() and not self._is_new():
            raise FileExistsError(
                f"learner={self.path} is not empty and holds no learner: name a new "
                "folder"
            )
        begin = self.experience(0)
        begin.mkdir(parents=True, exist_ok=True)
        write_backbone(begin / BACKBONE)
        content = {"format": FORMAT, "settings": asdict(settings), "options": options}
        write_json(self.path / "learner.json", content)

    def _is_new(self) -> bool:
        """Whether there is nothing but what ``make`` writes before ``learner.json``."""
        of_make = {"experiences", LOCK, f".{LOCK}", ".learner.json.part"}
        there = {each.name for each in self.path.iterdir()}
        experiences = {each.name for each in self.path.glob("experiences/*")}
        return there <= of_make and experiences <= {"000"}

    def settings(self) -> Settings:
        """What the learner is.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is of another version, or damaged.
        """
        try:
            return Settings(**self._description()["settings"])
        except (KeyError, TypeError) as error:
            path = self.path / "learner.json"
            raise ValueError(f"{path} is damaged ({error}): restore it") from error

    def options(self) -> dict[str, Any]:
        """Arguments of backbone and method, as ``{"backbone.width": 32}``."""
        options: dict[str, Any] = self._description().get("options", {})
        return options

    def experiences(self) -> list[dict[str, Any]]:
        """What is known of each experience that has been learned, in order."""
        folders = sorted(self.path.glob("experiences/[0-9]*"))
        return [read_json(f / "experience.json") for f in folders if f.name != "000"]

    def experience(self, number: int) -> Path:
        """Folder of an experience, 0 for what was before the first."""
        return self.path / "experiences" / f"{number:03d}"

    def learned(self) -> list[Digests]:
        """Digests of the images of each experience, (N, 16)."""
        numbers = range(1, len(self.experiences()) + 1)
        return [np.load(self.experience(k) / "learned.npy") for k in numbers]

    def state(self, number: int) -> dict[str, Any]:
        """The state that an experience ended with.

        Raises:
            FileNotFoundError: If it is not kept.
        """
        return load_state(self.experience(number) / "state.pt")

    def backbone(self, number: int) -> Path:
        """Weights of the backbone after an experience; 0 for before the first.

        Raises:
            FileNotFoundError: If they are not there.
        """
        path = self.experience(number) / BACKBONE
        if path.is_file():
            return path
        last = len(self.experiences())
        raise FileNotFoundError(
            f"there is no backbone after experience {number}: "
            + (
                f"the learner has learned {last} experiences"
                if number > last
                else "it was not kept (keep=last)"
            )
        )

    def add(
        self,
        experience: dict[str, Any],
        learned: Digests,
        state: dict[str, Any],
        write_backbone: Callable[[Path], None],
    ) -> None:
        """Let an experience that has been learned enter as a whole.

        It stays in ``current`` as well, until the call that learned it has ended.

        Args:
            experience: What is known of it; its ``"number"`` counts from 1.
            learned: Digests of its images.
            state: What the next one needs.
            write_backbone: Writes its weights.
        """
        folder = self.experience(experience["number"])
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write_json(part / "experience.json", experience)
        write_array(part / "learned.npy", learned)
        save_state(part / "state.pt", state)
        write_backbone(part / BACKBONE)
        os.replace(part, folder)
        sync_folder(folder.parent)
        if experience["training"]["keep"] == "last":
            for number in range(1, experience["number"] - 1):
                for name in ("state.pt", BACKBONE):
                    (self.experience(number) / name).unlink(missing_ok=True)

    def plan(self) -> dict[str, Any] | None:
        """What is known of the experience in progress, if any of it has been saved."""
        plan = self._current_plan()
        has_begun = plan is not None and plan["number"] > len(self.experiences())
        return plan if has_begun and is_saved(self.current / "state.pt") else None

    def entered(self) -> dict[str, Any] | None:
        """The plan of an experience that entered as the call that learned it ended.

        The call is to be ended, by :meth:`leave_current`.
        """
        plan = self._current_plan()
        has_ended = plan is not None and plan["number"] <= len(self.experiences())
        return plan if has_ended else None

    def _current_plan(self) -> dict[str, Any] | None:
        path = self.current / "plan.json"
        return read_json(path) if path.is_file() else None

    def begin(self, plan: dict[str, Any], learned: Digests) -> None:
        """Note what is about to be learned."""
        self.leave_current()
        self.current.mkdir()
        write_array(self.current / "learned.npy", learned)
        write_json(self.current / "plan.json", plan)

    def leave_current(self) -> None:
        """Forget the experience in progress."""
        (self.current / "plan.json").unlink(missing_ok=True)
        shutil.rmtree(self.current, ignore_errors=True)

    def _description(self) -> dict[str, Any]:
        path = self.path / "learner.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"learner={self.path} holds no learner: make one with avalanche-pnr "
                f"learn data=... learner={self.path}"
            )
        content = read_json(path)
        if content.get("format") != FORMAT:
            raise ValueError(
                f"{path} is of format {content.get('format')}, and this release reads "
                f"format {FORMAT}: use the release that wrote it"
            )
        return content

    def undo(self) -> int:
        """Remove the last experience.

        Returns:
            Its number.

        Raises:
            ValueError: If there is none, or the state before it was not kept.
        """
        last = self.last()
        if last > 1 and not (self.experience(last - 1) / "state.pt").is_file():
            raise ValueError(
                f"the state after experience {last - 1} was not kept (keep=last): one "
                "experience can be undone, no more"
            )
        self.leave_current()
        folder = self.experience(last)
        gone = folder.with_name(f".{folder.name}.undone")
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(folder, gone)
        shutil.rmtree(gone)
        return last

    def last(self) -> int:
        """Number of the last experience.

        Raises:
            ValueError: If there is none.
        """
        if last := len(self.experiences()):
            return last
        raise ValueError(f"learner={self.path} has learned nothing yet")


def is_saved(state: Path) -> bool:
    """Whether a state, or the one before it, is there."""
    return state.exists() or previous(state).exists()


def write_json(path: Path, content: Any) -> None:
    """Write plain data as JSON, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """An object that was written as JSON.

    Raises:
        ValueError: If the file is damaged, with its name.
    """
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): restore it") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged (not an object): restore it")
    return content


def write_array(path: Path, array: Digests) -> None:
    """Write an array, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_whole(path, buffer.getvalue())
