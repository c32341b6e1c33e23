"""Every key of the configuration, by group.

A key means the same in every option of its group; which keys an option has is said by its file in
``conf/``. Tests hold these tables, the files and the parameters of what they build against each
other.
"""

from typing import Any

from surrolab.schema.keys import (
    Key,
    RefusedError,
    choice,
    either,
    flag,
    integer,
    list_of,
    mapping,
    number,
    optional,
    path,
    text,
)

ENGINES = ("auto", "stepwise", "torch", "native", "triton")


def _is_file_name(name: str) -> bool:
    return name.isprintable() and name not in ("", ".", "..") and not set(name) & set("/\\")


def _is_formula(words: str) -> bool:
    from surrolab.expression import ExpressionError, parse

    try:
        parse(words)
    except ExpressionError as error:
        raise RefusedError(str(error)) from None
    return True


def _draws(value: Any) -> int:
    draws: int = integer(at_least=0).convert(value)
    if draws and (draws < 32 or draws % 16):
        raise ValueError
    return draws


TOP: dict[str, Key] = {
    "seed": integer(at_least=0),
    "name": text("text without slashes", _is_file_name),
    "engine": choice(*ENGINES),
    "threads": optional(integer(at_least=1)),
    "sparse": either(choice("auto"), flag()),
    "keep_memory": flag(),
    "overwrite_membrane": flag(),
    "checkpoint_steps": optional(either(choice("auto"), integer(at_least=1))),
    "truncate_steps": optional(integer(at_least=1)),
    "resume": optional(text("the path of a run directory")),
    "layer_surrogates": mapping("surrogates by layer, such as {hidden2: triangle}"),
}

_fraction = number(at_least=0, below=1)
_positive = number(above=0)
_not_negative = number(at_least=0)
_decay = optional(number(above=0, at_most=1))
_time_ms = optional(number(above=0))
_batches = either(integer(at_least=1), number(above=0, at_most=1))
# Of what moves from one value to another over training.
_schedule = {
    "end": _positive,
    "unit": choice("epochs", "steps"),
    "begin": integer(at_least=0),
    "length": optional(integer(at_least=1)),
}
_learned = {"per": choice("layer", "neuron")}

