# raterbench: `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= results/quick
# What a run and a report import is compiled; pip would compile everything, which takes a minute more.
COMPILED := raterbench.benchmark.runner.preloaded, raterbench.reports.figures.figures, raterbench.reports.page.report, pytest
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import $(COMPILED)"
	touch $@

.PHONY: help setup bench bench-smoke tables test lint perf clean

help:  ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed  ## make .venv from requirements.lock

bench: setup  ## run the experiment quick and write results/quick/report.html
	$(BIN)/raterbench run quick

bench-smoke: setup  ## a run of everything in under two minutes
	$(BIN)/raterbench run smoke

tables: setup  ## rebuild tables and figures from stored units (OUT=results/quick)
	$(BIN)/raterbench report $(OUT)

test: setup  ## run all tests
	$(BIN)/python -m pytest

lint: setup  ## ruff, mypy and the examples in docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p .lint && ln -sfn .. .lint/raterbench
	MYPYPATH=.lint $(BIN)/mypy -p raterbench
	$(BIN)/python -m pytest -n0 --doctest-modules datasets methods benchmark reports

perf: setup  ## measure speed, as ratios in one run
	$(BIN)/raterbench perf

clean:  ## remove .venv, results and caches
	rm -rf $(VENV) .lint results build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
