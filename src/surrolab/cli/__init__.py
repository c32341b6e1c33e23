"""Entry points. What is heavy is imported once the configuration is known to be good."""

from surrolab.cli.entry import main, train

__all__ = ["main", "train"]
