"""The few samples that diagnostics look at."""

import torch

from surrolab.data import Batch, DataModule


def probe_batch(data: DataModule, samples: int) -> Batch:
    """The first samples of the validation set: the same over a whole run, and in every process."""
    dataset = data.val_dataloader().dataset
    batch: Batch = dataset[torch.arange(min(samples, data.split_sizes["val"]))]
    return batch
