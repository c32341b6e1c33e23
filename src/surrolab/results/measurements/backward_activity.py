"""How much of a network is active in the backward pass of a surrogate that is cut off."""

from surrolab.results.trained_networks import (
    build_network,
    first_batch,
    share_near_threshold,
    train,
)


def measure(
    *, seed: int, words: list[str], surrogate: str, epochs: int, cutoff: float
) -> dict[str, float | list[float]]:
    """Train, and after each epoch count the neuron-steps near the threshold.

    Args:
        seed: of weights and of the order of the samples.
        words: of ``surrolab train``: network, data and the rest.
        surrogate: option of that name.
        epochs: at least 1.
        cutoff: half width of what counts as near, in units of the membrane.

    Returns:
        ``active/<layer>``: share of neuron-steps with ``|U - threshold| < cutoff`` in a batch of
        validation samples, at first and after each epoch; ``active/mean`` over layers and epochs,
        each hidden layer counted the same; ``accuracy`` on validation samples at the end.

    Raises:
        UserError: words that ``surrolab train`` refuses.
        ValueError: fewer than one epoch.
    """
    if epochs < 1:
        raise ValueError(f"epochs: {epochs} is not allowed; allowed: at least 1")
    parts = build_network([*words, f"surrogate={surrogate}"], seed)
    batch = first_batch(parts)
    seen = [share_near_threshold(parts, batch, cutoff)]
    accuracy = train(
        parts, epochs, seed, lambda: seen.append(share_near_threshold(parts, batch, cutoff))
    )
    trained = [share for shares in seen[1:] for share in shares.values()]
    return {
        **{f"active/{name}": [shares[name] for shares in seen] for name in seen[0]},
        "active/mean": sum(trained) / len(trained),
        "accuracy": accuracy,
    }
