"""What two processes measure, each on its samples, adds up to what one measures on all."""

import subprocess
import sys

SCRIPT = """
import sys
import torch
from torch import distributed, multiprocessing
from surrolab.models import MLPFactory, Surroundings
from surrolab.neurons import LeakyFactory
from surrolab.probes import MembraneDistribution, SpikeIntervals, SpikeStatistics
from surrolab.probes import SynapticOperations
from surrolab.surrogates import Sigmoid

def measure(samples):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    neuron = LeakyFactory(threshold=0.3)
    around = Surroundings((6,), 3, 12, neuron, Sigmoid(), "auto", "membrane")
    network = MLPFactory([9]).build(around).eval()
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(12, 8, 6, generator=generator)
    x[:, :4] = x[:, :4].round()  # spikes for one process, currents for the other
    lengths = torch.tensor([12, 3, 5, 12, 1, 7, 9, 12])
    synops, statistics = SynapticOperations(network), SpikeStatistics((9,))
    membranes, intervals = MembraneDistribution(), SpikeIntervals(12)
    for part in samples.split(2):
        output = network(x[:, part], record=True)
        spk, mem, here = output.hidden["hidden1"], output.records["hidden1"].membrane, lengths[part]
        statistics.update(spk, here)
        counts = {"hidden1": statistics.batch_count}
        synops.update(network, x[:, part], output, here, counts)
        membranes.update(mem, torch.tensor(0.3), here)
        intervals.update(spk, here)
    metrics = (synops, statistics, membranes, intervals)
    return [value.tolist() for metric in metrics for value in metric.compute().values()]

def rank(number, file, found):
    store = f"file://{file}"
    distributed.init_process_group("gloo", store, rank=number, world_size=2)
    found[number] = measure(torch.arange(4) + 4 * number)
    distributed.destroy_process_group()

if __name__ == "__main__":
    with multiprocessing.Manager() as manager:
        found = manager.dict()
        multiprocessing.spawn(rank, (sys.argv[1], found), nprocs=2)
        alone = measure(torch.arange(8))
        for number in (0, 1):
            assert len(found[number]) == len(alone) == 17
            for a, b in zip(found[number], alone):
                torch.testing.assert_close(torch.tensor(a), torch.tensor(b), rtol=1e-6, atol=1e-7)
"""


def test_two_processes_add_up_to_one(tmp_path):
    script = tmp_path / "measure.py"
    script.write_text(SCRIPT)
    process = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "store")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
