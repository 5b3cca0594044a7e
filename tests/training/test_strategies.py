"""Strategies of a plugin's name are that plugin in ``SelfSupervised``."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.checkpointing import maybe_load_checkpoint, save_checkpoint
from avalanche.training.plugins import ReplayPlugin

import avalanche_pnr
from avalanche_pnr import PNR, Finetune, PNRPlugin, SelfSupervised
from avalanche_pnr.plugins import __all__ as plugins
from avalanche_pnr.runs.files import load_state, save_state
from avalanche_pnr.training.strategies import StrategyOptions
from tests.conftest import METHODS
from tests.training.continued import differences, train

AVERAGED: dict[str, Any] = {"past": "ema", "ema_decay": 0.8}

ARGUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNR": ("byol", {"predictor_hidden_dim": 16, "lambda_pnr": 0.5, **AVERAGED}),
    "CaSSLe": ("moco", {"predictor_hidden_dim": 16, **AVERAGED}),
    "PFR": ("simclr", {"lambda_pfr": 2.0, "hidden_dim": 12, **AVERAGED}),
    "LessForget": ("simclr", {"lambda_features": 3.0, **AVERAGED}),
    "EWC": (
        "byol",
        {
            "ewc_lambda": 50.0,
            "mode": "online",
            "decay_factor": 0.9,
            "keep_importance_data": True,
        },
    ),
    "DER": ("simclr", {"lambda_der": 0.5, "mem_size": 20, "batch_size_mem": 8}),
    "LUMP": ("simclr", {"alpha": 0.7, "mem_size": 20}),
    "CroMoMixup": ("byol", {"alpha": 0.7, "mem_size": 20, "batch_size_mem": 8}),
    "Osiris": (
        "simclr",
        {
            "lambda_osiris": 0.2,
            "temperature": 0.3,
            "mem_size": 20,
            "batch_size_mem": 8,
        },
    ),
}
"""Of each strategy a method, and a value of every argument of its own."""

strategies = pytest.mark.parametrize("name", ARGUMENTS)


def strategy_of(name: str) -> type[SelfSupervised]:
    strategy: type[SelfSupervised] = getattr(avalanche_pnr, name)
    return strategy


def plugin_of(name: str) -> Any:
    return getattr(avalanche_pnr, f"{name}Plugin")


def options_of(method: str) -> dict[str, Any]:
    torch.manual_seed(0)
    model = METHODS[method]()
    return {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        "train_mb_size": 16,
        "evaluator": None,
    }


def pair(
    name: str, make_others: Callable[[], list[Any]] = list
) -> tuple[SelfSupervised, SelfSupervised]:
    """The strategy of a name, and the general one with the plugin of that name."""
    method, arguments = ARGUMENTS[name]
    options = options_of(method)
    one = strategy_of(name)(**options, **arguments, plugins=make_others())
    options = options_of(method)
    together = [plugin_of(name)(**arguments), *make_others()]
    return one, SelfSupervised(**options, plugins=together)


def signature(of: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(of).parameters)


@strategies
def test_three_experiences_end_as_with_the_plugin(
    name: str, benchmark_of_digits: CLScenario
) -> None:
    one, other = pair(name)
    for strategy in (one, other):
        train(strategy, benchmark_of_digits.train_stream[:3])
    assert differences(one.state_dict(), other.state_dict()) == []
    plain = Finetune(**options_of(ARGUMENTS[name][0]))
    train(plain, benchmark_of_digits.train_stream[:3])
    weight = "backbone.0.weight"
    assert not torch.equal(
        plain.model.state_dict()[weight], one.model.state_dict()[weight]
    )


@pytest.mark.parametrize("name", ["PNR", "CaSSLe", "LUMP"])
def test_further_plugins_come_on_top(
    name: str, benchmark_of_digits: CLScenario
) -> None:
    one, other = pair(name, lambda: [ReplayPlugin(mem_size=20)])
    for strategy in (one, other):
        train(strategy, benchmark_of_digits.train_stream[:3])
    assert differences(one.state_dict(), other.state_dict()) == []
    (replay,) = (each for each in one.plugins if isinstance(each, ReplayPlugin))
    assert len(replay.storage_policy.buffer) == 20


def test_finetuning_is_the_general_strategy_without_plugins(
    benchmark_of_digits: CLScenario,
) -> None:
    one, other = (each(**options_of("simclr")) for each in (Finetune, SelfSupervised))
    for strategy in (one, other):
        train(strategy, benchmark_of_digits.train_stream[:3])
    assert differences(one.state_dict(), other.state_dict()) == []


@strategies
def test_its_own_arguments_are_those_of_the_plugin(name: str) -> None:
    arguments = ARGUMENTS[name][1]
    shown, base = signature(strategy_of(name)), signature(SelfSupervised)
    own = {key: each for key, each in shown.items() if key not in base}
    expected = signature(plugin_of(name))
    assert list(own) == list(expected) == list(arguments)
    for key, each in own.items():
        assert each.default == expected[key].default, key
    for key, value in arguments.items():
        assert value != expected[key].default, f"{key} is not tried"


@strategies
def test_every_argument_is_shown_and_by_keyword(name: str) -> None:
    shown, base = signature(strategy_of(name)), signature(SelfSupervised)
    assert list(shown)[:2] == ["model", "optimizer"]
    assert all(each.kind is each.KEYWORD_ONLY for each in shown.values())
    assert {key: shown[key] for key in base} == base
    for key in ARGUMENTS[name][1]:
        assert f"    {key}: " in (strategy_of(name).__doc__ or ""), key


def test_type_checkers_know_the_arguments_of_the_general_strategy() -> None:
    hints = get_type_hints(SelfSupervised.__init__)
    assert get_type_hints(StrategyOptions) == {
        key: hint for key, hint in hints.items() if key != "return"
    }
    required = {
        key
        for key, each in signature(SelfSupervised).items()
        if each.default is each.empty
    }
    assert StrategyOptions.__required_keys__ == required


def test_every_continual_method_has_its_strategy() -> None:
    bases = {"Distillation", "Memory", "PastModel", "WarmupCosine"}
    named = {name.removesuffix("Plugin") for name in plugins if name.endswith("Plugin")}
    assert named - bases == set(ARGUMENTS)


def test_an_unknown_argument_is_refused_by_its_name() -> None:
    with pytest.raises(TypeError, match=r"PNR.*lambda_pfr"):
        PNR(**options_of("byol"), lambda_pfr=1.0)  # type: ignore[call-arg]


def test_the_same_plugin_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="PNRPlugin"):
        PNR(**options_of("byol"), plugins=[PNRPlugin()])


@strategies
def test_the_general_strategy_goes_on_from_its_state(
    name: str, benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    stream, file = benchmark_of_digits.train_stream[:3], tmp_path / "state.pt"
    one, other = pair(name)
    train(one, stream[:2])
    save_state(file, one.state_dict())
    other.load_state_dict(load_state(file), stream)
    for strategy in (one, other):
        train(strategy, stream[2:])
    assert differences(one.state_dict(), other.state_dict()) == []


def test_checkpoints_of_avalanche_hold_the_strategy(
    benchmark_of_digits: CLScenario, tmp_path: Path
) -> None:
    stream, file = benchmark_of_digits.train_stream[:3], tmp_path / "checkpoint"
    one, fresh = pair("PNR")[0], pair("PNR")[0]
    train(one, stream[:2])
    save_checkpoint(one, file)
    restored, done = maybe_load_checkpoint(fresh, file)
    assert (type(restored), done) == (PNR, 2)
    for strategy in (one, restored):
        train(strategy, stream[2:])
    assert differences(one.state_dict(), restored.state_dict()) == []


ROOT = Path(avalanche_pnr.__file__).parents[1]
PAGE = (ROOT / "docs" / "strategies.md").read_text()


def test_the_page_lists_every_strategy_with_its_arguments() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    told = {name: (plugin, re.findall(r"`(.*?)`", own)) for name, plugin, own in rows}
    assert told == {
        name: (f"{name}Plugin", [*map(_written, signature(plugin_of(name)).values())])
        for name in ARGUMENTS
    }


def _written(argument: inspect.Parameter) -> str:
    if argument.default is argument.empty:
        return argument.name
    return f"{argument.name}={argument.default!r}"


def test_the_examples_of_the_page_are_the_same() -> None:
    names: dict[str, Any] = {}
    made = []
    for source in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(source, names)
        made.append(names["strategy"])
    assert [type(each) for each in made] == [PNR, SelfSupervised, PNR]
    first, second = (
        [vars(each) for each in strategy.plugins if type(each) is PNRPlugin]
        for strategy in made[:2]
    )
    assert first == second != []
