# Ensue. `make` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ROW ?=
# Processes of the tests, each on one core.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint types bench results docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)  ## the main job: learn from unlabeled speech, then compare features (5 minutes)
	$(BIN)/ensue demo --out runs/demo-$$(date +%Y%m%d-%H%M%S) --cache runs/cache

test: $(STAMP)  ## all tests but the slow ones
	$(PYTEST) -m 'not slow'

test-slow: $(STAMP)  ## the slow tests
	$(PYTEST) -m slow

lint: $(STAMP)  ## ruff: format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)  ## pyright on src
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(STAMP)  ## the speed benchmarks, into benchmarks/results
	$(BIN)/python -m benchmarks.info_nce
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.recurrent
	$(BIN)/python -m benchmarks.generation
	$(BIN)/python -m benchmarks.causal
	$(BIN)/python -m benchmarks.any_order
	$(BIN)/python -m benchmarks.sequence_vae
	$(BIN)/python -m benchmarks.seq2seq
	$(BIN)/python -m benchmarks.paper_images

results: $(STAMP)  ## make a published figure again: make results ROW=speech
	$(BIN)/python -m benchmarks.results $(ROW)

docs: $(STAMP)  ## the site, into docs/_build/index.html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs docs/_build
	@echo "wrote docs/_build/index.html"

clean:  ## remove the environment and caches; runs stay
	rm -rf $(VENV) .pytest_cache .ruff_cache
