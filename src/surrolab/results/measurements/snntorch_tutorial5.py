"""The network of snnTorch's tutorial 5, by snnTorch itself, on five thousand digits of MNIST."""

import itertools
from collections.abc import Iterable, Iterator

import snntorch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from surrolab.data import Batch, IndexBatches, Mnist5k


class TutorialNetwork(nn.Module):
    """784-1000-10 leaky neurons with snnTorch's own steps, surrogate and resets.

    Eshraghian et al. 2023, doi:10.1109/JPROC.2023.3308088, tutorial 5.
    """

    def __init__(self, beta: float, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, hidden)
        self.lif1 = snntorch.Leaky(beta=beta)
        self.fc2 = nn.Linear(hidden, 10)
        self.lif2 = snntorch.Leaky(beta=beta)

    def forward(self, x_BF: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes and membrane of the output neurons, ``[T, B, 10]`` each."""
        mem1_BN, mem2_BC = self.lif1.init_leaky(), self.lif2.init_leaky()
        cur1_BN = self.fc1(x_BF)  # the same in every step
        spikes, membranes = [], []
        for _ in range(steps):
            spk1_BN, mem1_BN = self.lif1(cur1_BN, mem1_BN)
            spk2_BC, mem2_BC = self.lif2(self.fc2(spk1_BN), mem2_BC)
            spikes.append(spk2_BC)
            membranes.append(mem2_BC)
        return torch.stack(spikes), torch.stack(membranes)


def measure(
    *,
    seed: int,
    gradient_steps: int = 468,
    batch_size: int = 128,
    hidden: int = 1000,
    steps: int = 25,
    beta: float = 0.95,
    lr: float = 5e-4,
) -> dict[str, float | list[float]]:
    """Train as the tutorial does, then count spikes of the test samples.

    The loss is the cross entropy on the membrane of the output neurons, summed over the steps; the
    prediction is the class that spikes most often. The split is that of ``data=mnist5k``; nothing
    is chosen on validation samples.

    Args:
        seed: of the weights and of the order of the samples.
        gradient_steps: batches, over as many epochs as that takes.
        batch_size: samples in each.
        hidden: hidden neurons.
        steps: for which the image is shown.
        beta: decay of the membrane per step.
        lr: learning rate of Adam.

    Returns:
        ``test/accuracy``, and ``val/accuracy`` and ``train/loss`` of the end.
    """
    torch.manual_seed(seed)
    data = Mnist5k(batch_size=batch_size)
    data.seed = seed
    network = TutorialNetwork(beta, hidden)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, betas=(0.9, 0.999))
    for batch in itertools.islice(_batches(data), gradient_steps):
        _, mem_TBC = network(batch.x.flatten(1), steps)
        target_TB = batch.y.expand(steps, -1)
        loss = F.cross_entropy(mem_TBC.flatten(0, 1), target_TB.flatten()) * steps
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return {
        "test/accuracy": _accuracy(network, data.test_dataloader(), steps),
        "val/accuracy": _accuracy(network, data.val_dataloader(), steps),
        "train/loss": float(loss.detach()),
    }


def _batches(data: Mnist5k) -> Iterator[Batch]:
    """Of one epoch after the other, each in its own order."""
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, IndexBatches)
    for epoch in itertools.count():
        loader.sampler.set_epoch(epoch)
        yield from loader


@torch.no_grad()
def _accuracy(network: TutorialNetwork, batches: Iterable[Batch], steps: int) -> float:
    right, count = 0, 0
    for batch in batches:
        spk_TBC, _ = network(batch.x.flatten(1), steps)
        right += int((spk_TBC.sum(0).argmax(-1) == batch.y).sum())
        count += len(batch.y)
    return right / count
