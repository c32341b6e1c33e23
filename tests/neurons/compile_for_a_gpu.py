"""Have Triton compile kernels for a GPU that is not there, down to machine code; see the tests.

Prints, for each kernel, its scan, name and size, and what of its assembly the tests look at.
"""

import json
import re
import sys

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from surrolab.neurons.fused import triton as engine
from surrolab.neurons.fused.buffers import Buffers
from surrolab.neurons.fused.expression import MEANING, TRUTH, Expression, Number, Operation
from surrolab.neurons.fused.firing import Printed, printed
from surrolab.neurons.fused.scan import Scan
from surrolab.surrogates import ATan, Sigmoid


class NoGPU:
    """What Triton asks of a driver before it launches anything."""

    def get_current_target(self):
        return GPUTarget("cuda", int(sys.argv[1]), 32)

    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0


def every_operation() -> Expression:
    """A sum over all operations there are; what is true or false counts as 1 or 0."""
    operations, total = [], Number(0.0)
    for name in MEANING:
        truth = name in ("and", "or", "not", "real", "where")
        operations.append(Operation("gt", ("x", Number(0.5))))
        first = len(operations) - 1 if truth else "x"
        rest = {"where": ("slope", Number(0.1)), "and": (first,), "or": (first,)}
        binary = ("add", "sub", "mul", "div", "pow", "minimum", "maximum", *TRUTH[:6])
        others = rest.get(name, ("slope",) if name in binary else ())
        operations.append(Operation(name, (first, *others)))
        operations.append(Operation("add", (total, len(operations) - 1)))
        total = len(operations) - 1
    return Expression(tuple(operations), (total,))


def kernels():
    wanted = frozenset({"beta", "theta", "slope"})
    leaky = Scan("leaky", "subtract", wanted=wanted, started=True, record=True)
    yield leaky, printed(Sigmoid(), False, wanted)
    for dtype in ("bfloat16", "float64"):
        fed = Scan("synaptic", "subtract", recurrent=True, gain=True, started=True, dtype=dtype)
        yield fed, Printed(None, every_operation(), ())
    wanted = frozenset({"rho", "kappa"})
    adaptive = Scan("alif", "subtract", detach=False, wanted=wanted, started=True, recurrent=True)
    yield adaptive, printed(Sigmoid(), False, wanted)
    arrays = frozenset({"alpha", "beta", "tau", "theta"})
    half = Scan("alpha", "zero", smooth=True, arrays=arrays, constant=True, dtype="float16")
    yield half, printed(ATan(), True, frozenset())


def main() -> None:
    driver.set_active(NoGPU())
    for scan, shown in kernels():
        made = engine.TritonEngine().prepare(scan, shown)
        buffers = Buffers(scan, steps=10, lanes=100, device=torch.device("cpu"))
        buffers["mem_rows"] = torch.zeros(1)
        for name in scan.parameters:
            buffers[f"p_{name}"] = torch.zeros(1, dtype=buffers.wide)
        engine.compile_reverse(made, buffers)
        arrays = [engine.stand_in(name, buffers) for name in made.forward.arrays]
        size = engine.block(100, 1)
        numbers = engine.numbers(buffers, 0, 10)
        options = engine.options(size)
        made.forward.function.warmup(*arrays, *numbers, size, grid=(1,), **options)
        for name in ("forward", "reverse", "reverse_start"):
            kernel = getattr(made, name)
            if kernel is None:
                continue
            (found,) = kernel.function.device_caches[0][0].values()
            assembly = found.asm["ptx"]
            facts = {
                "name": name,
                "smooth": scan.smooth,
                "multiply_adds": len(re.findall(r"\bfma\.", assembly)),
                "flushed": len(re.findall(r"\.ftz", assembly)),
                "approximate": len(re.findall(r"\bdiv\.(?:full|approx)", assembly)),
                "shared": found.metadata.shared,
                "code": len(found.asm["cubin"]),
            }
            print(json.dumps(facts))


main()
