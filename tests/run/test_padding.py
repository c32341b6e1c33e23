"""Steps that are padding have no influence: on losses, gradients, statistics and normalisation."""

import itertools

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from surrolab.data import Batch
from surrolab.models.normalization import time_norm
from surrolab.run.build import build_parts
from surrolab.schema import CONF, options, validate
from surrolab.stages import StageMetrics

SAMPLES, LONGEST, EXTRA = 24, 20, 9
SMALL = (
    *("data=japanese_vowels", "model.hidden=[10,8]", "model.init_gain=6"),
    *("objective.lower_rate=0.1", "objective.lower_strength=1.0"),
    *("objective.upper_rate=0.2", "objective.upper_strength=1.0"),
)


def built(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*SMALL, *words, "name=test", "logger=none"])
    return build_parts(validate(OmegaConf.to_container(config, resolve=True)))


def batches(data):
    """Training samples of 7 to 20 steps in a batch as it comes, and the same with more padding."""
    samples = data.samples["train"]
    rows = torch.nonzero(samples.lengths <= LONGEST).flatten()[:: 190 // SAMPLES][:SAMPLES]
    loader = data.train_dataloader()
    short = loader.dataset[rows]
    assert short.lengths.min() < short.lengths.max() == len(short.x)
    assert len(short.x) <= LONGEST
    more = short.x.new_zeros(EXTRA, *short.x.shape[1:])
    return short, Batch(torch.cat([short.x, more]), short.y, short.lengths)


def everything(task, batch, training=True):
    """Loss, prediction, gradients, statistics and what batch norms have learned."""
    state = {name: value.clone() for name, value in task.network.state_dict().items()}
    task.network.train(training)
    metrics = StageMetrics(task.network, labelled=True, synops=not training, classes=task.classes)
    evaluation = task.evaluate(batch, record=not training)
    task.zero_grad()
    evaluation.loss.backward()
    metrics.update(evaluation, batch.y, task.network)
    found = {f"metric {k}": v for k, v in metrics.compute("val", task.network).items()}
    for name, module in task.window.items():
        if not training:
            module.reset()
            layer = task.network.layers[name]
            membrane = evaluation.output.records[name].membrane
            surrogate, neuron = layer.neurons.surrogate, layer.neurons.neuron
            module.update(membrane, neuron.threshold, surrogate.window, batch.lengths)
            found[f"window {name}"] = module.compute()
    found |= {f"gradient {k}": p.grad for k, p in task.network.named_parameters()}
    found |= {f"state {k}": v.clone() for k, v in task.network.state_dict().items()}
    task.network.load_state_dict(state)
    return found | {"loss": evaluation.loss.detach(), "prediction": evaluation.prediction}


def same(one, other, ends):
    assert one.keys() == other.keys()
    for name in one:
        a, b = one[name], other[name]
        if name == "prediction" and a.ndim > 1:  # one for each step
            valid = torch.arange(len(a))[:, None] < ends
            a, b = a[valid], b[: len(valid)][valid]
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6, msg=lambda m, n=name: f"{n}: {m}")


CASES = [
    *itertools.product(options("objective"), ["mlp", "recurrent"], ["none"]),
    *itertools.product(["ce_mean"], ["mlp", "recurrent"], ["step", "tdbn", "bntt"]),
    *itertools.product(["ce_mean"], ["mlp model.max_delay=6"], ["none", "tdbn"]),
]


@pytest.mark.parametrize(("objective", "model", "norm"), CASES)
def test_more_padding_changes_nothing(objective, model, norm):
    parts = built(f"objective={objective}", *f"model={model}".split(), f"model.norm={norm}")
    short, long = batches(parts.data)
    for training in (True, False):
        found = everything(parts.task, short, training)
        assert float(found["loss"]) > 0
        assert float(found["metric spikes/hidden2/rate"]) > 0.01
        assert float(found["gradient layers.hidden1.synapse.weight"].abs().max()) > 0
        same(found, everything(parts.task, long, training), short.lengths)


@pytest.mark.parametrize("objective", options("objective"))
def test_a_padded_sample_is_judged_as_by_itself(objective):
    parts = built(f"objective={objective}", "objective.lower_strength=0.0")
    parts.task.objective.upper_strength = 0.0
    _, batch = batches(parts.data)
    with torch.no_grad():
        together = parts.task.evaluate(batch)
        for sample, length in enumerate(batch.lengths.tolist()):
            x = batch.x[:length, sample : sample + 1]
            one = Batch(x, batch.y[sample : sample + 1], batch.lengths[sample : sample + 1])
            alone = parts.task.evaluate(one)
            for name, spk_TBN in together.output.hidden.items():
                assert torch.equal(spk_TBN[:length, sample], alone.output.hidden[name][:, 0])
            prediction = together.prediction
            ours = prediction[:length, sample] if prediction.ndim > 1 else prediction[sample]
            assert torch.equal(ours, alone.prediction.squeeze())


@pytest.mark.parametrize("norm", ["step", "tdbn", "bntt"])
@pytest.mark.parametrize("shape", [(3,), (3, 4, 2)])
def test_norms_are_over_what_is_valid(norm, shape):
    """Against the norms of torch on the valid values alone, gradients included."""
    steps, lengths = 6, torch.tensor([6, 2, 4, 4])
    cur = torch.randn(steps, 4, *shape, dtype=torch.float64, requires_grad=True)
    ours = time_norm(norm, shape, 0.7, steps).double()
    theirs = time_norm(norm, shape, 0.7, steps).double()
    found = ours(cur, lengths)
    valid = torch.arange(steps)[:, None] < lengths
    norms = theirs.norms if norm == "bntt" else [theirs.norm] * steps
    if norm == "tdbn":
        expected = theirs.norm(cur[valid])
    else:
        rows = []
        for step, kind in enumerate(norms):
            few = len(shape) == 1 and int(valid[step].sum()) == 1
            kind.train(not few)
            rows.append(kind(cur[step][valid[step]]))
            kind.train()
        expected = torch.cat(rows)
    torch.testing.assert_close(found[valid], expected)
    assert not found[~valid].any()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    weights = torch.randn_like(expected)
    (mine,) = torch.autograd.grad((found[valid] * weights).sum(), cur, retain_graph=True)
    (other,) = torch.autograd.grad((expected * weights).sum(), cur)
    torch.testing.assert_close(mine, other)
    assert not mine[~valid].any()
