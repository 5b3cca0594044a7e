"""Every option of ``data=`` composes, and what it names is there."""

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from PIL import Image

import experiments.__main__  # noqa: F401  (registers the resolvers)
from experiments.overrides import CONF
from tests.benchmarks.pictures import save

OPTIONS = sorted(file.stem for file in (CONF / "data").glob("*.yaml"))
LIST = "{_target_: avalanche_pnr.load_digits}"
NEEDED = {
    "npz": ["data.path=x"],
    "folders": ["data.path=x"],
    "huggingface": ["data.path=x"],
    "unlabelled": ["data.path=x"],
    "webdataset": ["data.path=x"],
    "imagenet": ["data.path=x"],
    "imagenet100": ["data.path=x", "data.classes=cmc"],
    "tiny_imagenet": ["data.path=x"],
    "domainnet": ["data.path=x"],
    "pacs": ["data.path=x"],
}
ONE_SIZE = {"cifar10": 32, "cifar100": 32, "digits": 8, "fashion_mnist": 28}
ONE_SIZE |= {"mnist": 28, "npz": 32, "stl10": 96, "svhn": 32, "tiny_imagenet": 64}


def composed(option: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", [f"data={option}", *overrides])


@pytest.mark.parametrize("option", OPTIONS)
def test_options_compose_and_their_loaders_are_there(option: str) -> None:
    config = composed(option, *NEEDED.get(option, []))
    OmegaConf.resolve(config)
    assert config.data.name == option
    assert callable(get_object(config.data.source["_target_"]))
    assert not OmegaConf.missing_keys(config)


@pytest.mark.parametrize("option", OPTIONS)
def test_what_options_need_is_mandatory(option: str) -> None:
    needed = {each.split("=")[0].split(".")[1] for each in NEEDED.get(option, [])}
    data = composed(option).data
    assert {key for key in data if OmegaConf.is_missing(data, key)} == needed


@pytest.mark.parametrize("option", OPTIONS)
def test_views_and_the_plain_view_are_of_the_same_size(option: str) -> None:
    config = composed(option, *NEEDED.get(option, []))
    size = config.data.image_size
    side = ONE_SIZE.get(option, size + 50)
    assert side >= size
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    image = Image.fromarray(noise)
    views = instantiate(config.data.views)(image)
    plain = instantiate(config.data.eval_view)(image)
    assert views.shape == (2, 3, size, size)
    assert plain.shape == (3, size, size)


@pytest.mark.parametrize("option", ["mnist", "svhn", "digits"])
def test_digits_are_not_mirrored(option: str) -> None:
    data = composed(option).data
    assert data.views.get("flip", data.views.get("first", {}).get("hf_prob")) == 0


@pytest.mark.parametrize("option", ["cifar10", "mnist", "svhn", "stl10"])
def test_absent_data_says_how_to_get_it(option: str, tmp_path: Path) -> None:
    config = composed(option, f"data.path={tmp_path}")
    with pytest.raises(Exception, match=r"data\.download=true") as error:
        instantiate(config.data.source)
    assert isinstance(error.value.__cause__, FileNotFoundError)


def test_folders_are_read_as_configured(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / "ink" / "abc"[number % 3] / f"{number}.png", number)
    config = composed(
        "folders",
        f"data.path={tmp_path}",
        "data.layout=domain/class",
        "data.test_fraction=0.25",
    )
    data = instantiate(config.data.source)
    assert data.domain_names == ("ink",)
    assert (len(data.train), len(data.test)) == (9, 3)


def test_unlabelled_images_take_a_labelled_set(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / f"{number}" / "image.png", number)
    labelled = "data.labelled={_target_: avalanche_pnr.load_digits, seed: 3}"
    config = composed("unlabelled", f"data.path={tmp_path}", labelled)
    data = instantiate(config.data.source)
    assert data.train.targets == [-1] * 5
    assert len(data.probe_images) == 1347
    assert data.class_names == tuple("0123456789")


def test_what_a_labelled_set_lacks_is_named(tmp_path: Path) -> None:
    save(tmp_path / "image.png", 1)
    labelled = "data.labelled={_target_: avalanche_pnr.load_npz, path: nowhere.npz}"
    config = composed("unlabelled", f"data.path={tmp_path}", labelled)
    with pytest.raises(Exception, match=r"nowhere\.npz does not exist") as error:
        instantiate(config.data.source)
    assert isinstance(error.value.__cause__, FileNotFoundError)
