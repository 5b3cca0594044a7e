"""What the comparisons of views and of precision compare; no time is asserted."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from torch.utils.data import default_collate

from avalanche_pnr import class_incremental
from avalanche_pnr.benchmarks import ImageData
from experiments.measurements.speed import precision, views, waits
from experiments.measurements.speed.measure import Setting
from experiments.measurements.speed.pipelines import configuration, pipelines
from experiments.measurements.speed.views import photographs

pytest.importorskip("kornia")

QUICK = Setting(torch.device("cpu"), quick=True, rounds=1)


@pytest.mark.parametrize("recipe", ["cifar100/mocov2plus", "cifar100/vicreg"])
def test_three_pipelines_draw_the_same_recipe(recipe: str) -> None:
    data = configuration(f"+recipe={recipe}").data
    held = photographs(200, 32)
    images = [held[index][0] for index in range(200)]
    drawn = {
        name: default_collate([*map(transform, images)])
        for name, transform in pipelines(data).items()
    }
    expected = drawn.pop("per image")
    assert set(drawn) == {"batched", "kornia"}
    for found in drawn.values():
        assert found.shape == expected.shape == (200, 2, 3, 32, 32)
        for view in (0, 1):
            a, b = found[:, view], expected[:, view]
            torch.testing.assert_close(a.mean(), b.mean(), rtol=0, atol=0.15)
            torch.testing.assert_close(a.std(), b.std(), rtol=0.08, atol=0)


def test_waits_are_counted_from_the_second_batch_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    #          first batch ends at 9; next at 10, 22; they end at 20, 32
    moments = iter([9.0, 10.0, 20.0, 22.0, 32.0])
    clock = SimpleNamespace(perf_counter=lambda: next(moments))
    monkeypatch.setattr(waits, "time", clock)
    config = configuration("method=mocov2plus", "data=cifar100")
    images = photographs(12, 32)
    stream = class_incremental(
        ImageData.from_images("photographs", images, images),
        n_experiences=1,
        train_transform=pipelines(config.data)["per image"],
        eval_transform=instantiate(config.data.eval_view),
    ).train_stream
    strategy = waits._strategy(config, 4, torch.device("cpu"))
    strategy.train(stream[0])
    assert (strategy.waited, strategy.total) == ([3.0], [23.0])


def test_processes_are_tried_where_they_reach_the_images() -> None:
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert waits._workers("batched", cpu) == (0, 1)
    assert waits._workers("batched", cuda) == (0,)
    assert waits._workers("per image", cuda) == (0, 8)


@pytest.mark.slow
def test_tables_name_what_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "BATCH", {"cpu": 4})
    monkeypatch.setitem(views.RECIPES, "CIFAR-100", ("cifar100/mocov2plus", 32, 8))

    def column(table: Any, name: str) -> list[Any]:
        return [row[name] for row in table.rows]

    found = waits.measure(QUICK)
    assert [0 < share.median < 1 for share in column(found, "waits")] == [True] * 5
    assert column(found, "views")[0] == "per image, workers=0"
    assert column(views.measure(QUICK), "recipe") == ["CIFAR-100"]
    found = precision.measure(QUICK)
    plain, laid_out, bf16, stacked = column(found, "outputs differ by")
    assert plain == 0
    assert laid_out < 1e-4
    assert 1e-4 < bf16 < 0.1
    assert stacked > 1e-3  # BatchNorm saw both views
