"""What data and objectives agree on about the targets of single steps."""

UNASKED = -1
"""The class of a step in which nothing is asked, where each step has a class."""
