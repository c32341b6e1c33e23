"""One-hot vectors kept as numbers, held against the vectors themselves."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from surrolab.encoding import Delta, Direct
from surrolab.models import MLPFactory, RecurrentFactory, Surroundings
from surrolab.neurons import LeakyFactory
from surrolab.probes.synops import SynapticOperations
from surrolab.surrogates import Sigmoid
from surrolab.synapses import OneHot, SpikeLinear, spike_linear

V, N, T, B = 11, 5, 6, 4


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(-1, V, shape, generator=torch.Generator().manual_seed(seed))


def vectors(given: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Written out by a loop."""
    flat = torch.zeros(given.numel(), V, dtype=dtype)
    for row, at in zip(flat, given.flatten().tolist(), strict=True):
        if at >= 0:
            row[at] = 1
    return flat.view(*given.shape, V)


@pytest.fixture
def x() -> OneHot:
    return OneHot(numbers(T, B), V)


def test_it_is_a_tensor_like_the_vectors(x: OneHot) -> None:
    wanted = vectors(x.numbers)
    assert (x.shape, x.dtype, x.stride()) == (wanted.shape, wanted.dtype, wanted.stride())
    assert torch.equal(x.dense(), wanted)
    assert torch.equal(x, wanted)
    assert torch.equal(x + 1, wanted + 1)
    assert torch.equal(2 * x, 2 * wanted)
    assert torch.equal(x.sum((0, 2)), wanted.sum((0, 2)))
    assert torch.equal(torch.stack(list(x)), wanted)
    assert torch.equal(torch.cat([wanted, x]), torch.cat([wanted, wanted]))
    assert torch.equal(x[x.sum(-1) > 0], wanted[wanted.sum(-1) > 0])
    assert (x.numpy() == wanted.numpy()).all()
    assert x.tolist() == wanted.tolist()
    assert x.any(-1).tolist() == wanted.any(-1).tolist()
    assert torch.equal(x.new_zeros(3), torch.zeros(3))
    assert torch.equal(torch.zeros_like(x[0]), torch.zeros(B, V))
    out = torch.empty(T, B, V)
    assert torch.equal(out.copy_(x), wanted)


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: x[2:5],
        lambda x: x[::2],
        lambda x: x[-1],
        lambda x: x[:3, 1],
        lambda x: x[:, 1:],
        lambda x: x.index_select(1, torch.tensor([3, 0])),
        lambda x: x.detach(),
        lambda x: x.clone(),
        lambda x: x.contiguous(),
        lambda x: x.flatten(2),
        lambda x: x.double(),
        lambda x: x.to("cpu", torch.bfloat16),
        lambda x: x.to("meta").to(torch.float64).shape,
    ],
)
def test_what_is_cut_or_copied_stays_compact(x: OneHot, cut) -> None:
    found, wanted = cut(x), cut(vectors(x.numbers))
    if isinstance(found, Tensor):
        assert type(found) is OneHot
        assert found.dtype == wanted.dtype
        assert torch.equal(found.dense(), wanted)
    else:
        assert found == wanted


@pytest.mark.parametrize(
    "cut", [lambda x: x[..., 2], lambda x: x[:, :, 1:3], lambda x: x.select(-1, 0), torch.t]
)
def test_what_cuts_the_vectors_makes_them(cut) -> None:
    x = OneHot(numbers(T, B) if cut is not torch.t else numbers(T), V)
    found = cut(x)
    assert type(found) is Tensor
    assert torch.equal(found, cut(vectors(x.numbers)))


