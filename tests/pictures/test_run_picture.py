"""What a run draws of its own surrogates."""

import io
import logging
import time

import pytest
from PIL import Image

from surrolab.neurons import LeakyFactory
from surrolab.pictures.portrait import curves, figures
from surrolab.pictures.surrogates import draw_choice
from surrolab.run.construct import build
from surrolab.run.directory import RunDirectory
from surrolab.run.drawing import choices, leave_picture
from surrolab.schema import options
from surrolab.surrogates import FastSigmoid, Sigmoid, Triangle

SHIPPED = {name: build("surrogate", node) for name, node in options("surrogate").items()}


def test_learned_and_scheduled_values_are_drawn_as_they_are_now():
    learned = Sigmoid(4.0)
    learned.learn("slope", (7,))
    learned.learn("scale")
    assert figures(learned) == pytest.approx(figures(Sigmoid(4.0)), rel=1e-6)
    assert curves(learned).derivative == pytest.approx(curves(Sigmoid(4.0)).derivative, abs=1e-6)
    assert learned.slope.shape == (7,)  # and are still what they were
    moved = Sigmoid(4.0)
    moved.slope = 9.0
    assert curves(moved).derivative.max() == pytest.approx(9 / 4)
    assert is_png(draw_choice({"sigmoid": learned}, list(SHIPPED.values())))


def is_png(data):
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture.format == "PNG" and min(picture.size) > 300


@pytest.mark.parametrize("name", SHIPPED)
def test_any_surrogate_can_be_a_runs_own(name):
    assert is_png(draw_choice({name: SHIPPED[name]}, [SHIPPED[name]]))


def test_a_runs_picture_is_cheap():
    def seconds():
        began = time.process_time()
        draw_choice({"sigmoid": Sigmoid()}, list(SHIPPED.values()))
        return time.process_time() - began

    # About 0.15 s; the best of three, since machines are shared.
    assert min(seconds() for _ in range(3)) < 0.7


class Layer:
    def __init__(self, neurons):
        self.neurons = neurons


class Layers:
    """What of a network is looked at: its layers by name."""

    def __init__(self, **surrogates):
        neuron = leaky()
        self.layers = {
            name: Layer(neuron.layer((3,), surrogate, "stepwise"))
            for name, surrogate in surrogates.items()
        }

    def named_layers(self):
        return self.layers.items()


def leaky():
    node = options("neuron")["leaky"]
    return LeakyFactory(**{key: value for key, value in node.items() if key != "_target_"})


def test_each_distinct_surrogate_of_a_network_is_drawn_once():
    same = Layers(hidden1=Sigmoid(), hidden2=Sigmoid())
    assert list(choices(same)) == ["sigmoid"]
    several = Layers(hidden1=Sigmoid(), hidden2=Triangle(), hidden3=Sigmoid(), hidden4=Sigmoid(5.0))
    assert {heading: repr(s) for heading, s in choices(several).items()} == {
        "hidden1, hidden3: sigmoid": repr(Sigmoid()),
        "hidden2: triangle": repr(Triangle()),
        "hidden4: sigmoid": repr(Sigmoid(5.0)),
    }
    assert is_png(draw_choice(choices(several), [FastSigmoid()]))


def test_a_picture_that_cannot_be_written_is_a_warning_and_leaves_nothing(tmp_path, caplog):
    target = RunDirectory(tmp_path / "run")
    network = Layers(hidden1=Sigmoid())
    with caplog.at_level(logging.WARNING, logger="surrolab.run.drawing"):
        leave_picture(network, target, [])  # there is no such directory
    (record,) = caplog.records
    assert record.getMessage().startswith("surrogate.png: not drawn (")
    target.path.mkdir()
    caplog.clear()
    leave_picture(network, target, [])
    assert caplog.records == []
    assert is_png(target.surrogate.read_bytes())
    assert [path.name for path in target.path.iterdir()] == ["surrogate.png"]


def test_a_run_leaves_its_picture_and_gives_it_to_the_tracker(trained):
    picture = (trained.path / "surrogate.png").read_bytes()
    assert is_png(picture)
    (kept,) = trained.path.glob("wandb/offline-run-*/files/media/images/surrogate_*.png")
    assert kept.read_bytes() == picture
    (record,) = trained.path.glob("wandb/offline-run-*/run-*.wandb")
    assert kept.name.encode() in record.read_bytes()
