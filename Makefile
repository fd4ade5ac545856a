.DEFAULT_GOAL := help
.PHONY: help demo test test-fast soak bench fuzz lint docs clean

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo
CASES ?= 20000
SEED ?= 1

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[compare,dev,docs,mlflow,ray,sweep,tensorboard]"
	touch $@

demo: .venv/installed  ## corpus, classifier, inverter, curve and one explanation: six to ten minutes on two cores
	$(BIN)/python train.py overwrite=true hydra.run.dir=$(DEMO)/train
	$(BIN)/python evaluate.py excerpts.n=200 overwrite=true hydra.run.dir=$(DEMO)/evaluate
	$(BIN)/python explain.py overwrite=true hydra.run.dir=$(DEMO)/explain
	@echo
	@echo "Open $(DEMO)/explain/report.html and $(DEMO)/evaluate/curve.png"

test: .venv/installed  ## every test but those of `make soak`
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m "not soak"

test-fast: .venv/installed  ## the tests that take seconds
	$(BIN)/pytest -n auto --dist loadfile -m "not slow and not soak"

soak: .venv/installed  ## many repetitions of the random trials: kills at random moments, damaged files
	$(BIN)/pytest -m soak

bench: .venv/installed  ## time each part against a straightforward implementation: about two minutes on two cores
	$(BIN)/python -m benchmarks

fuzz: .venv/installed  ## CASES=20000 damaged and hostile files of SEED=1: ten minutes
	$(BIN)/python -m fuzz $(CASES) $(SEED)

lint: .venv/installed  ## ruff, import-linter and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

docs: .venv/installed  ## build the documentation into site/; broken links are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:  ## remove runs, caches and trained models; .venv stays
	rm -rf runs cache site .pytest_cache .ruff_cache
