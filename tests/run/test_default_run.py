"""The command people type first."""


def test_the_default_run_trains(program):
    run = program.run("run", "surrogate=sigmoid")
    assert run.result["metrics"]["test/accuracy"] >= 0.96
    assert run.result["duration_s"] < 120
    assert run.result["findings"] == []


def test_the_same_seed_gives_the_same_bits_and_another_does_not(program):
    setting = ("trainer.max_epochs=2", "encoding=rate", "model.dropout=0.1")
    first, second = (program.run(name, *setting) for name in ("first", "second"))
    other = program.run("other", "seed=1", *setting)
    for name, tensor in first.weights.items():
        assert tensor.equal(second.weights[name]), name
    weight = "network.layers.hidden1.synapse.weight"
    assert not first.weights[weight].equal(other.weights[weight])
    assert first.rows == second.rows
