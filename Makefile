# Everything works in a fresh clone: each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup train sweep reproduce results test test-slow lint format bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: .venv/installed ## make .venv with surrolab and everything it needs (done once)

# The stamp is written last, so that a set-up that was broken off is done again.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "surrolab needs Python 3.11 or newer; call make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

train: setup ## train the default network: handwritten digits, sigmoid surrogate
	$(BIN)/python train.py surrogate=sigmoid

sweep: setup ## search all surrogates on handwritten digits: report.html in a few minutes
	$(BIN)/surrolab sweep sweeps/surrogate_choice.yaml trials=60 trainer.max_epochs=10

# BUDGET=short is that of the committed ledger; QUICK=1 a try-out of a minute.
BUDGET ?= $(if $(QUICK),quick,published)
reproduce: setup ## make a published result again: RESULT=zenke2021_fig3 QUICK=1
	$(BIN)/surrolab reproduce $(RESULT) budget=$(BUDGET)

results: setup ## make the tables, pages and figures of docs/results from their records
	$(BIN)/surrolab reproduce --rebuild

# Two at a time, a thread each: most of a test's time is a program starting.
test: setup ## run the tests (minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-slow: setup ## run the proofs that take longer
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m slow

lint: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## put the code into the project's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure speed beside other libraries, and accuracies, for docs/ (an hour)
	$(BIN)/python tests/bench/engines
	$(BIN)/python tests/bench/overhead.py
	$(BIN)/python tests/bench/accuracy.py
	$(BIN)/python tests/bench/loading.py
	$(BIN)/python tests/bench/tasks.py
	$(BIN)/python tests/bench/sweeps.py

clean: ## remove the virtual environment and caches; runs in outputs/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
