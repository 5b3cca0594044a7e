"""Growth of the cost of an experience with the number of earlier ones."""

import gc

import psutil
import torch
from avalanche.benchmarks import benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch.utils.data import TensorDataset

from avalanche_pnr import MoCoV2Plus, resnet_small
from experiments.measurements.speed.loop import strategy_for
from experiments.measurements.speed.measure import Setting, now, ratio
from experiments.measurements.speed.table import Table

IMAGES, BATCH = 128, 32
FIRST = 2
"""Index of the first experience that counts; in the others there is no past yet."""


def measure(setting: Setting) -> Table:
    """Measure time and memory of equal small experiences, several in each row.

    Memory is that of the process on a CPU, and of its tensors on a GPU.
    """
    group = 1 if setting.quick else 8
    count = FIRST + 6 * group
    torch.manual_seed(0)
    method = MoCoV2Plus(resnet_small(), hidden_dim=512, queue_length=1024)
    strategy = strategy_for(method, BATCH, setting.device)
    sets = [
        TensorDataset(torch.rand(IMAGES, 2, 3, 32, 32), torch.zeros(IMAGES))
        for _ in range(count)
    ]
    benchmark = benchmark_from_datasets(train=[AvalancheDataset([x]) for x in sets])
    taken, memory = [], []
    for experience in benchmark.train_stream:
        start = now(setting.device)
        strategy.train(experience)
        taken.append(now(setting.device) - start)
        memory.append(memory_held(setting.device) / 2**20)
    groups = [slice(i, i + group) for i in range(FIRST, count, group)]
    return Table(
        f"{count} experiences of {IMAGES} images, MoCoV2+ with PNR",
        [
            {
                "experiences": f"{each.start + 1} to {each.stop}",
                "time / of the first row": ratio(taken[each], taken[groups[0]]),
                "memory (MiB)": round(memory[each.stop - 1], 1),
                "more than before": round(
                    memory[each.stop - 1] - memory[each.start - 1], 1
                ),
            }
            for each in groups
        ],
    )


def memory_held(device: torch.device) -> int:
    """Bytes of this process, or of its tensors on a GPU, after a clean-up."""
    gc.collect()
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return int(psutil.Process().memory_info().rss)
