"""What a configuration describes, made and checked."""

from collections.abc import Sequence
from typing import Any

from avalanche.benchmarks import CLScenario
from avalanche.training.determinism.rng_manager import RNGManager
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from avalanche_pnr import DownstreamPlugin, RepresentationPlugin, SemiSupervisedProbe
from avalanche_pnr.benchmarks import ImageData, data_incremental
from avalanche_pnr.evaluation import Probe
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.weights import LoadedWeights, load_backbone
from experiments.names import BATCHED, REFERENCES
from experiments.overrides import check_choice


def make_data(config: DictConfig) -> ImageData:
    """The data set; in memory, on the device, where views are made of whole batches.

    Images of different sizes get the one that they are judged at.
    """
    data: ImageData = instantiate(config.data.source)
    if config.views == BATCHED:
        data = data.in_memory(config.device, config.data.plain_view.get("resize"))
    return data


def make_benchmark(config: DictConfig, data: ImageData) -> CLScenario:
    """The stream of experiences."""
    return instantiate(config.stream, _partial_=True)(data, **_transforms(config))


def make_backbone(config: DictConfig) -> tuple[nn.Module, LoadedWeights | None]:
    """The backbone, and what it took from the file of ``init`` if that is given.

    Raises:
        ValueError: If that file is damaged, or of another backbone.
    """
    backbone: nn.Module = instantiate(config.backbone)
    if config.init is None:
        return backbone, None
    return backbone, load_backbone(backbone, config.init, config.init_key)


def make_method(config: DictConfig) -> SelfSupervisedMethod:
    """The method, initialised by the seed, its backbone by ``init`` if that is given.

    Raises:
        ValueError: If that file is damaged, or of another backbone.
    """
    RNGManager.set_random_seeds(config.seed)
    size = config.data.image_size
    backbone, _ = make_backbone(config)
    method: SelfSupervisedMethod = instantiate(
        config.method, backbone, image_shape=(3, size, size)
    )
    method.stack_views = config.stack_views
    return method


def make_probes(config: DictConfig) -> list[Probe]:
    """The probes, the main one first."""
    probes = list(instantiate(config.probes).values())
    return probes + [
        SemiSupervisedProbe(part, seed=config.seed) for part in config.semi_supervised
    ]


def make_downstream(config: DictConfig) -> dict[str, CLScenario]:
    """Data sets besides that of the stream, each as one experience.

    Their images are resized to those of the stream.

    Raises:
        ValueError: If something else is given.
    """
    transforms = _transforms(config, config.data.image_size)
    return {
        str(name): data_incremental(
            _data_set(str(name), source), experiences=1, **transforms
        )
        for name, source in (config.downstream or {}).items()
    }


def make_watchers(
    config: DictConfig, benchmark: CLScenario, downstream: dict[str, CLScenario]
) -> list[Any]:
    """Plugins that judge a strategy's network besides its probes."""
    return [
        RepresentationPlugin(
            benchmark.train_stream, images=config.representation_images
        ),
        *(
            DownstreamPlugin(name, other.probe_stream, other.test_stream)
            for name, other in downstream.items()
        ),
    ]


def check_probes(probes: Sequence[Probe], data: ImageData) -> None:
    """Refuse probes that the data is too small for.

    Raises:
        ValueError: With the number of images.
    """
    for probe in probes:
        probe.check_images(len(data.probe_images))


def check_references(names: Sequence[str], probes: Sequence[Probe]) -> None:
    """Refuse references that do not exist or that a probe cannot judge.

    Raises:
        ValueError: With the valid names, or the probe.
    """
    for name in names:
        check_choice("reference", name, REFERENCES)
    for probe in probes:
        if names and not probe.judges_untrained:
            raise ValueError(
                f"{probe} cannot judge networks that are not trained: set references=[]"
            )


def check_sizes(experiences: Sequence[Any], batch_size: int) -> None:
    """Refuse experiences that are smaller than a batch.

    Raises:
        ValueError: With the size of the smallest.
    """
    smallest = min(len(each.dataset) for each in experiences)
    if smallest < batch_size:
        raise ValueError(
            f"the smallest experience has {smallest} images, less than one batch of "
            f"{batch_size}: lower batch_size, or make fewer experiences"
        )


def _data_set(name: str, source: Any) -> ImageData:
    data = instantiate(source) if OmegaConf.is_dict(source) else source
    if not isinstance(data, ImageData):
        raise ValueError(
            f"downstream: {name} is {source}, which is no data set: write "
            f"'downstream={{{name}: {{_target_: avalanche_pnr.load_digits}}}}', with "
            "any loader of avalanche_pnr and its arguments"
        )
    return data


def _transforms(config: DictConfig, size: int | None = None) -> dict[str, Any]:
    """Transforms of a stream; images are resized where a size is given."""
    resized = {} if size is None else {"resize": size, "crop": size}
    batched = {"batched": True} if config.views == BATCHED else {}
    return {
        "train_transform": instantiate(config.data.views, **batched),
        "eval_transform": instantiate({**resized, **config.data.plain_view}),
    }
