"""Whatever stands on the command line: a run, or a sentence."""

from hypothesis import example, given
from hypothesis import strategies as st

from experiments.overrides import check_overrides

NAMES = [
    "seed",
    "method",
    "data",
    "data.path",
    "regularizers",
    "stream.n_experiences",
    "method.lambda_pnr",
    "+recipe",
    "hydra.job.name",
]
names = st.one_of(st.sampled_from(NAMES), st.text(max_size=8))
values = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["simclr", "cifar100/byol", "[finetune,pnr]", "null", "~", "0,1"]),
    st.text(max_size=8),
)


@given(arguments=st.lists(st.tuples(names, values).map("=".join), max_size=2))
@example(arguments=["=", "=="])
@example(arguments=["~seed"])
@example(arguments=["method=simclr", "method=byol"])
def test_arguments_are_accepted_or_answered_with_a_sentence(
    arguments: list[str],
) -> None:
    try:
        check_overrides(arguments)
    except ValueError as error:
        assert str(error).strip()
        assert "Traceback" not in str(error)
