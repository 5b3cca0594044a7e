"""Training works: the features of a short run beat those of the random backbone."""

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

import experiments.__main__  # noqa: F401  (registers the resolvers)
from avalanche_pnr import (
    CaSSLePlugin,
    LinearProbe,
    PNRPlugin,
    SelfSupervised,
    WarmupCosinePlugin,
)
from avalanche_pnr.evaluation import probe_accuracy
from experiments.builders import make_benchmark, make_method
from experiments.overrides import CONF

IMAGES = Path(__file__).parents[3] / "shared" / "data" / "cifar100_mini.npz"


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES.is_file(), reason="needs CIFAR-100 images")
@pytest.mark.parametrize(
    ("method", "plugins"),
    [("mocov2plus", []), ("simclr", [PNRPlugin]), ("vicreg", [CaSSLePlugin])],
)
def test_features_beat_the_random_backbone(
    method: str, plugins: list[type[PNRPlugin]]
) -> None:
    choices = ["data=npz", f"data.path={IMAGES}", f"method={method}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [*choices, "stream.n_experiences=3"])
    benchmark = make_benchmark(config, instantiate(config.data.source))
    model = make_method(config)
    streams = benchmark.train_stream, benchmark.test_stream

    def linear_accuracy() -> float:
        accuracies = probe_accuracy(model, *streams, [LinearProbe([0.03], epochs=30)])
        return float(np.mean(accuracies["linear"]))

    random = linear_accuracy()
    strategy = SelfSupervised(
        model=model,
        optimizer=instantiate(config.optimizer)(model.parameters()),
        train_mb_size=64,
        train_epochs=6,
        plugins=[
            *(plugin(predictor_hidden_dim=512) for plugin in plugins),
            WarmupCosinePlugin(warmup_epochs=0),
        ],
        evaluator=None,
    )
    for experience in benchmark.train_stream:
        strategy.train(experience)
    assert linear_accuracy() > random + 0.02
