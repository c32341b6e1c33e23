"""Every option of every group trains: forward, backward, validation, checkpoint, test."""

import math

import pytest
from user_files import words_for

from surrolab.schema import options

OPTIONS = [
    f"{group}={name}"
    for group in ("surrogate", "neuron", "model", "encoding", "objective", "optimizer", "data")
    for name in options(group)
]
COMBINATIONS = [
    "model=recurrent neuron=synaptic objective=ce_rate",
    "model=recurrent neuron=leaky objective=mse_step encoding=delta",
    "model=conv neuron=alpha model.norm=tdbn model.dropout=0.3 objective=ce_latency",
    "model=conv model.norm=bntt model.pool=avg model.hidden=[20]",
    "model=sew model.connect=iand model.norm=none model.blocks=1 checkpoint_steps=auto",
    "model=sew model.connect=and model.norm=step model.hidden=[12] model.freeze=[hidden7] "
    "layer_surrogates={hidden3:triangle} objective=ce_rate",
    "model.max_delay=5 model.norm=step objective=ce_rate",
    "model=recurrent model.max_delay=4 neuron.dt=2 truncate_steps=3 trainer.precision=bf16-mixed",
    "model.hidden=[] encoding=latency",
    "model.hidden=[16,16,16] model.norm=step model.init=fluctuation_driven",
    "neuron=synaptic neuron.tau=10 neuron.tau_syn=5 neuron.learn_alpha=true neuron.per_neuron=true",
    "neuron.learn_beta=true neuron.learn_threshold=true neuron.reset=zero "
    "neuron.detach_reset=false",
    "model=conv neuron.per_neuron=true neuron.learn_beta=true",
    "model=recurrent neuron=alif neuron.adaptive_share=0.5 neuron.tau_adapt=50 objective=ce_rate "
    "checkpoint_steps=5 neuron.learn_rho=true neuron.learn_threshold_step=true slope=adaptive",
    "model=conv neuron=adlif neuron.learn_a=true neuron.learn_b=true neuron.per_neuron=true "
    "neuron.tau_spread=0.577 neuron.learn_beta=true truncate_steps=5",
    "model=recurrent neuron=adlif neuron.input_scale=one_minus_beta neuron.a=0.1 neuron.b=1 "
    "encoding.gain=5 model.init=fluctuation_driven model.readout_tau=20",
    "neuron.input_scale=one_minus_beta model.readout_tau=20 encoding.gain=5",
    "data=randman model=recurrent objective=ce_last objective.lower_strength=100 "
    "objective.lower_rate=0.01 data.samples_per_class=20 data.units=7 data.steps=30 data.window=20",
    "objective.upper_strength=1 objective.upper_rate=0.05 model.freeze=[hidden1]",
    "trainer.precision=bf16-mixed",
    "trainer.precision=64-true surrogate=atan",
    "trainer.accumulate_grad_batches=3 trainer.gradient_clip_val=0.5",
    "optimizer.schedule=cosine optimizer.warmup_epochs=0.5 callbacks=early_stopping",
    pytest.param("debug=anomaly", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("words", [*OPTIONS, *COMBINATIONS])
def test_it_trains(here, words, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / "data"
    given = words.split(" ")
    for word in given:
        if word.startswith("data="):
            if word == "data=tonic":
                pytest.importorskip("tonic")
            given += words_for(word.partition("=")[2], cache)
    status, out, err = here(
        "debug=smoke", f"data.root={cache}", "trainer.limit_train_batches=3", *given
    )
    assert status == 0, err
    assert err == ""
    result = here.run.result
    assert result["status"] == "completed"
    assert all(math.isfinite(value) for value in result["metrics"].values())
    if "data=trajectories" in given:
        metrics = result["metrics"]
        assert 0 < metrics["test/mae"] <= metrics["test/mse"] ** 0.5 * (1 + 1e-6)
    else:
        assert 0 <= result["metrics"]["test/accuracy"] <= 1
    assert f"run directory: {here.directory}/run" in out
