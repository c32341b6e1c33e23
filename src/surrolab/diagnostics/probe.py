"""The few samples that diagnostics look at."""

import torch

from surrolab.data import Batch, DataModule


def probe_batch(data: DataModule, samples: int) -> Batch:
    """The first samples of the validation set, in its fixed order: the same over a whole run."""
    pieces: list[Batch] = []
    found = 0
    for batch in data.val_dataloader():
        pieces.append(batch)
        found += len(batch.y)
        if found >= samples:
            break
    axis = 1 if data.is_sequence else 0
    x = torch.cat([piece.x for piece in pieces], axis).narrow(axis, 0, min(samples, found))
    y, lengths = (
        torch.cat([getattr(piece, name) for piece in pieces])[:samples] for name in ("y", "lengths")
    )
    return Batch(x, y, lengths)
