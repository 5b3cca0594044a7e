"""Building and checking the objects that a configuration describes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from avalanche.benchmarks import CLScenario
from avalanche.training.determinism.rng_manager import RNGManager
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from avalanche_pnr import DownstreamPlugin, RepresentationPlugin, SemiSupervisedProbe
from avalanche_pnr.benchmarks import ImageData, data_incremental
from avalanche_pnr.benchmarks.reading.array_images import ArrayImages
from avalanche_pnr.benchmarks.reading.checksums import data_checksums
from avalanche_pnr.benchmarks.reading.text_lists import counted
from avalanche_pnr.benchmarks.reading.validation import hold_out_validation
from avalanche_pnr.evaluation import Probe
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.runs.files import file_checksum
from avalanche_pnr.weights import LoadedWeights, load_backbone
from experiments.checks import takes_batches
from experiments.constants import BATCHED, REFERENCES
from experiments.overrides import check_choice

LEAST_BATCH = 2
"""Images that a step of training compares at least."""


def make_data(config: DictConfig) -> ImageData:
    """Load the data set; into memory, on the device, for views of whole batches.

    With ``validation`` its test images are images held out of training.

    Images of different sizes are resized to the size used in evaluation.
    """
    data: ImageData = instantiate(config.data.source)
    if config.validation is not None:
        data = hold_out_validation(data, config.validation)
    if config.views == BATCHED:
        data = data.in_memory(config.device, config.data.eval_view.get("resize"))
    return data


def data_facts(config: DictConfig, data: ImageData) -> dict[str, str]:
    """Compute checksums of all that a run reads: each split, and the ``init`` file."""
    facts = {f"{k} data": each for k, each in data_checksums(data).items()}
    if config.init is not None:
        facts["init"] = file_checksum(Path(config.init))
    return facts


def make_benchmark(config: DictConfig, data: ImageData) -> CLScenario:
    """Make the stream of experiences."""
    return instantiate(config.stream, _partial_=True)(data, **_transforms(config))


def make_backbone(config: DictConfig) -> tuple[nn.Module, LoadedWeights | None]:
    """Make the backbone, and report the weights loaded from ``init``, if given.

    Raises:
        ValueError: If that file is damaged or of another backbone, or ``backbone`` is
            not a network.
    """
    try:
        backbone = instantiate(config.backbone)
    except Exception as error:  # those of others raise what they like
        reason = error.__cause__ or error
        raise ValueError(
            f"{_typed(config.backbone)} cannot be made ({type(reason).__name__}: "
            f"{' '.join(str(reason).split())}): change its arguments, backbone.NAME=..."
        ) from error
    if not isinstance(backbone, nn.Module):
        raise ValueError(
            f"backbone._target_={config.backbone._target_} gives "
            f"{type(backbone).__name__}, which is not a torch.nn.Module"
        )
    if config.init is None:
        return backbone, None
    return backbone, load_backbone(backbone, config.init, config.init_key)


def _typed(backbone: DictConfig) -> str:
    """Settings of the backbone, as they are typed."""
    plain = cast(dict[str, Any], OmegaConf.to_container(backbone, resolve=True))
    return " ".join(f"backbone.{name}={value}" for name, value in plain.items())


def make_method(config: DictConfig) -> SelfSupervisedMethod:
    """Make the method, initialised by the seed, its backbone by ``init`` if given.

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
    """Make the probes, the main one first; ``probes.NAME=null`` leaves one out."""
    named = instantiate(config.probes).values()
    probes = [probe for probe in named if probe is not None]
    return probes + [
        SemiSupervisedProbe(part, seed=config.seed) for part in config.semi_supervised
    ]


def make_downstream(config: DictConfig) -> dict[str, CLScenario]:
    """Load data sets besides that of the stream, each as one experience.

    Their images are resized to those of the stream.

    Raises:
        ValueError: If one is not a data set.
    """
    transforms = _transforms(config, config.data.image_size)
    return {
        str(name): data_incremental(
            _data_set(str(name), source), n_experiences=1, **transforms
        )
        for name, source in (config.downstream or {}).items()
    }


