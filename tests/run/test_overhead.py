"""What a training step costs outside the network, by the measurement in ``tests/bench``.

The figures that are promised are for a quiet machine: under 1.5 ms at the default size (1 ms on two
cores) and under 5 % at 4 x 512. A busy one takes longer for everything, so that here the quietest
epoch of up to three runs counts, and the share, in which being busy cancels.
"""

import sys

import pytest
from conftest import CHECKOUT

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(CHECKOUT / "tests" / "bench")
    import overhead

    yield overhead
    del sys.modules["overhead"]


def test_a_step_of_the_default_experiment(bench, tmp_path):
    quietest = []
    for attempt in range(3):
        found = bench.measure(bench.DEFAULT, tmp_path / str(attempt))
        assert len(found.epochs) == 15
        # What is outside is what is left of a step.
        assert min(found.outside) > 0
        assert found.median < sum(found.total) / len(found.total)
        quietest.append(min(found.epochs))
        if quietest[-1] < 1.5:
            return
    pytest.fail(f"outside, in the quietest epoch of each run: {quietest} ms")


def test_a_step_at_four_times_512(bench, tmp_path):
    assert bench.measure(bench.LARGE, tmp_path / "large").share < 0.05
