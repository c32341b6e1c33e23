"""Order and sharding of the index batches."""

import itertools

import pytest
import torch
from torch import Tensor

from surrolab.data import IndexBatches

SIZES = [
    (n, b, w) for n in (1, 2, 5, 7, 12, 13, 33, 34, 35) for b in (1, 2, 4, 16) for w in (1, 2, 3)
]


def shards(count: int, batch_size: int, world: int, **options: bool) -> list[list[Tensor]]:
    made = []
    for rank in range(world):
        sampler = IndexBatches(count, batch_size, seed=5, rank=rank, world_size=world, **options)
        batches = list(sampler)
        assert len(sampler) == len(batches)
        assert all(batch.dtype == torch.int64 and batch.ndim == 1 for batch in batches)
        made.append(batches)
    return made


def flat(batches: list[Tensor]) -> list[int]:
    return [int(i) for batch in batches for i in batch]


@pytest.mark.parametrize(("count", "batch_size", "world"), SIZES)
def test_evaluation_neither_loses_nor_doubles_a_sample(
    count: int, batch_size: int, world: int
) -> None:
    ranks = shards(count, batch_size, world)
    assert sorted(itertools.chain(*map(flat, ranks))) == list(range(count))
    assert all(0 < len(batch) <= batch_size + (world > 1) for rank in ranks for batch in rank)
    if count >= world:
        assert len({len(rank) for rank in ranks}) == 1


@pytest.mark.parametrize(("count", "batch_size", "world"), SIZES)
def test_training_gives_every_rank_the_same_batch_sizes_but_for_one_sample(
    count: int, batch_size: int, world: int
) -> None:
    ranks = shards(count, batch_size, world, training=True, shuffle=True)
    sizes = [[len(batch) for batch in rank] for rank in ranks]
    assert all(other[:-1] == sizes[0][:-1] for other in sizes)
    assert all(size == batch_size for size in sizes[0][:-1])
    last = [rank[-1] for rank in sizes]
    assert max(last) - min(last) <= 1
    seen = list(itertools.chain(*map(flat, ranks)))
    if count < world:  # each has one
        assert set(seen) == set(range(count))
        assert len(seen) == world
        return
    assert sorted(seen) == list(range(count))
    if batch_size > 1 and count >= 2 * world:
        assert min(last) >= 2
        assert max(last) <= batch_size + 2


@pytest.mark.parametrize(("count", "batch_size", "world"), SIZES)
def test_means_of_ranks_with_their_weights_are_the_mean_of_all(
    count: int, batch_size: int, world: int
) -> None:
    ranks = shards(count, batch_size, world, training=True, shuffle=True)
    values = torch.arange(count, dtype=torch.float64) ** 2
    for step, batches in enumerate(zip(*ranks, strict=True)):
        weights = [
            IndexBatches(count, batch_size, training=True, rank=rank, world_size=world).weight(step)
            for rank in range(world)
        ]
        means = [values[batch].mean() * w for batch, w in zip(batches, weights, strict=True)]
        torch.testing.assert_close(sum(means) / world, values[torch.cat(batches)].mean())


def test_a_trailing_sample_joins_the_batch_before() -> None:
    (batches,) = shards(33, 16, 1, training=True)
    assert [len(batch) for batch in batches] == [16, 17]


def test_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, *epochs: int) -> list[int]:
        sampler = IndexBatches(100, 7, training=True, shuffle=True, seed=seed)
        for epoch in epochs:
            sampler.set_epoch(epoch)
            batches = list(sampler)
        return flat(batches)

    # Epoch 3 reached step by step, at once as in a resumed run, and amid unrelated draws.
    stepwise = order(1, 0, 1, 2, 3)
    torch.rand(5)
    assert stepwise == order(1, 3) == order(1, 3, 3)
    distinct = {tuple(order(seed, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(distinct) == 16


def test_an_iterator_follows_the_epoch_set_before_its_first_batch() -> None:
    sampler = IndexBatches(50, 10, training=True, shuffle=True)
    early = iter(sampler)
    sampler.set_epoch(4)
    assert flat(list(early)) == flat(list(sampler))


@pytest.mark.parametrize("world", [2, 3])
def test_one_step_of_all_ranks_is_one_step_of_a_larger_batch(world: int) -> None:
    (alone,) = shards(60, 5 * world, 1, training=True, shuffle=True)
    ranks = shards(60, 5, world, training=True, shuffle=True)
    for whole, *parts in zip(alone, *ranks, strict=True):
        assert sorted(whole.tolist()) == sorted(torch.cat(parts).tolist())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("count", {"count": 0, "batch_size": 1}),
        ("batch_size", {"count": 3, "batch_size": 0}),
        ("seed", {"count": 3, "batch_size": 1, "seed": -1}),
        ("world_size", {"count": 3, "batch_size": 1, "world_size": 0}),
        ("rank", {"count": 3, "batch_size": 1, "rank": 2, "world_size": 2}),
    ],
)
def test_bad_arguments_are_refused_by_name(name: str, arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: .*allowed: ") as error:
        IndexBatches(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
