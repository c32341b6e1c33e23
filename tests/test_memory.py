"""Page faults of a training step, counted by the system."""

import subprocess
import sys

import pytest
from conftest import environment

PROGRAM = """
import resource, sys
import snntorch, torch
from surrolab.memory import keep_freed_memory
from surrolab.neurons import SpikingLayer
from surrolab.surrogates import ATan

setting = sys.argv[1]
if setting != "untouched":
    assert keep_freed_memory(setting == "keep")
layer = SpikingLayer(snntorch.Leaky(0.9, spike_grad=ATan()))
cur = torch.randn(100, 16, 512, requires_grad=True)  # 3.1 MiB: 800 pages

def step():
    cur.grad = None
    layer(cur).out.sum().backward()

for _ in range(25):  # until blocks of all sizes have been freed
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10)
"""


def faults(setting: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, setting],
        capture_output=True,
        text=True,
        check=True,
        # Its own dynamic threshold would hide what is measured.
        env=environment() | {"MALLOC_MMAP_THRESHOLD_": "1048576"},
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_kept_memory_is_not_mapped_again_and_again():
    assert faults("keep") < 100
    assert faults("default") > 500