GROUPS: dict[str, dict[str, Key]] = {
    "data": {
        "batch_size": integer(at_least=1),
        "root": optional(text("a path")),
        "split_seed": integer(at_least=0),
        "val_fraction": number(above=0, below=1),
        "test_fraction": number(above=0, below=1),
        "manifold_classes": integer(at_least=2),
        "units": integer(at_least=1),
        "dim": integer(at_least=1),
        "alpha": number(above=0, at_most=100),
        "steps": optional(integer(at_least=1)),
        "window": integer(at_least=1),
        "samples_per_class": integer(at_least=10),
        "spectrum": choice("paper", "fzenke"),
        "data_seed": integer(at_least=0),
        "path": optional(path()),
        "set": text("the name of a set"),
        "download": flag(),
        "folds": optional(integer(at_least=2)),
        "fold": integer(at_least=0),
        "normalize": choice("none", "standard", "unit"),
        "missing": choice("error", "linear"),
        "sequence": optional(flag()),
        "x_key": text(),
        "y_key": text(),
        "text_column": text(),
        "label_column": text(),
        "tokens": choice("char", "byte", "word", "word_piece"),
        "tokenizer": optional(path()),
        "vocabulary": integer(at_least=1),
        "steps_per_token": integer(at_least=1),
        "most_tokens": integer(at_least=1),
        "least_count": integer(at_least=1),
        "time_step": _positive,
        "pool": integer(at_least=1),
        "polarity": choice("split", "merge", "on", "off"),
        "counts": choice("binary", "sum"),
        "sensor": optional(list_of(integer(at_least=1), at_least=1)),
        "columns": text("the letters x, y, p and t in some order"),
        "unit": choice("us", "ms", "s"),
        "backwards": choice("error", "sort"),
        "start": choice("clock", "first"),
        "augment_time_jitter": _not_negative,
        "augment_channel_jitter": _not_negative,
        "augment_drop": _fraction,
        "augment_shift": integer(at_least=0),
        "augment_time_shift": _not_negative,
        "contrast_threshold": _positive,
        "threshold_mismatch": _not_negative,
        "background_rate": _not_negative,
        "samples": integer(at_least=1),
        "rate": _not_negative,
        "low_rate": _not_negative,
        "high_rate": _not_negative,
        "function": choice("linear", "sqrt"),
        "cue_steps": integer(at_least=1),
        "delay_steps": integer(at_least=0),
        "symbols": integer(at_least=3),
        "symbol_steps": integer(at_least=1),
        "expected_delay": integer(at_least=1),
    },
    "encoding": {
        "steps": integer(at_least=1),
        "gain": _positive,
        "tau": _positive,
        "threshold": _positive,
        "linear": flag(),
        "off_spikes": flag(),
    },
    "surrogate": {
        "derivative": text("a formula in x", _is_formula),
        "slope": _positive,
        "scale": _positive,
        "normalize": choice("native", "peak", "area"),
        "height": _fraction,
        "spread": number(at_least=1),
        "tail": number(above=1),
        "cutoff": _positive,
        "leak": _not_negative,
        "mean": number(),
        "variance": _not_negative,
    },
    "slope": {
        **_schedule,
        **_learned,
        "width_in_std": _positive,
        "every_epochs": integer(at_least=1),
        "least": _positive,
        "most": _positive,
    },
    "scale": {**_schedule, **_learned},
    "neuron": {
        "beta": _decay,
        "tau": _time_ms,
        "alpha": _decay,
        "tau_syn": _time_ms,
        "dt": _positive,
        "threshold": _positive,
        "reset": choice("subtract", "zero", "none"),
        "input_scale": choice("none", "one_minus_beta"),
        "detach_reset": flag(),
        "learn_beta": flag(),
        "learn_alpha": flag(),
        "learn_threshold": flag(),
        "learn_recurrent": flag(),
        "per_neuron": flag(),
        "tau_spread": number(at_least=0, at_most=1),
        "resistance": _positive,
        "rho": _decay,
        "tau_adapt": _time_ms,
        "threshold_step": _not_negative,
        "a": number(),
        "b": number(),
        "learn_rho": flag(),
        "learn_threshold_step": flag(),
        "learn_a": flag(),
        "learn_b": flag(),
        "adaptive_share": number(at_least=0, at_most=1),
    },
    "model": {
        "hidden": list_of(integer(at_least=1)),
        "channels": list_of(integer(at_least=1), at_least=1),
        "kernel_size": integer(at_least=1, odd=True),
        "pool": choice("max", "avg"),
        "pool_size": integer(at_least=1),
        "blocks": integer(at_least=1),
        "connect": choice("add", "and", "iand"),
        "max_delay": _time_ms,
        "learn_delays": flag(),
        "bias": flag(),
        "dropout": _fraction,
        "norm": choice("none", "step", "tdbn", "bntt"),
        "init": choice(
            "default",
            "uniform_fan_in",
            "kaiming_uniform",
            "kaiming_normal",
            "xavier_uniform",
            "xavier_normal",
            "orthogonal",
            "fluctuation_driven",
        ),
        "init_gain": _positive,
        "init_rate": number(above=0, at_most=1),
        "init_xi": _positive,
        "readout_tau": _time_ms,
        "freeze": list_of(text("the name of a layer")),
    },
    "objective": {
        "lower_rate": number(at_least=0, at_most=1),
        "lower_strength": _not_negative,
        "upper_rate": number(at_least=0, at_most=1),
        "upper_strength": _not_negative,
        "temperature": _positive,
        "on_rate": number(at_least=0, at_most=1),
        "off_rate": number(at_least=0, at_most=1),
    },
    "optimizer": {
        "lr": _positive,
        "weight_decay": _not_negative,
        "betas": list_of(_fraction, at_least=2),
        "momentum": _fraction,
        "schedule": choice("constant", "linear", "cosine", "exponential"),
        "warmup_epochs": _not_negative,
        "final_factor": number(above=0, at_most=1),
    },
    "trainer": {
        "accelerator": choice("auto", "cpu", "gpu", "cuda", "mps"),
        "devices": either(
            integer(at_least=1), choice("auto"), list_of(integer(at_least=0), at_least=1)
        ),
        "strategy": text("auto, ddp, or another strategy of Lightning's"),
        "precision": choice("32-true", "16-mixed", "bf16-mixed", "64-true", "bf16-true"),
        "max_epochs": integer(at_least=1),
        "gradient_clip_val": optional(_positive),
        "gradient_clip_algorithm": choice("norm", "value"),
        "accumulate_grad_batches": integer(at_least=1),
        "limit_train_batches": _batches,
        "limit_val_batches": _batches,
        "limit_test_batches": _batches,
        "log_every_n_steps": integer(at_least=1),
        "deterministic": either(flag(), choice("warn")),
        "detect_anomaly": flag(),
        "sync_batchnorm": flag(),
    },
    "logger": {
        "mode": choice("offline", "online", "disabled"),
        "project": text(),
        "entity": optional(text()),
        "group": optional(text()),
        "tags": list_of(text()),
        "job_type": optional(text()),
        "notes": optional(text()),
        "media": flag(),
        "artifacts": list_of(choice("checkpoint", "report")),
    },
    "callbacks": {
        "progress": flag(),
        "health": flag(),
        "early_stopping_patience": optional(integer(at_least=1)),
        "early_stopping_min_delta": _not_negative,
        "test_every_epoch": flag(),
    },
    "diagnostics": {
        "every_epochs": integer(at_least=1),
        "samples": integer(at_least=1),
        "gradients": flag(),
        "activity": flag(),
        "shown": integer(at_least=0),
        "synops": flag(),
        "alignment": flag(),
        "alignment_draws": Key("0, or a multiple of 16 from 32", _draws),
        "alignment_loop": flag(),
    },
}

# Groups whose options change other groups and leave no keys of their own.
OPTIONAL_GROUPS = ("experiment", "debug")