def test_it_is_not_written_to(x: OneHot) -> None:
    with pytest.raises(TypeError, match="not written to"):
        x.mul_(2)
    with pytest.raises(TypeError, match="not written to"):
        x[0] = 0


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mode", ["auto", "true", "false"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_linear_layer_gives_the_same_to_the_bit(
    bias: bool, mode: str, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(0)
    given = numbers(T, B)
    weight = torch.randn(N, V, generator=generator, dtype=dtype)
    bias_N = torch.randn(N, generator=generator, dtype=dtype) if bias else None
    grad = torch.randn(T, B, N, generator=generator, dtype=dtype)
    found = []
    for x in (OneHot(given, V, dtype), vectors(given, dtype)):
        leaves = [weight.clone().requires_grad_()]
        leaves += [bias_N.clone().requires_grad_()] if bias_N is not None else []
        out = (
            spike_linear(x, *leaves, sparse=mode) if isinstance(x, OneHot) else F.linear(x, *leaves)
        )
        out.backward(grad)
        found.append((out.detach(), *(leaf.grad for leaf in leaves)))
    for got, wanted in zip(*found, strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)
    assert torch.equal(found[0][0], found[1][0])


def test_its_gradient_by_finite_differences() -> None:
    x = OneHot(numbers(3, 2), V, torch.float64)
    weight = torch.randn(N, V, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(N, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w, b: spike_linear(x, w, b), (weight, bias))
    assert torch.autograd.gradgradcheck(lambda w, b: spike_linear(x, w, b) ** 2, (weight, bias))


def test_under_autocast_it_is_in_autocasts_precision(x: OneHot) -> None:
    layer = SpikeLinear(V, N)
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = layer(x), layer(vectors(x.numbers))
    assert found.dtype == wanted.dtype == torch.bfloat16
    torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("factory", [MLPFactory, RecurrentFactory])
@pytest.mark.parametrize("parts", [None, 2])
@pytest.mark.parametrize("inference", [False, True])
def test_a_network_and_its_operations_are_the_same(
    factory: type, parts: int | None, inference: bool
) -> None:
    torch.manual_seed(0)
    around = Surroundings((V,), 3, T, LeakyFactory(threshold=0.3), Sigmoid(), "torch", "membrane")
    network = factory(hidden=[16]).build(around)
    network.checkpoint_steps = parts
    lengths = torch.tensor([6, 4, 1, 5])
    given = numbers(T, B)
    given[torch.arange(T)[:, None] >= lengths] = -1
    outputs, gradients, operations = [], [], []
    for x in (OneHot(given, V), vectors(given)):
        own = copy.deepcopy(network)
        with torch.inference_mode(inference):
            encoded, _ = Direct(1)(x, lengths, is_sequence=True)
            output = own(encoded, lengths_B=lengths)
        outputs.append(output.y.detach())
        if not inference:
            output.y.square().sum().backward()
            gradients.append([parameter.grad for parameter in own.parameters()])
        own.eval()
        with torch.no_grad():
            output = own(encoded, record=True)
            counter = SynapticOperations(own)
            valid = torch.arange(T)[:, None] < lengths
            spikes = {
                name: (spk * valid[..., None]).sum((0, 1)).long()
                for name, spk in output.hidden.items()
            }
            counter.update(own, encoded, output, lengths, spikes)
        operations.append({name: float(value) for name, value in counter.compute().items()})
    assert torch.equal(*outputs)
    assert operations[0] == operations[1]
    assert operations[0]["hidden1/effective_acs"] > 0
    for got, wanted in zip(*gradients, strict=True) if gradients else ():
        torch.testing.assert_close(got, wanted)


def test_other_encodings_see_the_vectors(x: OneHot) -> None:
    lengths = torch.full((B,), T)
    dense = vectors(x.numbers)
    for encoder in (Direct(1, gain=2.0), Delta(1, threshold=0.5, off_spikes=True)):
        assert torch.equal(
            encoder(x, lengths, is_sequence=True)[0], encoder(dense, lengths, is_sequence=True)[0]
        )


def test_a_layer_of_another_kind_sees_the_vectors(x: OneHot) -> None:
    layer = nn.Linear(V, N)
    assert torch.equal(layer(x), layer(vectors(x.numbers)))
