# `make demo` and `make test` are the whole set-up: each makes .venv and installs what is pinned.
.DEFAULT_GOAL := help
.PHONY: help install demo demo-summaries test test-all bench scale crash-report models tour screenshots soak check clean

PYTHON ?= python3
BIN := .venv/bin
OUT := out
DATA := ../shared/data
AT_ONCE := --numprocesses $(shell expr $$(nproc) + 1) --dist loadfile --no-loadscope-reorder

help:            ## show this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
  --constraint constraints.txt --editable

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Nocturna needs Python 3.11 or newer; name one with: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

# what a night needs; Python compiles the few modules of it that are used when they are
.venv/installed: pyproject.toml constraints.txt | .venv/made
	$(INSTALL) .
	@touch $@

SELDOM := py312_|/tests?/|/(models|ray|sympy|moto|scipy|sklearn|matplotlib|networkx|pip|fontTools)/

# that, and what tests and checks need
.venv/developing: pyproject.toml constraints.txt | .venv/made
	$(INSTALL) '.[dev]'
	@# on all cores, which pip does on one; what few tests import is compiled when they do
	-@$(BIN)/python -m compileall -qq -j 0 -x '$(SELDOM)' .venv/lib
	@touch .venv/installed $@

install: .venv/installed ## create .venv and install Nocturna in it, without what developers need

demo: .venv/installed ## score the bundled corpus with the bundled models and show the result
	$(BIN)/nocturna score --job data/jobs/opiniones.yaml --out $(OUT)
	@$(BIN)/python -m nocturna.demo $(OUT)/opiniones

demo-summaries: .venv/installed ## the demo with Gemini summaries, answered by a fake on this machine
	$(BIN)/python -m tests.enrichment.demo $(BIN)/nocturna score --job data/jobs/opiniones.yaml \
	  --summaries --max-usd 0.10 --summary-words 12 --name resumenes --out $(OUT)
	@$(BIN)/python -m nocturna.demo $(OUT)/resumenes

test: .venv/developing ## run the tests, as many files at once as the machine has cores, and one that waits
	$(BIN)/python -m pytest -m "not slow" $(AT_ONCE)

test-all: .venv/developing ## run the tests and the slow proofs
	$(BIN)/python -m pytest

bench: .venv/developing ## measure inference, whole commands, corpora, shortlists, nights and the rest of the chain (an hour)
	$(BIN)/python -m tests.benchmarks.inference
	$(BIN)/python -m tests.benchmarks.commands
	$(BIN)/python -m tests.benchmarks.corpora
	$(BIN)/python -m tests.benchmarks.chain
	$(BIN)/python -m tests.benchmarks.shortlist
	$(BIN)/python -m tests.benchmarks.nights

scale: .venv/developing ## measure nights of 10^5 and 10^6 rows, each runner; simulate many workers, and 10^9 rows
	$(BIN)/python -m tests.benchmarks.whole_nights
	$(BIN)/python -m tests.benchmarks.runners
	$(BIN)/python -m tests.benchmarks.schedule
	$(BIN)/python -m tests.benchmarks.large

crash-report: .venv/developing ## kill runs at every file operation and at random, and print what it cost
	$(BIN)/python -m tests.results.crash.report

models: .venv/developing ## make the bundled models anew from the public data in DATA (some two hours, with Apertium)
	$(INSTALL) '.[dev,train]'
	$(BIN)/python -m recipes.bundled.make --data $(DATA) --out data/models
	$(BIN)/python -m recipes.prepare

tour: .venv/developing ## run docs/tour.ipynb and write what it shows into it
	$(BIN)/python -m tests.notebook docs/tour.ipynb

screenshots: .venv/developing ## photograph the report of the demo for the README, with Chromium
	$(BIN)/python -m tests.screenshots

soak: .venv/developing ## fifty nights in one `nocturna serve`: does anything grow that should not (an hour)
	$(BIN)/python -m tests.benchmarks.soak

check: .venv/developing ## format, lint, types, dependencies and dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@# mypy finds packages by folders: the package `nocturna` is flows/ with tasks/ in it
	@rm -rf .venv/typed && mkdir -p .venv/typed/nocturna
	@ln -s $(CURDIR)/flows/* .venv/typed/nocturna && ln -s $(CURDIR)/tasks .venv/typed/nocturna/tasks
	MYPYPATH=.venv/typed $(BIN)/mypy
	$(BIN)/deptry flows tasks
	$(BIN)/vulture

clean:           ## remove .venv and caches; results in out/ stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache *.egg-info
