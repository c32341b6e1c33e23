"""Wrong command lines: one clear line on stderr, exit status 2, nothing left behind."""

import shutil
import time
from pathlib import Path

import pytest
import torch
import yaml

from surrolab.cli import train
from surrolab.run.directory import RunDirectory
from surrolab.schema.later import LATER

WRONG = {
    "surogate=sigmoid": "did you mean 'surrogate'",
    "surrogate=sigmoidd": "did you mean 'sigmoid'",
    "surrogate=3": "allowed: atan, boxcar",
    "surrogate={a:1}": "allowed: atan, boxcar",
    "surrogate=sigmoid,atan": "--multirun",
    "surrogate.slop=3": "did you mean 'slope'",
    "surrogate.slope=abc": "surrogate.slope: 'abc' is not allowed; allowed: a number above 0",
    "surrogate.slope=-1": "allowed: a number above 0",
    "surrogate.slope=nan": "allowed: a number above 0",
    "surrogate.slope=[1": "cannot be read",
    "surrogate=none surrogate.slope=2": "this surrogate has no settings",
    "surrogate=straight_through surrogate.slope=2": "allowed: scale, normalize",
    "surrogate.normalize=paek": "allowed: native, peak, area",
    "surrogate._target_=os.system": "not on the list",
    "+surrogate.x=3": "allowed: slope, scale, normalize",
    "~surrogate.slope": "surrogate.slope: missing",
    "~surrogate": "surrogate: missing",
    "slope=exponentail": "did you mean 'exponential'",
    "slope=linear slope.end=0": "slope.end: 0 is not allowed; allowed: a number above 0",
    "slope=cosine slope.unit=batches": "slope.unit: 'batches' is not allowed; allowed: epochs",
    "slope=learned slope.per=synapse": "allowed: layer, neuron",
    "slope.end=3": "this slope has no settings",
    "slope=25": "slope=25: no such option; its value is surrogate.slope; allowed: adaptive",
    "layer_surrogates.hidden1=triangle": "allowed: 'layer_surrogates={hidden1: triangle}'",
    "surrogate=formula surrogate.derivative=1/(1+x*x)": "'surrogate.derivative=\"1/(1+x*x)\"'",
    "diagnostics=ful": "did you mean 'full'",
    "diagnostics.alignment_draws=20": "diagnostics.alignment_draws: 20 is not allowed; allowed: 0",
    "diagnostics.every_epochs=0": "diagnostics.every_epochs: 0 is not allowed",
    "scale=adaptive": "scale=adaptive: no such option",
    "surrogate=straight_through slope=linear": "slope: this surrogate has no slope",
    "surrogate=none scale=learned": "scale: this surrogate has no scale",
    "layer_surrogates=triangle": "allowed: surrogates by layer, such as {hidden2: triangle}",
    "layer_surrogates={hidden1:triangel}": "layer_surrogates.hidden1: 'triangel' is no surrogate; "
    "did you mean 'triangle'",
    "layer_surrogates={hidden1:{slope:3}}": "layer_surrogates.hidden1.option: missing",
    "layer_surrogates={hidden1:{option:triangle,slope:-3}}": "layer_surrogates.hidden1.slope: -3",
    "layer_surrogates={hidden1:{option:triangle,slop:3}}": "did you mean 'slope'",
    "layer_surrogates={hidden1:{option:none,slope:3}}": "layer_surrogates.hidden1.slope: no such",
    "--foo": "unrecognized arguments",
    "foo": "not an override",
    "model=mpl": "did you mean 'mlp'",
    "model.hidden=[0]": "a whole number of at least 1",
    "model.hidden=12": "allowed: a list",
    "model.dropout=1": "below 1",
    "model.max_delay=0": "model.max_delay: 0 is not allowed; allowed: a number above 0; or null",
    "model=conv model.max_delay=5": "model.max_delay: no such option",
    "model=sew model.connect=or": "model.connect: 'or' is not allowed; allowed: add, and, iand",
    "seed=-1": "at least 0",
    "seed=1.5": "allowed: a whole number",
    "threads=0": "at least 1",
    "engine=warp": "allowed: auto",
    "engine=[native]": "engine: ['native'] is not allowed; allowed: auto, stepwise, torch, native",
    "checkpoint_steps=0": "checkpoint_steps: 0 is not allowed; allowed: auto; or a whole number of "
    "at least 1; or null",
    "checkpoint_steps=2.5": "checkpoint_steps: 2.5 is not allowed",
    "checkpoint_steps=root": "checkpoint_steps: 'root' is not allowed; allowed: auto",
    "truncate_steps=0": "truncate_steps: 0 is not allowed; allowed: a whole number of at least 1",
    "truncate_steps=auto": "truncate_steps: 'auto' is not allowed",
    "checkpoint_steps=auto model.norm=step": "checkpoint_steps: model.norm=step normalises over "
    "the whole sequence; allowed: checkpoint_steps=null, or model.norm=none",
    "truncate_steps=5 model.norm=tdbn": "truncate_steps: model.norm=tdbn normalises over the whole",
    "keep_memory=perhaps": "keep_memory: 'perhaps' is not allowed; allowed: true, false",
    "overwrite_membrane=1": "overwrite_membrane: 1 is not allowed; allowed: true, false",
    "checkpoint_step=5": "did you mean 'checkpoint_steps'",
    "name=a/b": "text without slashes",
    "data.batch_size=0": "at least 1",
    "data.batch_size=-64": "at least 1",
    "data=mnits": "did you mean 'mnist'? allowed: ",
    "encoding.steps=0": "at least 1",
    "neuron.beta=0.9 neuron.tau=10": "one of the two",
    "neuron.beta=1.5": "at most 1",
    "neuron.reset=soft": "allowed: subtract, zero, none",
    "trainer.precision=8": "allowed: 32-true",
    "trainer.max_epochs=0": "at least 1",
    "trainer.max_epoch=3": "did you mean 'max_epochs'",
    "trainer.limit_val_batches=0": "at least 1",
    "trainer.limit_train_batches=0.0": "above 0",
    "+resume=somewhere": "allowed: resume=RUN_DIR",
    "surrogate._target_=[a]": "not on the list",
    "logger.mode=sometimes": "allowed: offline, online, disabled",
    "logger=none logger.mode=offline": "this logger has no settings",
    "experiment=nothing": "experiment=nothing: no such option",
    "hydra.run.dir=/proc/none": "cannot be written",
    "data.root=${nope}": "nope",
    "resume=nowhere": "is no directory",
    "resume=.": "no config.yaml",
    "resume=": "nothing is given",
    "resume=nowhere --multirun": "not together with resume",
}


