"""Measures the parts that are asked for, in the environment that has the peers."""

import json
import sys
from contextlib import ExitStack
from typing import Any

import machine
import part_layer
import part_memory
import part_neuron
import part_onm
import part_scaling
import part_steps
import report
import torch
from options import PARTS, arguments
from others import Others
from part_neuron import SHAPES
from remote import KEEPING, Spyx, start_spyx

# What a GPU is asked: large enough to be busy.
GPU_SHAPES = [*SHAPES, (500, 64, 4096)]
ON_GPU = ("neuron", "memory", "layer", "onm")


def on_cpu(part: str, quick: bool, threads: int, spyx: Spyx | None) -> dict[str, Any]:
    """One part."""
    seconds, shapes = (2.0, SHAPES[:2]) if quick else (12.0, SHAPES)
    if part == "neuron":
        return {"float32": part_neuron.measure(shapes, "cpu", torch.float32, seconds, spyx)}
    if part == "memory":
        return {"float32": part_memory.measure(shapes, "cpu", threads)}
    if part == "layer":
        return {"float32": part_layer.measure(shapes, "cpu", seconds, spyx)}
    if part == "steps":
        return {"float32": part_steps.measure(seconds, threads, quick)}
    if part == "onm":
        widths = [512] if quick else [512, 1024, 2048]
        return {"float32": part_onm.measure(widths, "cpu", 2 * seconds, spyx)}
    return part_scaling.measure(seconds, quick, spyx)


def on_gpu(part: str, quick: bool) -> dict[str, Any]:
    """One part; the neurons also in bfloat16, and by the time of their kernels alone."""
    seconds, shapes = (2.0, GPU_SHAPES[:2]) if quick else (10.0, GPU_SHAPES)
    if part == "memory":
        return {"float32": part_memory.measure(shapes, "cuda", 0)}
    if part == "layer":
        return {"float32": part_layer.measure(shapes[:4], "cuda", seconds, None)}
    if part == "onm":
        widths = [512] if quick else [512, 2048, 4096, 8192, 16384]
        return {"float32": part_onm.measure(widths, "cuda", 2 * seconds, None)}
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        found[name] = part_neuron.measure(shapes, "cuda", dtype, seconds, None)
        found[f"{name}, kernels alone"] = part_neuron.kernel_times(shapes, dtype)
    return found


def kept() -> bool:
    """Whether the C library keeps freed memory from now on."""
    try:
        from surrolab.memory import keep_freed_memory
    except ImportError:
        print("keep_freed_memory: not available")
        return False
    keep_freed_memory()
    return True


def main() -> None:
    """Measure, merge with what other calls have measured, and write."""
    given = arguments()
    raw = given.output / "benchmark.json"
    results: dict[str, Any] = json.loads(raw.read_text()) if raw.exists() else {}
    parts = () if given.redraw else given.part or PARTS
    torch.set_num_threads(given.threads)
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("device: no GPU here; allowed: cpu")
    keep = bool(parts) and given.keep and kept()
    memory = "freed memory kept" if keep else "freed memory returned"
    with ExitStack() as stack:
        spyx = None
        if given.device == "cpu" and set(parts) - {"memory", "steps"}:
            spyx = start_spyx(given.threads, KEEPING if keep else {})
            if spyx is not None:
                stack.enter_context(spyx)
        facts = machine.facts(given.device, given.threads, spyx.version if spyx else None)
        for part in parts:
            others = Others([spyx.pid] if spyx else [])
            if given.device == "cuda":
                found = on_gpu(part, given.quick) if part in ON_GPU else {}
            else:
                found = on_cpu(part, given.quick, given.threads, spyx)
            share = others.share()
            for name, result in found.items():
                variant = f"{given.device}, {name}" + (
                    f", {memory}" if given.device == "cpu" and part != "memory" else ""
                )
                about = {"machine": facts, "quick": given.quick, "others": share}
                results.setdefault(part, {})[variant] = about | result
                print(report.section(part, variant, results[part][variant]))
            given.output.mkdir(parents=True, exist_ok=True)
            raw.write_text(json.dumps(results) + "\n")
    report.write(results, given.output)


if __name__ == "__main__":
    main()
