"""Spikes and membranes that are kept of some samples, against a pass of the network itself."""

import io

import numpy as np
import pytest
import torch
from test_flow import batch_of, task_of

from surrolab.diagnostics import gradient_flow, shown_activity
from surrolab.diagnostics.showing import NEURONS, TRACED, evenly
from surrolab.models import MLPFactory, RecurrentFactory
from surrolab.neurons import ALIFFactory
from surrolab.objectives import CEStep
from surrolab.pictures.raster import HEAD, LEFT, draw_raster


@pytest.mark.parametrize("factory", [MLPFactory([4, 3]), RecurrentFactory([9])])
@pytest.mark.parametrize("lengths", [None, [6, 2, 5]])
def test_arrays_are_what_the_network_does(factory, lengths):
    task, batch = task_of(factory), batch_of(lengths)
    arrays = shown_activity(task, gradient_flow(task, batch), 2)
    with torch.no_grad():
        output = task.network(batch.x, record=True)
    names = [name for name in task.network.layers if name != "readout"]
    assert arrays["layers"] == names
    assert arrays["lengths"].tolist() == batch.lengths[:2].tolist()
    assert arrays["targets"].tolist() == batch.y[:2].tolist()
    for sample in range(2):  # CEMean: the largest mean output over the sample's own steps
        y_TC = output.y[: batch.lengths[sample], sample]
        assert arrays["predictions"][sample] == int(y_TC.mean(0).argmax())
    fired = 0
    for i, name in enumerate(names):
        neurons = output.hidden[name].shape[2]
        assert arrays[f"neurons_{i}"].tolist() == list(range(neurons))
        spikes = np.unpackbits(arrays[f"spikes_{i}"], axis=-1, count=neurons)
        traced, membrane = arrays[f"traced_{i}"], arrays[f"membrane_{i}"]
        assert membrane.dtype == np.float32
        assert membrane.shape == (6, 2, len(traced))
        assert arrays[f"threshold_{i}"].tolist() == [1.0] * len(traced)
        for sample in range(2):
            end = int(batch.lengths[sample])
            expected = output.hidden[name][:end, sample].numpy()
            assert np.array_equal(spikes[:end, sample], expected)
            assert not spikes[end:, sample].any()
            of_traced = output.records[name].membrane[:end, sample][:, traced].numpy()
            np.testing.assert_allclose(membrane[:end, sample], of_traced, rtol=1e-6)
        fired += int(spikes.sum())
    assert fired


def test_of_thresholds_that_adapt_each_step_is_kept():
    neuron = ALIFFactory(beta=0.8, rho=0.9, threshold_step=0.5)
    task, batch = task_of(MLPFactory([9]), neuron), batch_of([6, 2, 5])
    arrays = shown_activity(task, gradient_flow(task, batch), 2)
    with torch.no_grad():
        record = task.network(batch.x, record=True).records["hidden1"]
    assert record.threshold.max() > 1.4
    expected = record.threshold[:, :2][..., arrays["traced_0"]].float().numpy()
    np.testing.assert_array_equal(arrays["level_0"], expected)
    assert arrays["threshold_0"].tolist() == [1.0] * TRACED
    # What is drawn follows it.
    raised = arrays | {"level_0": arrays["level_0"] + 1}
    pictures = [np.asarray(draw_raster(a, 0)).astype(int) for a in (arrays, raised)]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()


def test_of_a_prediction_in_every_step_the_last_counts():
    task, batch = task_of(MLPFactory([4]), objective=CEStep()), batch_of([6, 2, 5])
    arrays = shown_activity(task, gradient_flow(task, batch), 3)
    with torch.no_grad():
        y_TBC = task.network(batch.x).y
    expected = [int(y_TBC[end - 1, i].argmax()) for i, end in enumerate((6, 2, 5))]
    assert arrays["predictions"].tolist() == expected


@pytest.mark.parametrize("number", [1, 3, 4, 5, 255, 256, 257, 512, 1000, 40_000])
@pytest.mark.parametrize("most", [TRACED, NEURONS])
def test_neurons_are_chosen_evenly_and_by_the_size_alone(number, most):
    chosen = evenly(number, most)
    assert len(chosen) == min(number, most)
    assert chosen[0] >= 0
    assert chosen[-1] < number
    gaps = np.diff(chosen)
    assert (gaps > 0).all()
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
    if number <= most:
        assert chosen.tolist() == list(range(number))


def test_layers_with_an_image_of_neurons_are_flattened_and_the_record_stays_small():
    task, batch = task_of(MLPFactory([600])), batch_of(steps=6)
    arrays = shown_activity(task, gradient_flow(task, batch), 3)
    assert arrays["spikes_0"].shape == (6, 3, 32)
    assert arrays["membrane_0"].shape == (6, 3, 4)
    assert set(arrays["traced_0"]) <= set(arrays["neurons_0"])
    # Four layers of 512, 100 steps and 4 samples, where every bit is a surprise.
    generator = np.random.default_rng(0)
    large = {}
    for i in range(4):
        large[f"spikes_{i}"] = generator.integers(0, 256, (100, 4, 32), dtype=np.uint8)
        large[f"membrane_{i}"] = generator.normal(size=(100, 4, 4)).astype(np.float32)
    file = io.BytesIO()
    np.savez_compressed(file, **large)
    assert file.tell() < 100_000


def test_a_raster_shows_each_spike_where_it_was():
    steps, samples, neurons = 10, 2, 5
    spikes = np.zeros((steps, samples, neurons), np.uint8)
    spikes[3, 1, 2] = spikes[9, 0, 4] = 1
    arrays = {
        "layers": ["hidden1"],
        "targets": np.array([1, 2]),
        "predictions": np.array([1, 0]),
        "lengths": np.array([10, 6]),
        "spikes_0": np.packbits(spikes, axis=-1),
        "neurons_0": np.arange(neurons),
        "membrane_0": np.full((steps, samples, 1), np.nan, np.float32),
        "traced_0": np.array([2]),
        "threshold_0": np.ones(1, np.float32),
    }
    pixels = np.asarray(draw_raster(arrays, 0)).astype(int)
    step, row = 25, 6
    for sample in range(samples):
        x = LEFT + sample * (10 * step + 16)
        panel = pixels[HEAD : HEAD + neurons * row, x : x + 10 * step].sum(-1)
        dark = panel[row // 2 :: row, step // 2 :: step] < 300
        assert np.argwhere(dark.T).tolist() == ([[9, 4]] if sample == 0 else [[3, 2]])
        grey = panel[row // 2 :: row, step // 2 :: step][0] < 3 * 255
        assert grey.tolist() == [bool(t >= arrays["lengths"][sample]) for t in range(10)]