def one_line(process):
    assert process.returncode == 2, (process.returncode, process.stderr)
    lines = process.stderr.splitlines()
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("surrolab: ")
    return lines[0]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_end_in_one_line(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        train(words.split(" "))
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert err.startswith("surrolab: ")
    assert WRONG[words] in err
    assert not list(tmp_path.rglob("*.*")), "something was left behind"


# The others differ in their words alone.
@pytest.mark.parametrize("words", list(WRONG)[::6])
def test_a_program_says_so_at_once(program, words):
    began = time.monotonic()
    process = program(*words.split(" "))
    line = one_line(process)
    assert WRONG[words] in line
    assert process.stdout == ""
    assert not list(program.directory.rglob("*.*")), "something was left behind"
    # Nothing heavy was imported; importing torch alone takes longer than that.
    assert time.monotonic() - began < 10


# What only the parts themselves can judge, once they are imported; still before any data is read.
UNFIT = {
    "neuron=alpha neuron.alpha=0.5 neuron.beta=0.9": "neuron.alpha",
    "surrogate=straight_through surrogate.normalize=area": "surrogate.normalize",
    "layer_surrogates={hidden1:{option:straight_through,normalize:area}}": "layer_surrogates."
    "hidden1.normalize: 'area' is not allowed",
    "layer_surrogates={hidden7:triangle} model.hidden=[8,8]": "layer_surrogates.hidden7: no such "
    "layer, or one that does not spike; allowed: hidden1, hidden2",
    "layer_surrogates={readout:triangle}": "layer_surrogates.readout: no such layer",
    "slope=linear model.hidden=[]": "slope: no layer that spikes has a surrogate with a slope",
    "slope=adaptive slope.least=3 slope.most=2": "slope.least: 3.0 is above most",
    "slope=adaptive surrogate=piecewise_leaky": "slope: adaptive needs a window",
    "scale=learned surrogate=stochastic_spike_operator": "scale: learned needs a surrogate with a "
    "primitive",
    "model=recurrent neuron=alpha": "allowed: leaky, synaptic",
    "model=conv neuron=rleaky": "recurrent neurons need a layer of one dimension",
    "model=conv data=yinyang": "conv needs images",
    "model=sew data=yinyang": "model: sew needs images [channels, height, width]",
    "model=sew model.connect=iand model.dropout=0.2": "model.dropout: 0.2 is not allowed with conn",
    "model.max_delay=300": "model.max_delay: 300 is 300 steps of neuron.dt=1 ms; allowed: 1 to 19 ",
    "model.freeze=[hiden1]": "allowed: hidden1, readout",
    "data=randman encoding=rate": "encoding: ",
    "data=trajectories": "objective: needs classes and the data have none; allowed: mse_step",
    "data=store_recall": "objective: the data have a class for each step; allowed: ce_step",
    "data=store_recall objective=mse_step": "allowed: ce_step",
    "data=poisson data.rate=2000": "data.rate: 2000 is not allowed; allowed: at most 1000",
    "data.val_fraction=0.6 data.test_fraction=0.6": "data.val_fraction",
    "data.root=a_file": "data.root",
    "trainer.accelerator=cuda": "trainer: ",
    "trainer.accelerator=cpu trainer.devices=[0]": "trainer: ",
    "data.val_fraction=0.001": "data.val_fraction",
    "model.freeze=[hidden1,readout]": "model.freeze: nothing is left to train",
    "data.batch_size=1 model.norm=step": "data.batch_size: 1",
    "trainer.sync_batchnorm=true model.norm=tdbn trainer.accelerator=cpu": "true needs GPUs",
    "trainer.limit_test_batches=0.1": "trainer.limit_test_batches: 0.1 of 6 is none",
    "data=japanese_vowels trainer.sync_batchnorm=true model.norm=step": "trainer.sync_batchnorm: "
    "true",
}


@pytest.mark.parametrize("words", UNFIT)
def test_parts_that_do_not_fit_end_in_one_line(here, words, monkeypatch):
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    monkeypatch.chdir(here.directory)
    Path("a_file").write_text("no folder")
    status, out, err = here(*words.split(" "))
    assert status == 2
    assert err.count("\n") == 1
    assert out == ""
    assert UNFIT[words] in err
    assert here.run.result["status"] == "failed"
    assert UNFIT[words] in here.run.result["error"]


def test_started_once_per_process_by_another_launcher(program):
    process = program("hydra.run.dir=run", LOCAL_RANK="1", WORLD_SIZE="2")
    assert "torchrun or srun" in one_line(process)


@pytest.fixture
def finished(trained, tmp_path):
    """A copy of a finished run, made to look like one that was interrupted."""
    path = tmp_path / "run"
    shutil.copytree(trained.path, path, symlinks=True)
    (path / "result.json").unlink()
    return path


def edit(path, change):
    config = yaml.safe_load((path / "config.yaml").read_text())
    change(config)
    (path / "config.yaml").write_text(yaml.safe_dump(config))


def refused(program, path, *words):
    weights = {p: p.read_bytes() for p in (path / "checkpoints").iterdir() if p.is_file()}
    line = one_line(program(f"resume={path}", *words))
    for name, content in weights.items():
        assert name.read_bytes() == content, "a checkpoint was touched"
    return line


def test_resume_of_a_run_that_is_older_than_some_keys(program, finished, capsys):
    def older(config):
        for group, keys in LATER.items():
            for key in keys:
                config[group].pop(key, None)

    edit(finished, older)
    with pytest.raises(SystemExit) as end:
        train([f"resume={finished}", "trainer.max_epochs=4"])
    assert end.value.code in (0, None)
    assert "completed" in capsys.readouterr().out
    edit(finished, lambda config: config["surrogate"].pop("slope"))  # which every run had
    assert "surrogate.slope: missing; it has to be there" in refused(program, finished)


@pytest.mark.slow
def test_resume_with_a_truncated_checkpoint(program, finished):
    last = finished / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:5000])
    assert "cannot be read" in refused(program, finished)


