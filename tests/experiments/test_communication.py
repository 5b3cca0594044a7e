"""What processes send is what the formula says, on real steps."""

import sys

import pytest
import torch

from avalanche_pnr import LARS, PNRPlugin, SimCLR
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from experiments.measurements.communication import estimate as estimates
from experiments.measurements.communication.__main__ import main
from experiments.measurements.communication.network import machines
from experiments.measurements.communication.operations import operations
from experiments.measurements.communication.steps import (
    interface_bytes,
    measured,
    written_bytes,
)
from experiments.measurements.communication.traffic import Traffic, traffic
from experiments.measurements.speed import step
from tests.conftest import METHODS, tiny_backbone
from tests.distributed.processes import together

BATCH = 192
NARROW = {"moco": {"queue_length": BATCH}, "byol": {"predictor_hidden_dim": 16}}


def wide(name: str) -> SelfSupervisedMethod:
    """A method whose outputs are a large part of what is sent."""
    torch.manual_seed(0)
    sizes = {"hidden_dim": 16, "projection_dim": 256, **NARROW.get(name, {})}
    return type(METHODS[name]())(tiny_backbone(), **sizes)


def counted(processes: int) -> dict[str, tuple[float, Traffic]]:
    found = {}
    for name in METHODS:
        method = wide(name)
        sent = measured(method, BATCH, 2, written_bytes, 16).sent
        found[name] = sent, traffic(method, BATCH, processes)
    return found


needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="bytes are those that Linux counts"
)


@pytest.mark.slow
@needs_linux
@pytest.mark.parametrize("processes", [2, 3])
def test_real_steps_send_what_the_formula_says(processes: int) -> None:
    for found in together(processes, counted, processes):
        for name, (sent, expected) in found.items():
            assert sent == pytest.approx(expected.total, rel=0.01), name
            assert min(expected[:3]) > 0.05 * expected.total, name  # missed if left out


@pytest.mark.parametrize("name", METHODS)
def test_operations_are_those_of_a_step(name: str) -> None:
    method, past_model = METHODS[name](), PastModel()
    PNRPlugin(predictor_hidden_dim=16).add_heads(method)
    past_model.snapshot(method)
    views = torch.randn(8, 2, 3, 32, 32)
    optimizer = LARS(method.parameters(), lr=0.1)
    with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
        step.pnr_step(method, past_model, optimizer, views)
    assert sum(operations(method, 8, 1)) == counter.get_total_flops()
    alone, shared = operations(method, 8, 1), operations(method, 8, 2)
    assert shared.networks * 2 == alone.networks
    assert shared.losses == alone.losses > 0


def test_an_estimate_says_so_and_is_of_what_it_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(estimates, "METHODS", {"SimCLR": SimCLR})
    monkeypatch.setattr(estimates, "IMAGES", 3_600_000)
    main(["estimate", "--epochs", "2", "--cluster", "4", "2", "60", "25"])
    title, head, row = capsys.readouterr().out.splitlines()
    assert title.startswith("ESTIMATE")
    assert "hours" in head
    rate, hours = map(float, row.split()[-2:])
    assert hours == pytest.approx(2 * 3_600_000 / rate / 3600, rel=1e-2)


def test_of_one_process_there_is_nothing_to_count() -> None:
    with pytest.raises(SystemExit, match="one process sends nothing"):
        main(["steps"])


def test_where_namespaces_are_not_permitted_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="network namespaces are not permitted here"):
        main(["network"])
    with pytest.raises(PermissionError, match="as root, with iproute2"), machines(2):
        pass


@needs_linux
def test_the_bytes_of_an_interface_are_read() -> None:
    assert interface_bytes("lo") >= 0
    with pytest.raises(KeyError, match="nowhere"):
        interface_bytes("nowhere")
