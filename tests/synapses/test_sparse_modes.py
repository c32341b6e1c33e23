"""Which way the linear layer goes: modes, the rule, and machines without a compiler."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from spike_trains import by_spikes, layer, results

from surrolab.native import available
from surrolab.synapses import linear, spike_linear
from surrolab.synapses.kernel import BLOCK, VECTOR, load
from surrolab.synapses.rule import BLOCK as RULE_BLOCK
from surrolab.synapses.rule import WIDTH, most_spikes

SHAPE = (3200, 512, 512)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No kernel made yet, and an empty cache."""
    monkeypatch.setenv("SURROLAB_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(linear, "_warned", False)
    load.cache_clear()
    yield monkeypatch
    load.cache_clear()


def test_auto_takes_spikes_where_they_are_few_and_the_product_where_not() -> None:
    for rate, few in ((0.02, True), (0.1, True), (0.9, False)):
        drawn = layer(SHAPE, rate)
        chosen = [by_spikes(spike_linear(drawn.x, drawn.weight, drawn.bias)) for _ in range(3)]
        assert chosen == [few] * 3


def test_auto_takes_the_product_for_what_is_small_or_no_spikes() -> None:
    for drawn in (layer((10, 20, 30), 0.1), layer(SHAPE, 0.1)._replace(x=torch.rand(SHAPE[:2]))):
        out = spike_linear(drawn.x, drawn.weight, drawn.bias, "auto")
        assert not by_spikes(out)
        assert torch.equal(out, torch.nn.functional.linear(drawn.x, drawn.weight, drawn.bias))


def test_auto_counts_to_the_last_spike() -> None:
    most = most_spikes(*SHAPE, True, torch.get_num_threads())
    assert 0 < most < SHAPE[0] * SHAPE[1]
    drawn = layer(SHAPE, 0.0)
    order = torch.randperm(drawn.x.numel(), generator=torch.Generator().manual_seed(0))
    drawn.x.view(-1)[order[:most]] = 1
    assert by_spikes(spike_linear(drawn.x, drawn.weight, drawn.bias))
    drawn.x.view(-1)[order[most]] = 1
    assert not by_spikes(spike_linear(drawn.x, drawn.weight, drawn.bias))


def test_a_burst_does_not_hide_that_spikes_are_few() -> None:
    drawn = layer(SHAPE, 0.0)
    drawn.x[: SHAPE[0] // 10] = 1
    assert by_spikes(spike_linear(drawn.x, drawn.weight, drawn.bias))


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 16])
def test_the_rule(trained: bool, threads: int) -> None:
    def share(rows: int, features: int, outputs: int) -> float:
        return most_spikes(rows, features, outputs, trained, threads) / rows / features

    assert 0.15 < share(6400, 512, 512) < 0.7
    assert share(64, 64, 10) < 0
    # More of everything: the work around the sums weighs less.
    shares = [share(384 * k, 64 * k, 64 * k) for k in (1, 2, 4, 8, 16)]
    assert shares == sorted(shares)
    assert most_spikes(*SHAPE, trained, threads) == most_spikes(*SHAPE, trained, threads)


def test_the_rule_and_the_kernel_speak_of_the_same_tiles() -> None:
    source = Path(linear.__file__).with_name("spikes.c").read_text()
    assert f"BLOCK = {BLOCK}, VECS = {VECTOR // 64}," in source
    assert (RULE_BLOCK, WIDTH) == (BLOCK, VECTOR // 4)


def test_true_and_false_as_words_and_as_yaml_reads_them() -> None:
    drawn = layer((10, 20, 30), 0.9)
    for mode, expected in (("true", True), (True, True), ("false", False), (False, False)):
        assert by_spikes(spike_linear(drawn.x, drawn.weight, drawn.bias, mode)) is expected
    with pytest.raises(ValueError, match=r"^sparse: 'maybe' is none of auto, true, false$"):
        spike_linear(drawn.x, drawn.weight, drawn.bias, "maybe")


def test_wrong_shapes_are_named_by_torch() -> None:
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        spike_linear(torch.ones(3, 4), torch.ones(2, 5), None, "true")


def test_what_the_kernel_cannot_take_is_a_product() -> None:
    drawn = layer((10, 20, 30), 0.5)
    half = [a.detach().bfloat16() for a in drawn[:3]]
    assert spike_linear(*half, sparse="true").dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        out = spike_linear(drawn.x, drawn.weight, drawn.bias, "true")
    assert out.dtype == torch.bfloat16


def test_without_a_compiler(fresh: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    fresh.setenv("CC", "/bin/false")
    drawn = layer(SHAPE, 0.1)
    exact = torch.nn.functional.linear(drawn.x, drawn.weight, drawn.bias)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(spike_linear(drawn.x, drawn.weight, drawn.bias, "auto"), exact)
        assert not caplog.records
        for _ in range(2):
            assert torch.equal(spike_linear(drawn.x, drawn.weight, drawn.bias, "true"), exact)
    (record,) = caplog.records
    assert record.getMessage().startswith("sparse=true is computed as a dense product: ")


def test_the_kernel_of_a_machine_unknown_to_the_compiler(
    fresh: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without -march=native the width is chosen when it is loaded; the numbers are the same."""
    reason = available()
    assert reason is None, reason
    drawn = layer((700, 300, 100), 0.2)
    native = results(drawn)
    compiler = next(path for name in ("cc", "gcc", "clang") if (path := shutil.which(name)))
    script = tmp_path / "cc"
    script.write_text(
        f'#!/bin/sh\nfor a; do shift; [ "$a" = -march=native ] || set -- "$@" "$a"; done\n'
        f'exec {compiler} "$@"\n'
    )
    script.chmod(0o755)
    fresh.setenv("CC", str(script))
    load.cache_clear()
    for one, other in zip(results(drawn), native, strict=True):
        assert torch.equal(one, other)
    assert len(list((tmp_path / "kernels").glob("*.so"))) >= 2
