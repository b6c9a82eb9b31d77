# `make demo` and `make test` are all a fresh machine needs: they set everything up themselves.
# To choose:  PYTHON=python3.12  VENV=/path/to/venv  TORCH="torch==2.6.0"  PYTEST_ARGS="-k tiling"

PYTHON ?= python3
VENV ?= .venv
export VENV

IN_VENV := $(VENV)/bin/python
ON_SCREEN := $(IN_VENV) tools/with_display.py --
SETUP := @$(PYTHON) tools/bootstrap.py

.PHONY: help demo test check bench build clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make demo    open napari, upscale the sample, leave pictures in demo-output/"
	@echo "make test    run the tests                    (PYTEST_ARGS=... goes to pytest)"
	@echo "make check   lint, types, layering, manifest"
	@echo "make bench   run the benchmarks"
	@echo "make build   make the wheel and the sdist in dist/"
	@echo "make clean   remove what these made, except $(VENV)"

demo:
	$(SETUP) --window yes
	@$(ON_SCREEN) $(IN_VENV) tools/demo.py $(DEMO_ARGS)

test:
	$(SETUP) --window maybe
	@$(ON_SCREEN) $(IN_VENV) -m pytest $(PYTEST_ARGS)

check:
	$(SETUP) --window no --extras dev
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) tools/typecheck.py
	$(IN_VENV) -m pytest -q -p no:napari -p no:pytest-qt -p no:xvfb tests/test_layering.py
	$(IN_VENV) -m npe2 validate napari-srgan

bench:
	$(SETUP) --window no
	@set -e; for script in benchmarks/*.py; do echo "$$script"; $(IN_VENV) "$$script"; done

build:
	$(SETUP) --window no
	$(IN_VENV) -m build --no-isolation --outdir dist .

clean:
	rm -rf build dist demo-output .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf *.egg-info src/*.egg-info
	find src training weights tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +
