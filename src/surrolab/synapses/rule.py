"""When a linear layer takes its input by its spikes: where its time by a model is the shorter one.

The models are sums of what has to be done, each part with the time that one thread takes for it.
These times come from ``tests/bench/sparse.py``, which prints them anew on other machines; on
those the crossover is elsewhere, but nothing is ever timed in a run, which would not repeat.
"""

from typing import NamedTuple

BLOCK, WIDTH = 192, 64  # of the kernel's tiles: rows, and the columns that N is filled up to


class Dense(NamedTuple):
    """Nanoseconds of a product: per call, multiplication, number of ``x``, and of the output."""

    call: float
    product: float
    x: float
    out: float


class Sparse(NamedTuple):
    """Nanoseconds of spikes: per call, addition, number of ``x``, of the output, of the weight."""

    call: float
    addition: float
    x: float
    out: float
    weight: float


class Within(NamedTuple):
    """Nanoseconds of the input's gradient in some places: per call, number of ``x``, place,
    multiplication there, and number of the weight.
    """

    call: float
    x: float
    place: float
    product: float
    weight: float


# Forward alone, and forward with the gradients of weight and bias.
FORWARD = Dense(6420, 0.0174, 0.52, 0), Sparse(35500, 0.0231, 0.378, 0.19, 0.414)
TRAINING = Dense(66800, 0.0396, 0.779, 0.284), Sparse(118000, 0.0545, 0.551, 0.656, 1.4)

# The gradient of the input: a product, and only where a surrogate passes it on.
DENSE_INPUT = Dense(3000, 0.0218, 0.9, 0)
WITHIN = Within(20000, 1.6, 9.5, 0.042, 1)

# How many times faster spikes have to be: other machines differ, and so does the order of sums.
GAIN = 1.2


def dense_parts(rows: int, features: int, outputs: int, threads: int) -> Dense:
    """How much of each part a product of ``[rows, features]`` and ``[features, outputs]`` has."""
    return Dense(
        1,
        rows * features * outputs / threads,
        rows * features / threads,
        rows * outputs / threads,
    )


def sparse_parts(rows: int, features: int, outputs: int, spikes: int, threads: int) -> Sparse:
    """The same by spikes; threads share blocks of rows."""
    threads = min(threads, -(-rows // BLOCK))
    padded = -(-outputs // WIDTH) * WIDTH
    return Sparse(
        1,
        spikes * padded / threads,
        rows * features / threads,
        rows * padded / threads,
        features * padded / threads,
    )


def most_spikes(rows: int, features: int, outputs: int, trained: bool, threads: int) -> int:
    """The largest number of spikes in ``[rows, features]`` that pays; negative where none does.

    Args:
        rows: time steps times samples.
        features: F.
        outputs: N.
        trained: whether the weight's gradient will be computed as well.
        threads: how many compute.
    """
    dense, sparse = TRAINING if trained else FORWARD
    product = _nanoseconds(dense, dense_parts(rows, features, outputs, threads))
    silent = _nanoseconds(sparse, sparse_parts(rows, features, outputs, 0, threads))
    one = sparse.addition * sparse_parts(rows, features, outputs, 1, threads).addition
    return min(rows * features, int((product / GAIN - silent) // one))


def most_within(rows: int, features: int, outputs: int, threads: int) -> int:
    """The largest number of places at which the input's gradient for those alone pays.

    Args:
        rows, features, outputs, threads: see :func:`most_spikes`.
    """
    multiplications = rows * features * outputs
    product = (
        DENSE_INPUT.call
        + (DENSE_INPUT.product * multiplications + DENSE_INPUT.x * rows * features) / threads
    )
    fixed = WITHIN.call + WITHIN.weight * features * outputs
    fixed += WITHIN.x * rows * features / threads
    place = (WITHIN.place + WITHIN.product * outputs) / threads
    return min(rows * features, int((product / GAIN - fixed) // place))


def _nanoseconds(times: tuple[float, ...], parts: tuple[float, ...]) -> float:
    return sum(time * part for time, part in zip(times, parts, strict=True))
