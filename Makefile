# ReAlign: the two commands a newcomer needs are `make demo` and `make test`. Both set everything up first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --no-input --disable-pip-version-check

.PHONY: help setup demo test fast lint types clean

help:
	@echo "make demo    set up, then curate a DPO dataset from examples/tides.pdf into demo/ (no model, no network)"
	@echo "make test    set up, then lint, types and every test, as CI does"
	@echo "make fast    lint, types and the tests that take seconds"
	@echo "make clean   remove the environment and the demo's output"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "== Setting up in $(VENV): a virtual environment and the pinned packages (about a minute, once) =="
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Found $$($(PYTHON) --version 2>&1). Expected Python 3.11 or later. Try: make PYTHON=python3.12 demo"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Could not make a virtual environment. Try: install your system's python3-venv package"; exit 2; }
	$(PIP) -c constraints.txt -e '.[dev,fast]'
	@touch $(READY)

demo: setup
	@echo "== Curating DPO preference pairs from examples/tides.pdf into demo/, with the embedded author and judges =="
	$(BIN)/realign curate examples/tides.pdf --type dpo -o demo

test: lint types
	@echo "== Every test, the slow ones included =="
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 5

fast: lint types
	@echo "== The tests that take seconds =="
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

lint: setup
	@echo "== Lint and format =="
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	@echo "== Types =="
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo
