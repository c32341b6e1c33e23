"""Page faults of a training step, counted by the system."""

import subprocess
import sys

import pytest
from conftest import environment

PROGRAM = """
import resource, statistics, sys
import snntorch, torch
from surrolab.memory import keep_freed_memory
from surrolab.neurons import SpikingLayer
from surrolab.surrogates import ATan

setting = sys.argv[1]
for word in setting.split():
    assert keep_freed_memory(word == "keep")
layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=ATan()))
cur = torch.randn(40, 16, 16384, requires_grad=True)  # 40 MiB: 10240 pages

def step():
    cur.grad = None
    layer(cur).out.sum().backward()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(8):  # until blocks of all sizes have been freed
    step()
found = []
for _ in range(9):
    before = faults()
    step()
    found.append(faults() - before)
print(statistics.median(found))  # now and then the heap still grows
"""


def faults(setting: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, setting],
        capture_output=True,
        text=True,
        check=True,
        # Huge pages, which a run in this process may have asked for, would be counted as one.
        env=environment() | {"THP_MEM_ALLOC_ENABLE": "0"},
    )
    return int(float(done.stdout))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_kept_memory_is_not_mapped_again_and_again():
    assert faults("keep") < 500
    assert faults("keep return") > 5000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_nothing_is_changed_where_nothing_was_kept():
    """A change would switch off what glibc learns from sizes: of small arrays each would be new."""
    assert faults("return") == pytest.approx(faults(""), rel=0.2)