@pytest.mark.slow
def test_resume_with_a_checkpoint_of_another_model(program, finished):
    edit(finished, lambda config: config["model"].update(hidden=[64]))
    assert "is of another model" in refused(program, finished)


def test_resume_with_a_checkpoint_that_would_run_code(program, finished):
    class Evil:
        def __reduce__(self):
            return (print, ("run!",))

    torch.save({"state_dict": Evil()}, finished / "checkpoints" / "last.ckpt")
    assert "cannot be read" in refused(program, finished)


def test_resume_with_a_config_that_calls_something_else(program, finished):
    edit(finished, lambda config: config["data"].update(_target_="os.system"))
    assert "not on the list" in refused(program, finished)


def test_resume_with_a_config_that_constructs_objects(program, finished):
    (finished / "config.yaml").write_text("!!python/object/apply:os.system ['touch pwned']")
    assert "cannot be read" in refused(program, finished)
    assert not (program.directory / "pwned").exists()


def test_resume_with_a_broken_config(program, finished):
    (finished / "config.yaml").write_text("seed: [")
    assert "cannot be read" in refused(program, finished)


def test_resume_with_fewer_epochs(program, finished):
    assert "3 or more" in refused(program, finished, "trainer.max_epochs=2")


def test_resume_with_other_keys(program, finished):
    assert "not together with resume" in refused(program, finished, "optimizer.lr=3")


def test_resume_of_a_run_that_still_goes_on(program, finished):
    with RunDirectory(finished).held():
        assert "still going on" in refused(program, finished)


def test_what_a_kill_left_half_written_is_cleared(program, finished):
    rest = finished / "checkpoints" / ".last.ckpt.abcdefgh"
    rest.write_bytes(b"half")
    assert program(f"resume={finished}").returncode == 0
    assert not rest.exists()


def test_resume_without_permission(program, finished):
    (finished / "config.yaml").unlink()
    (finished / "config.yaml").mkdir()
    assert "no config.yaml" in refused(program, finished)


def test_a_directory_that_is_taken(program, trained):
    before = (trained.path / "config.yaml").read_bytes()
    assert "already holds a run" in one_line(program(f"hydra.run.dir={trained.path}"))
    assert (trained.path / "config.yaml").read_bytes() == before