def make_watchers(
    config: DictConfig, benchmark: CLScenario, downstream: dict[str, CLScenario]
) -> list[Any]:
    """Make the plugins that evaluate a strategy's network besides its probes."""
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
    """Warn of probes that the data are too small for."""
    if not len(data.probe_images):
        return  # no image has a label, and there is nothing to fit
    for probe in probes:
        probe.check_images(len(data.probe_images))


def check_references(names: Sequence[str], probes: Sequence[Probe]) -> None:
    """Refuse references that do not exist or that a probe cannot evaluate.

    Raises:
        ValueError: If there is one, with the valid names, or the probe.
    """
    for name in names:
        check_choice("reference", name, REFERENCES)
    for probe in probes:
        if names and not probe.judges_untrained:
            raise ValueError(
                f"{probe} cannot judge networks that are not trained: set references=[]"
            )


def check_sizes(config: DictConfig, experiences: Sequence[Any]) -> None:
    """Refuse experiences that are smaller than a batch, or shorter than a step.

    Raises:
        ValueError: If one is, with the size of the smallest.
    """
    sizes = [len(each.dataset) for each in experiences]
    smallest = min(sizes)
    which = f"the smallest experience, number {sizes.index(smallest) + 1}, has"
    fewer = f", or fewer than stream.n_experiences={len(sizes)}" * (len(sizes) > 1)
    if smallest < min(LEAST_BATCH, config.batch_size):
        raise ValueError(
            f"{which} {counted(smallest, 'image')}, and a step of training compares "
            f"{LEAST_BATCH} at least: add images of its classes{fewer}"
        )
    if smallest < config.batch_size:
        raise ValueError(
            f"{which} {counted(smallest, 'image')}, fewer than one batch of "
            f"batch_size={config.batch_size}: write batch_size={smallest} or less"
            f"{fewer}"
        )
    batches = smallest // config.batch_size * config.epochs
    if batches < config.accumulate:
        raise ValueError(
            f"{which} {counted(batches, 'batch', 'batches')} in "
            f"epochs={config.epochs}, fewer than a step of "
            f"accumulate={config.accumulate}: lower accumulate or batch_size, or raise "
            "epochs"
        )


def resized(config: DictConfig, data: ImageData) -> str | None:
    """Return a sentence if images in memory are resized."""
    images, size = data.train, config.data.image_size
    if not isinstance(images, ArrayImages) or "resize" not in config.data.eval_view:
        return None
    height, width = images.x.shape[1:3]
    if height == width == size:
        return None
    return (
        f"note: images of {height}x{width} px are resized to data.image_size={size}: "
        f"write data.image_size={min(height, width)} to keep theirs"
    )


def _data_set(name: str, source: Any) -> ImageData:
    data = instantiate(source) if OmegaConf.is_dict(source) else source
    if not isinstance(data, ImageData):
        raise ValueError(
            f"downstream: {name} is {source}, which is not a data set: write "
            f"'downstream={{{name}: {{_target_: avalanche_pnr.load_digits}}}}', with "
            "any loader of avalanche_pnr and its arguments"
        )
    return data


def _transforms(config: DictConfig, size: int | None = None) -> dict[str, Any]:
    """Make the transforms of a stream; images are resized if a size is given."""
    resized = {} if size is None else {"resize": size, "crop": size}
    eval_view = {**resized, **config.data.eval_view}
    batched = {"batched": True} if config.views == BATCHED else {}
    at_once = "resize" not in eval_view and takes_batches(eval_view["_target_"])
    return {
        "train_transform": instantiate(config.data.views, **batched),
        "eval_transform": instantiate(eval_view, **(batched if at_once else {})),
    }
