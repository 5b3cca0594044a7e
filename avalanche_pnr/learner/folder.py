"""The folder of a learner; an experience enters it as a whole.

::

    birds/
      learner.json         settings, and the format's version
      experiences/000/     the backbone before learning
      experiences/001/     experience.json, learned.npy, state.pt, backbone.safetensors
      current/             an experience in progress: plan.json, learned.npy, state.pt
      judged/              tables of ``judge``
      status.json          progress, for other programs
"""

import io
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from avalanche_pnr.learner.digests import Digests
from avalanche_pnr.learner.options import Settings, Training
from avalanche_pnr.learner.planning import Plan
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

OF_A_NEW_LEARNER = ("learner.json", "status.json", "experiences", "current")
"""What a learner holds before anything that it learned is saved."""


class LearnerFolder:
    """Reads and writes a learner's files; each is whole or absent.

    Args:
        path: The folder, existing or not.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()

    @property
    def exists(self) -> bool:
        """True if there is a learner in the folder."""
        return (self.path / "learner.json").is_file()

    @property
    def current(self) -> Path:
        """Folder of the experience that is being learned."""
        return self.path / "current"

    @contextmanager
    def present(self) -> Iterator[None]:
        """Make the folder and those above it, for a block.

        Those that were made are removed again if the block fails and leaves them empty.
        """
        made = [each for each in (self.path, *self.path.parents) if not each.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            yield
        except BaseException:
            if made and os.name == "nt":  # whose file of a lock outlasts the lock
                with suppress(OSError):
                    (self.path / f".{LOCK}").unlink()
            for each in made:
                with suppress(OSError):  # it is not empty
                    each.rmdir()
            raise

    @contextmanager
    def unless_refused(self) -> Iterator[None]:
        """Leave nothing of an experience if a block fails before any of it is saved.

        The learner goes with it if the block made it, so that the next call can choose
        its settings anew. The block has the folder for itself.
        """
        is_new, before = self._is_new(), len(self.experiences())
        try:
            yield
        except BaseException:
            if len(self.experiences()) == before and self.plan() is None:
                self.leave_current()
                if is_new:
                    self._unmake()
            raise

    def _unmake(self) -> None:
        """Remove a learner that has learned nothing; what others put there stays."""
        for name in OF_A_NEW_LEARNER:
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def make(
        self,
        settings: Settings,
        options: dict[str, Any],
        write_backbone: Callable[[Path], None],
    ) -> None:
        """Make a new learner.

        Args:
            settings: Its settings.
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
        """Return whether all that is there, ``make`` writes before ``learner.json``."""
        of_make = {"experiences", LOCK, f".{LOCK}", ".learner.json.part"}
        there = {each.name for each in self.path.iterdir()}
        experiences = {each.name for each in self.path.glob("experiences/*")}
        return there <= of_make and experiences <= {"000"}

    def settings(self) -> Settings:
        """Read the learner's settings.

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
        """Read the arguments of backbone and method, ``{"backbone.width": 32}``."""
        options: dict[str, Any] = self._description().get("options", {})
        return options

    def experiences(self) -> list[dict[str, Any]]:
        """Read the facts about each experience that was learned, in order."""
        folders = sorted(self.path.glob("experiences/[0-9]*"))
        return [read_json(f / "experience.json") for f in folders if f.name != "000"]

    def last_training(self) -> Training:
        """Read the options of the last experience; the defaults if there is none."""
        experiences = self.experiences()
        return Training(**experiences[-1]["training"]) if experiences else Training()

    def write_status(self, state: str, reason: str = "") -> None:
        """Tell other programs what is going on.

        Args:
            state: ``idle`` or ``stopped``; while it learns, the progress says more.
            reason: Why it stopped, in words.
        """
        content = {"state": state, "experiences": len(self.experiences())}
        if reason:
            content["reason"] = reason
        write_json(self.path / "status.json", content)

    def experience(self, number: int) -> Path:
        """Return the folder of an experience, 0 for before the first."""
        return self.path / "experiences" / f"{number:03d}"

    def learned(self) -> list[Digests]:
        """Read the digests of the images of each experience, (N, 16)."""
        numbers = range(1, len(self.experiences()) + 1)
        return [np.load(self.experience(k) / "learned.npy") for k in numbers]

    def state(self, number: int) -> dict[str, Any]:
        """Read the state that an experience ended with.

        Raises:
            FileNotFoundError: If it is not kept.
        """
        return load_state(self.experience(number) / "state.pt")

    def keeps_backbone(self, number: int) -> bool:
        """Return whether the backbone after an experience is there."""
        return number >= 0 and (self.experience(number) / BACKBONE).is_file()

    def backbone(self, number: int) -> Path:
        """Return the weights file of the backbone after an experience.

        Args:
            number: Of the experience; 0 for before the first.

        Raises:
            FileNotFoundError: If they are not there.
        """
        if self.keeps_backbone(number):
            return self.experience(number) / BACKBONE
        last = len(self.experiences())
        raise FileNotFoundError(
            f"there is no backbone after experience {number}: "
            + (
                "it was not kept (keep=last)"
                if 0 <= number <= last
                else f"choose one of 0 to {last}, which the learner has learned"
            )
        )

    def add(
        self,
        plan: Plan,
        outcome: dict[str, Any],
        digests: Digests,
        state: dict[str, Any],
        write_backbone: Callable[[Path], None],
    ) -> None:
        """Add an experience that was learned, as a whole or not at all.

        It stays in ``current`` as well, until the call that learned it has ended.

        Args:
            plan: Of the experience.
            outcome: Further facts about it.
            digests: Digests of its images.
            state: State that the next one goes on from.
            write_backbone: Writes the weights of its backbone.
        """
        folder = self.experience(plan.number)
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write_json(part / "experience.json", {**plan.as_dict(), **outcome})
        write_array(part / "learned.npy", digests)
        save_state(part / "state.pt", state)
        write_backbone(part / BACKBONE)
        os.replace(part, folder)
        sync_folder(folder.parent)
        if plan.training.keep == "last":
            for number in range(1, plan.number - 1):
                for name in ("state.pt", BACKBONE):
                    (self.experience(number) / name).unlink(missing_ok=True)

    def add_judged(self, name: str, content: dict[str, Any]) -> None:
        """Add what was judged.

        Args:
            name: Of the labelled images.
            content: Plain data; the time is added.
        """
        folder = self.path / "judged"
        folder.mkdir(exist_ok=True)
        when = datetime.now(UTC).isoformat(timespec="seconds")
        safe = re.sub(r"[^\w.-]", "_", f"{when}_{name}")
        write_json(folder / f"{safe}.json", {**content, "when": when})

    def plan(self) -> Plan | None:
        """Return the plan of the experience in progress, if any of it was saved."""
        return self.begun() if is_saved(self.current / "state.pt") else None

    def begun(self) -> Plan | None:
        """Return the plan of the experience in progress, saved or not."""
        plan = self._current_plan()
        has_begun = plan is not None and plan.number > len(self.experiences())
        return plan if has_begun else None

    def entered(self) -> Plan | None:
        """Return the plan of an experience that entered as its call was ended.

        :meth:`leave_current` ends that call.
        """
        plan = self._current_plan()
        has_ended = plan is not None and plan.number <= len(self.experiences())
        return plan if has_ended else None

    def _current_plan(self) -> Plan | None:
        path = self.current / "plan.json"
        if not path.is_file():
            return None
        try:
            return Plan.from_dict(read_json(path))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}): remove it") from error

    def planned(self) -> Digests:
        """Read the digests of the images of the experience in progress, in order."""
        digests: Digests = np.load(self.current / "learned.npy")
        return digests

    def begin(self, plan: Plan, digests: Digests) -> None:
        """Note which experience is about to be learned.

        Args:
            plan: Of the experience.
            digests: Digests of its images, in order.
        """
        self.leave_current()
        self.current.mkdir()
        write_array(self.current / "learned.npy", digests)
        self.change_plan(plan)

    def change_plan(self, plan: Plan) -> None:
        """Replace the plan of the experience in progress."""
        write_json(self.current / "plan.json", plan.as_dict())

    def leave_current(self) -> None:
        """Forget the experience in progress."""
        (self.current / "plan.json").unlink(missing_ok=True)
        shutil.rmtree(self.current, ignore_errors=True)

    def _description(self) -> dict[str, Any]:
        path = self.path / "learner.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"learner={self.path} holds no learner: make one with avalanche-pnr "
                f"learn data=... {shlex.quote(f'learner={self.path}')}"
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
        """Return the number of the last experience.

        Raises:
            ValueError: If there is none.
        """
        if last := len(self.experiences()):
            return last
        raise ValueError(f"learner={self.path} has learned nothing yet")


def is_saved(state: Path) -> bool:
    """Return whether a state, or the one before it, is there."""
    return state.exists() or previous(state).exists()


def write_json(path: Path, content: Any) -> None:
    """Write plain data as JSON, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read an object that was written as JSON.

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
