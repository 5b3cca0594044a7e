"""What a continual loss asks of the loop around it."""

import copy
import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, split_online_stream
from avalanche.training.plugins import ReplayPlugin
from torch import nn

from avalanche_pnr import (
    ContinualLoss,
    CroMoMixupPlugin,
    LessForgetPlugin,
    LUMPPlugin,
    PNRPlugin,
    SelfSupervisedMethod,
)
from tests.conftest import VIEWS, tiny_moco
from tests.distributed.processes import together
from tests.plugins.conftest import Toy


def an_agent(**options: Any) -> Any:
    """What a loop holds, in its second experience."""
    torch.manual_seed(0)
    agent = SimpleNamespace(model=tiny_moco(**options), loss=ContinualLoss(PNRPlugin()))
    agent.loss.pre_adapt(agent)
    step(agent)
    agent.loss.post_adapt(agent)
    agent.loss.pre_adapt(agent)
    return agent


def step(agent: Any) -> float:
    optimizer = torch.optim.SGD(agent.model.parameters(), lr=0.05)
    optimizer.zero_grad()
    loss = agent.loss(VIEWS)
    loss.backward()
    optimizer.step()
    agent.loss.after_step(0, 3)
    return loss.item()


@pytest.mark.parametrize("plugin", [LUMPPlugin(), CroMoMixupPlugin(), ReplayPlugin(10)])
def test_plugins_that_need_more_are_refused(plugin: Any) -> None:
    with pytest.raises(TypeError, match=f"{type(plugin).__name__} needs more than"):
        ContinualLoss(plugin)


def test_networks_without_a_loss_are_refused() -> None:
    agent = SimpleNamespace(model=nn.Linear(2, 2))
    with pytest.raises(TypeError, match="Linear is not a self-supervised method"):
        ContinualLoss(PNRPlugin()).pre_adapt(agent)


@pytest.mark.parametrize("views", [VIEWS[:, 0], VIEWS[:, :1], list(VIEWS.unbind(1))])
def test_batches_without_stacked_views_are_refused(views: Any) -> None:
    agent = an_agent()
    with pytest.raises(ValueError, match="one tensor of two stacked views"):
        agent.loss(views)
    step(agent)


def test_batches_the_queue_cannot_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="raise queue_length or lower"):
        an_agent(queue_length=5)


def test_each_experience_has_to_begin() -> None:
    with pytest.raises(RuntimeError, match=r"call pre_adapt\(agent\)"):
        ContinualLoss(PNRPlugin())(VIEWS)


def test_each_batch_has_one_step() -> None:
    agent = an_agent()
    with pytest.raises(RuntimeError, match="follows the step of a batch"):
        agent.loss.after_step(0, 3)
    agent.loss(VIEWS)
    with pytest.raises(RuntimeError, match=r"call after_step\(step, total_steps\)"):
        agent.loss(VIEWS)
    agent.loss.after_step(0, 3)
    agent.loss(VIEWS)


def test_the_terms_add_up_to_the_loss() -> None:
    agent = an_agent()
    loss = step(agent)
    terms = agent.loss.loss_terms
    assert terms.keys() == {"loss", "PNRPlugin"}
    assert sum(terms.values()).item() == pytest.approx(loss)
    assert terms["PNRPlugin"] > 0


def test_losses_without_gradient_change_nothing() -> None:
    agent = an_agent()
    before = copy.deepcopy(agent.model.state_dict())
    agent.model.eval()
    with torch.no_grad():
        assert agent.loss(VIEWS) > 0
    assert all(
        torch.equal(value, before[name])
        for name, value in agent.model.state_dict().items()
    )
    agent.model.train()
    assert step(agent) == step(an_agent())


def test_a_pass_that_failed_leaves_no_features_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    troubled, other = an_agent(), an_agent()
    for agent in (troubled, other):
        agent.loss.plugin = LessForgetPlugin()
    with monkeypatch.context() as patch:
        patch.setattr(troubled.model, "projection_dim", 3)
        with pytest.raises(ValueError, match="the projector of MoCoV2Plus returns"):
            troubled.loss(VIEWS)
    assert step(troubled) == step(other)


def test_a_filled_queue_needs_the_strategy() -> None:
    with pytest.raises(ValueError, match=r'MoCoV2Plus asks.*past_queue_start="random"'):
        an_agent(past_queue_start="filled")


def test_a_method_without_a_loss_is_refused_when_training_begins() -> None:
    class Half(Toy):
        pseudo_negative_loss = SelfSupervisedMethod.pseudo_negative_loss

    agent = SimpleNamespace(model=Half())
    with pytest.raises(
        TypeError, match=r"Half does not define pseudo_negative_loss\(predicted, past\)"
    ):
        ContinualLoss(PNRPlugin()).pre_adapt(agent)


def test_the_past_is_taken_where_an_online_experience_ends(
    benchmark_of_digits: CLScenario,
) -> None:
    agent = SimpleNamespace(model=tiny_moco(), loss=ContinualLoss(PNRPlugin()))
    stream = split_online_stream(
        benchmark_of_digits.train_stream[:3], 24, access_task_boundaries=True
    )
    taken, network = [], None
    for part in stream:
        agent.loss.pre_adapt(agent, part)
        step(agent)
        agent.loss.post_adapt(agent, part)
        taken.append(agent.loss.past_model.network is not network)
        network = agent.loss.past_model.network
    assert taken == [False, True] * 3


def test_streams_that_hide_where_experiences_end_are_refused(
    benchmark_of_digits: CLScenario,
) -> None:
    agent = SimpleNamespace(model=tiny_moco(), loss=ContinualLoss(PNRPlugin()))
    part = next(iter(split_online_stream(benchmark_of_digits.train_stream[:1], 24)))
    with pytest.raises(ValueError, match="access_task_boundaries=True"):
        agent.loss.pre_adapt(agent, part)


def test_it_may_be_copied_and_pickled_between_steps() -> None:
    agent = an_agent()
    step(agent)
    others = copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))
    assert [step(other) for other in others] == [step(agent)] * 2


def test_the_page_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "standalone.md").read_text()
    names: dict[str, Any] = {"loaders": [[[VIEWS]] * 2] * 3}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL):
        exec(block, names)
    past = names["continual_loss"].past_model.state_dict()
    assert past.keys() == names["state"]["past"].keys()
    weight = names["agent"].model.backbone[0].weight
    assert torch.equal(past["0.0.weight"], weight)


def _begins() -> str:
    agent = SimpleNamespace(model=tiny_moco())
    try:
        ContinualLoss(PNRPlugin()).pre_adapt(agent)
    except RuntimeError as error:
        return str(error)
    return "begins"


def test_several_processes_are_refused() -> None:
    assert together(1, _begins) == ["begins"]
    for answer in together(2, _begins):
        assert "SelfSupervised" in answer


def test_a_state_between_experiences_is_gone_on_with() -> None:
    agent, other = an_agent(), SimpleNamespace(model=tiny_moco())
    step(agent)
    agent.loss.post_adapt(agent)
    model = copy.deepcopy(agent.model.state_dict())
    past = copy.deepcopy(agent.loss.past_model.state_dict())
    other.loss = ContinualLoss(PNRPlugin())
    other.loss.plugin.add_heads(other.model, among=model)
    other.model.load_state_dict(model)
    other.loss.past_model.load_state_dict(past, other.model)
    losses = []
    for each in (agent, other):
        each.loss.pre_adapt(each)
        losses.append(step(each))
    assert losses[0] == losses[1]
