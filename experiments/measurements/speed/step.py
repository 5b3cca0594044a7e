"""A step of each method with PNR, compared with its bare network passes."""

import copy
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.optim import Optimizer

from avalanche_pnr import (
    BYOL,
    LARS,
    BarlowTwins,
    MoCoV2Plus,
    MoCoV3,
    PNRPlugin,
    SimCLR,
    VICReg,
    resnet18,
    resnet_small,
)
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from avalanche_pnr.methods.momentum import MomentumMethod
from avalanche_pnr.plugins import predict_past
from experiments.measurements.speed import straightforward
from experiments.measurements.speed.measure import (
    Setting,
    Work,
    peak_memory,
    ratio,
    seconds,
)
from experiments.measurements.speed.table import Cell, Table

METHODS: dict[str, Callable[..., SelfSupervisedMethod]] = {
    "MoCoV2+": MoCoV2Plus,
    "SimCLR": SimCLR,
    "Barlow Twins": BarlowTwins,
    "BYOL": BYOL,
    "VICReg": VICReg,
}
QUICK_BATCH = 16


def pnr_step(
    method: SelfSupervisedMethod,
    past_model: PastModel,
    optimizer: Optimizer,
    views: Tensor,
    step: int = 0,
    steps: int = 1000,
) -> None:
    """Take one step of PNR, written out."""
    output, past = method(views), past_model(views)
    optimizer.zero_grad()
    loss = method.pnr_ssl_loss(output, past)
    loss = loss + method.pnr_distill_loss(output, predict_past(method, output), past)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    method.enqueue_past(past)
    method.after_step(output.detach(), step, steps)


def network_passes(
    method: SelfSupervisedMethod, past_network: nn.Module, views: Tensor
) -> list[Tensor]:
    """Compute only the network passes that every implementation of PNR needs.

    They are the online networks forward and backward for each view, momentum networks
    forward, and the past network once.

    Returns:
        Outputs of the online networks.
    """
    ends = []
    for view in views.unbind(1):
        z = method.projector(method.backbone(view))
        ends += [z, method.heads["distillation_predictor"](z)]
        if isinstance(method, BYOL | MoCoV3):
            ends.append(method.predictor(z))
        if isinstance(method, MomentumMethod):
            method.momentum_project(view)
    with torch.no_grad():
        past_network(views.flatten(0, 1))
    torch.autograd.backward(ends, [torch.ones_like(end) for end in ends])
    return ends


def straightforward_step(
    method: SelfSupervisedMethod,
    past_model: PastModel,
    optimizer: Optimizer,
    views: Tensor,
) -> None:
    """Take a step without this package's losses, optimizer and moving average."""
    output, past = method(views), past_model(views)
    predicted = predict_past(method, output)
    optimizer.zero_grad()
    if isinstance(method, MoCoV2Plus):
        q, k = (normalize(each, dim=-1) for each in output.chunk(2, dim=-1))
        p, f = normalize(predicted, dim=-1), normalize(past, dim=-1)
        queues = method.queue.keys, method.past_queue.keys
        loss = straightforward.pnr_loss(q, p, k, f, *queues)
        method.queue.enqueue(k)
        method.past_queue.enqueue(f)
    else:
        loss = method.pnr_ssl_loss(output, past)
        loss = loss + method.pnr_distill_loss(output, predicted, past)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    if isinstance(method, MomentumMethod):
        for online, momentum in (
            (method.backbone, method.momentum_backbone),
            (method.projector, method.momentum_projector),
        ):
            straightforward.move_momentum(online, momentum, 0.99)


def measure(setting: Setting) -> Table:
    """Measure steps of five methods, network passes and a rival's steps, in turn."""
    batch = 256 if setting.device.type == "cuda" else 64
    backbone: Callable[[], nn.Module] = resnet18
    length = 65536
    if setting.quick:
        batch, backbone, length = QUICK_BATCH, resnet_small, 4096
    rows = []
    for name, make in METHODS.items():
        torch.manual_seed(0)
        options = {"queue_length": length} if make is MoCoV2Plus else {}
        method = make(backbone(), **options)
        rows.append({"method": name, **_compare(method, batch, setting)})
    return Table(f"PNR's step: {backbone.__name__}, N = {batch}, K = {length}", rows)


def _compare(
    method: SelfSupervisedMethod, batch: int, setting: Setting
) -> dict[str, Cell]:
    views = torch.randn(batch, 2, 3, 32, 32).to(setting.device)
    PNRPlugin().add_heads(method)
    method.to(setting.device)
    past_model = PastModel()
    past_model.snapshot(method)
    past_network = nn.Sequential(method.backbone, method.projector)
    past_network = copy.deepcopy(past_network).eval().requires_grad_(False)
    ours = LARS(method.parameters(), lr=1e-3)
    theirs = straightforward.LARS(method.parameters(), lr=1e-3)

    def work(run: Callable[..., object], *inputs: object) -> Work:
        def from_the_start() -> None:
            past_model.forget_batch()
            run(method, *inputs, views)
            method.zero_grad()

        return from_the_start

    contestants = {
        "step": work(pnr_step, past_model, ours),
        "rival": work(straightforward_step, past_model, theirs),
        "networks": work(network_passes, past_network),
    }
    taken = seconds(contestants, setting)
    memory = {w: peak_memory(run, setting.device) for w, run in contestants.items()}
    return {
        **{
            f"{w} / networks": ratio(taken[w], taken["networks"])
            for w in ("step", "rival")
        },
        "networks (s)": median(taken["networks"]),
        **{f"{w} (MiB)": round(each / 2**20) for w, each in memory.items()},
    }
