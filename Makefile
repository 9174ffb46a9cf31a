# ReAlign: the two commands a newcomer needs are `make demo` and `make test`. Both set everything up first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLAUDE_CODE := @anthropic-ai/claude-code@2.1.329
FETCHED = $(wildcard $(CURDIR)/$(VENV)/claude-code/node_modules/@anthropic-ai/claude-code-*/claude)
SRF := demo/align-srf
PIP := $(BIN)/python -m pip install --no-input --disable-pip-version-check

.PHONY: help setup demo demo-align demo-align-srf test fast acceptance lint types clean

help:
	@echo "make demo    set up, then curate a DPO dataset from examples/tides.pdf into demo/ (no model, no network)"
	@echo "make demo-align  make a tiny model that answers badly, curate tasks with it, and align it (about four minutes, offline)"
	@echo "make demo-align-srf  the same with a reward model and reinforcement (about two minutes, offline)"
	@echo "make test    set up, then lint, types and every test, as CI does"
	@echo "make fast    lint, types and the tests that take seconds"
	@echo "make acceptance  the plugin in the real Claude Code (fetched with npm if need be), without login, model or network"
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

demo-align: setup
	@echo "== Teaching a tiny model badly, curating tasks with it, and aligning it in seven gated stages, into demo/align =="
	$(BIN)/python examples/align_demo.py demo/align dpo
	$(BIN)/realign curate demo/align/tasks.jsonl --type rlvr --author demo/align/base -o demo/align/runs \
		--set candidates.max_tokens=24 --set candidates.batch_size=256 --set candidates.temperature=1.0
	$(BIN)/realign align --data "$$(ls -d demo/align/runs/rlvr_tasks_*)" --type dpo --model demo/align/base -o demo/align/runs \
		--set adapter.kind=full --set training.rows=32 --set fine_tuning.schedule=60:3e-4 --set rewarding.schedule=100:3e-4 \
		--set optimizing.schedule=60:5e-5 --set optimizing.max_tokens=24 --set 'evaluating.benchmarks=["demo/align/exam.jsonl"]'

demo-align-srf: setup
	@echo "== Teaching a tiny model badly, and aligning it by a reward model in seven gated stages, into $(SRF) =="
	$(BIN)/python examples/align_demo.py $(SRF) srf
	$(BIN)/realign align --data $(SRF)/pairs.jsonl --type srf --model $(SRF)/base -o $(SRF)/runs \
		--set adapter.kind=full --set training.rows=32 --set fine_tuning.schedule=20:1e-4 --set rewarding.schedule=180:5e-4 \
		--set optimizing.schedule=9:2e-4 --set optimizing.max_tokens=12 --set reinforce.max_tokens=12 --set reinforce.prompts=16 \
		--set reinforce.kl_weight=0.1 --set evaluating.prompts=400 --set 'evaluating.benchmarks=["$(SRF)/exam.jsonl"]'

test: lint types
	@echo "== Every test, the slow ones included =="
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 5

fast: lint types
	@echo "== The tests that take seconds =="
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

acceptance: setup
	@echo "== The plugin in the real Claude Code, without login, model or network =="
	@if [ -z "$$REALIGN_CLAUDE$(FETCHED)" ] && ! command -v claude >/dev/null; then \
		command -v npm >/dev/null || \
			{ echo "Found no claude and no npm. Expected one of them. Try: REALIGN_CLAUDE=/path/to/claude make acceptance"; exit 2; }; \
		echo "Fetching $(CLAUDE_CODE), once"; \
		npm install --silent --no-fund --no-audit --prefix $(VENV)/claude-code $(CLAUDE_CODE); \
	fi
	@REALIGN_CLAUDE="$${REALIGN_CLAUDE:-$$(command -v claude || ls $(CURDIR)/$(VENV)/claude-code/node_modules/@anthropic-ai/claude-code-*/claude)}" \
		$(BIN)/python -m pytest -rs tests/plugin

lint: setup
	@echo "== Lint and format =="
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	@echo "== Types =="
	$(BIN)/mypy
	$(BIN)/mypy server/launch.py server/build.py

clean:
	rm -rf $(VENV) demo
