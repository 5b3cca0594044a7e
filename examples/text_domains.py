"""PNR on text: docstrings on three topics, of NumPy, then SciPy, then PyTorch."""

import argparse
import inspect
import re
from importlib import import_module
from zlib import crc32

import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy

DOMAINS = {  # modules on linear algebra, Fourier transforms and probability
    "NumPy": ("numpy.linalg", "numpy.fft", "numpy.random"),
    "SciPy": ("scipy.linalg", "scipy.fft", "scipy.stats"),
    "PyTorch": ("torch.linalg", "torch.fft", "torch.distributions"),
}
VOCABULARY, LENGTH = 4096, 24  # known tokens, and tokens in a text


def texts(module: str, most: int) -> Tensor:
    """Token ids of pieces of the module's docstrings, int64 (N, LENGTH)."""
    members = vars(import_module(module)).items()
    docs = {inspect.getdoc(each) or "" for name, each in members if name[0] != "_"}
    words = re.findall(r"\w+", " ".join(sorted(docs)))
    ids = torch.tensor([crc32(word.encode()) % VOCABULARY for word in words])
    pieces = ids[: len(ids) // LENGTH * LENGTH].view(-1, LENGTH)
    return pieces[:: len(pieces) // most + 1]


class Encoder(nn.Module):
    """A small transformer with dropout, token ids (N, L) to features (N, F)."""

    def __init__(self, dim: int = 64) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, dim)
        self.positions = nn.Parameter(torch.randn(LENGTH, dim) / 10)
        self.dropout = nn.Dropout1d(0.5)  # of whole tokens
        self.layer = nn.TransformerEncoderLayer(dim, 4, 2 * dim, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        """Mean of the tokens of the last layer."""
        outputs: Tensor = self.layer(self.dropout(self.tokens(ids) + self.positions))
        return outputs.mean(dim=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20, help="of each domain")
    parser.add_argument("--texts", type=int, default=400, help="of a module, at most")
    options = parser.parse_args()
    torch.manual_seed(0)
    train, test = [], []
    for modules in DOMAINS.values():
        topics = [texts(module, options.texts) for module in modules]
        x, y = torch.cat(topics), torch.tensor([*map(len, topics)])
        y = torch.arange(len(topics)).repeat_interleave(y)
        tested = torch.arange(len(x)) % 5 == 0
        train.append(AvalancheDataset([TensorDataset(x[~tested], y[~tested])]))
        test.append(AvalancheDataset([TensorDataset(x[tested], y[tested])]))
    # As in SimCSE, both views are the text itself: the network's dropout tells them
    # apart.
    benchmark = pnr.with_multiview(
        benchmark_from_datasets(train=train, test=test), pnr.TwoViews(lambda ids: ids)
    )
    model = pnr.SimCLR(Encoder(), hidden_dim=256, temperature=0.1, example_input=x[:2])
    strategy = pnr.SelfSupervised(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
        plugins=[pnr.PNRPlugin(predictor_hidden_dim=256)],
        evaluator=None,
        train_mb_size=64,
        train_epochs=options.epochs,
    )

    def report(name: str) -> None:
        """Print a row: a linear probe's accuracy on the texts of each domain."""
        streams = benchmark.train_stream, benchmark.test_stream
        each = probe_accuracy(model, *streams, [pnr.ConvexProbe()])["convex"]
        print(f"{name:16}" + "".join(f"{100 * share:8.1f} %" for share in each))

    print(" " * 16 + "".join(f"{name:>10}" for name in DOMAINS))
    report("random encoder")
    for name, experience in zip(DOMAINS, benchmark.train_stream, strict=True):
        strategy.train(experience)
        report(f"after {name}")
