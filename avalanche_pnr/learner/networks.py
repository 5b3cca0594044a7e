"""The networks of a learner: settings that they are built from, and backbones."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from avalanche_pnr.learner.builders import (
    check_choices,
    is_imported,
    make_backbone,
    make_method,
    options_of,
)
from avalanche_pnr.learner.folder import LearnerFolder
from avalanche_pnr.learner.options import Settings, Training, differences
from avalanche_pnr.weights import export_backbone, load_backbone


class LearnerNetworks:
    """Builds the networks of a learner from its settings, which never change.

    Args:
        folder: Of the learner, existing or not.
        given: Settings by name, and arguments of backbone and method as
            ``{"backbone.width": 32}``.

    Raises:
        TypeError: If a setting is of another type.
        ValueError: If it is out of bounds, or the learner exists and has others.
    """

    def __init__(self, folder: LearnerFolder, given: dict[str, Any]) -> None:
        self.folder = folder
        self.given = given
        self._settings = {
            # A path is kept as text.
            name: os.fspath(value) if isinstance(value, os.PathLike) else value
            for name, value in given.items()
            if "." not in name
        }
        self._arguments = {k: v for k, v in given.items() if "." in k}
        Settings(**self._settings)  # refused here, and not first when it learns
        if folder.exists:
            self.settings()

    def settings(self) -> Settings:
        """Read the learner's settings.

        Raises:
            FileNotFoundError: If there is no learner.
            ValueError: If those that were given differ.
        """
        stored, arguments = self.folder.settings(), self.folder.options()
        changed = differences(stored, replace(stored, **self._settings))
        changed += [
            f"{k}={v} (it has {k}={arguments.get(k, 'its default')})"
            for k, v in self._arguments.items()
            if arguments.get(k) != v
        ]
        if changed:
            raise ValueError(
                f"learner={self.folder.path} cannot change {', '.join(changed)}: make "
                "another learner, in a new folder"
            )
        return stored

    def check(self, training: Training) -> None:
        """Refuse names of options that do not exist, before anything is made.

        Args:
            training: Options of the next experience.

        Raises:
            ValueError: With the nearest name.
        """
        made = self.folder.exists
        check_choices(self.settings() if made else Settings(**self._settings), training)

    def make(self) -> list[str]:
        """Make the learner.

        Returns:
            Lines that say what was made.

        Raises:
            FileExistsError: If the folder holds other things.
            OSError: If ``init`` cannot be read.
            ValueError: If the network cannot be made, or ``init`` does not fit it.
        """
        settings, said = Settings(**self._settings), []

        def load(backbone: nn.Module) -> None:
            if settings.init is not None:
                path = Path(settings.init).expanduser()
                found = load_backbone(backbone, path, settings.init_key)
                said.append(f"init: {found}")

        method = make_method(settings, self._arguments, load)
        self.folder.make(settings, self._arguments, partial(export_backbone, method))
        said.append(
            f"made {self.folder.path}: {settings.method} on {settings.backbone}, "
            f"{settings.image_size} px"
        )
        return said

    def trusted(self) -> tuple[Settings, dict[str, Any]]:
        """Read settings and arguments that networks are built from.

        A folder may come from anyone, so it does not choose what is imported and
        called: a function named in it must also be named by the caller.

        Raises:
            ValueError: If the backbone is a function that only the folder names.
        """
        settings = self.settings()
        name = settings.backbone
        if is_imported(name) and self._settings.get("backbone") != name:
            raise ValueError(
                f"learner={self.folder.path} was made with backbone={name}, a function "
                f"that is called to open it: if you trust it, write backbone={name} too"
            )
        return settings, self.folder.options()

    def backbone(self, number: int) -> nn.Module:
        """Load the backbone after an experience, in eval mode.

        Args:
            number: Of the experience; 0 for before the first.

        Raises:
            FileNotFoundError: If it is not there.
        """
        path = self.folder.backbone(number)
        backbone = self.random_backbone()
        load_backbone(backbone, path)
        return backbone.eval()

    def random_backbone(self) -> nn.Module:
        """Make a backbone with random weights, those of the seed, in eval mode."""
        settings, arguments = self.trusted()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            return make_backbone(settings, options_of("backbone", arguments)).eval()

    def backbones(self) -> Iterator[tuple[str, nn.Module]]:
        """Load all that can be judged, one after the other, each with its name."""
        yield "random backbone", self.random_backbone()
        if self.settings().init is not None:
            yield "before learning", self.backbone(0)
        for number in range(1, len(self.folder.experiences()) + 1):
            if self.folder.keeps_backbone(number):
                yield f"after experience {number}", self.backbone(number)
