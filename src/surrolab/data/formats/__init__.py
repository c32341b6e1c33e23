"""Readers of files: pure functions from a path to numpy arrays, each ending in one clear line."""
