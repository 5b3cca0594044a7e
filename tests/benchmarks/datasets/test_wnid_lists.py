import re

import pytest

from avalanche_pnr.benchmarks.datasets.wnid_lists import NAMED, read_class_list


@pytest.mark.parametrize("name", NAMED)
def test_named_lists_have_100_different_wnids(name: str) -> None:
    wnids = read_class_list(name)
    assert len(set(wnids)) == len(wnids) == 100
    assert all(re.fullmatch(r"n\d{8}", wnid) for wnid in wnids)


def test_named_lists_are_those_of_their_sources() -> None:
    cmc, kaggle = map(read_class_list, NAMED)
    assert cmc[:2] + cmc[-1:] == ["n02869837", "n01749939", "n02090622"]
    assert kaggle[:2] + kaggle[-1:] == ["n01968897", "n01770081", "n01514668"]
    assert len(set(cmc) & set(kaggle)) == 8
