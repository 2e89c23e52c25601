# make demo | test | test-faults | check | lint | docs | help. The first call makes the virtual environment.

VENV ?= .venv
PYTHON ?= python3
EXTRAS ?= cpu,all,dev
BIN := $(VENV)/bin
# The environment is renewed only when what it is made from has changed.
STAMP := $(VENV)/.installed

.PHONY: help demo test test-faults check lint docs

help:
	@echo "make demo   the whole method on small generated videos, a few minutes on two CPU cores"
	@echo "make test   the tests, a few injected faults among them"
	@echo "make test-faults   all of the fault suite: kills, changes, faults"
	@echo "make check  format, lint, types, docs and the quick tests: before a pull request"
	@echo "make lint   ruff and mypy"
	@echo "make docs   the pages of docs/ as a site in site/; a broken link is an error"
	@echo "VENV=$(VENV) is made when missing; EXTRAS=$(EXTRAS) (gpu,all,dev on a machine with CUDA)"

demo: $(STAMP)
	$(BIN)/python tools/demo/run.py

test: $(STAMP)
	$(BIN)/python -m pytest

test-faults: $(STAMP)
	SLIC_FAULTS=full $(BIN)/python -m pytest -m faults -n 0 tests/faults

check: lint docs
	$(BIN)/python -m pytest -m "not slow and not faults"

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

$(VENV)/.docs: $(STAMP)
	$(BIN)/pip install -c requirements/constraints.txt -e ".[docs]"
	touch $@

$(STAMP): setup.py pyproject.toml requirements/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -c requirements/constraints.txt -e ".[$(EXTRAS)]"
	touch $@
