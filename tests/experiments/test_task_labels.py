"""Task labels name things in the comparison, and change no number."""

from pathlib import Path

import numpy as np

from tests.experiments.small_runs import finished, save_images


def test_a_run_with_task_labels_has_the_numbers_of_one_without(tmp_path: Path) -> None:
    names = ("pnr", "lump", "joint")
    data = f"data.path={save_images(tmp_path / 'images.npz')}"
    choices = ["data=npz", data, "stream.n_experiences=3"]
    choices.append(f"regularizers=[{','.join(names)}]")
    runs = [
        finished(tmp_path / each, *choices, f"stream.return_task_id={each}")
        for each in ("true", "false")
    ]
    for name in names:
        matrices = [run.matrix(name, "Convex_Acc_Exp") for run in runs]
        assert matrices[0].shape == ((1 if name == "joint" else 3), 3)
        np.testing.assert_array_equal(*matrices)
