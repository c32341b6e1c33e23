"""Optuna studies whose trials are runs: spec, search space, workers and what they leave."""
