# `make demo` and `make test` are all a fresh machine needs: they set everything up themselves.
# To choose:  PYTHON=python3.12  VENV=/path/to/venv  TORCH="torch==2.6.0"  PYTEST_ARGS="-k tiling"

PYTHON ?= python3
VENV ?= .venv
export VENV

IN_VENV := $(VENV)/bin/python
ON_SCREEN := $(IN_VENV) tools/with_display.py --
SETUP := @$(PYTHON) tools/bootstrap.py

.PHONY: help demo test check bench evaluate build clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make demo    open napari, upscale the sample, leave pictures in demo-output/"
	@echo "make test    run the tests                    (PYTEST_ARGS=... goes to pytest)"
	@echo "make check   lint, types, layering, manifest"
	@echo "make bench   run the benchmarks, leave figures and a picture in bench-output/"
	@echo "make evaluate BENCHMARKS=DIR   measure the weights, compare every published number"
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
	$(SETUP) --window maybe --extras testing,bench
	@$(ON_SCREEN) $(IN_VENV) benchmarks \
		--json bench-output/benchmark.json --plot bench-output/benchmark.png $(BENCH_ARGS)

define NO_BENCHMARKS
make evaluate BENCHMARKS=DIR needs Set5 and Set14, which are not ours to pass on. Huang, Singh and
Ahuja (CVPR 2015) publish them as pairs of images, at https://github.com/jbhuang0604/SelfExSR in
data/Set5/image_SRF_4 and data/Set14/image_SRF_4. Put them like this, and name DIR:
  DIR/Set5/img_001_SRF_4_HR.png    DIR/Set5/img_001_SRF_4_LR.png    ...   5 pairs
  DIR/Set14/img_001_SRF_4_HR.png   DIR/Set14/img_001_SRF_4_LR.png   ...  14 pairs
NETWORKS=DIR names a folder of AlexNet's and VGG16's weights, for LPIPS and DISTS.
endef
export NO_BENCHMARKS

evaluate:
	@test -n "$(BENCHMARKS)" || { echo "$$NO_BENCHMARKS" >&2; exit 2; }
	$(SETUP) --window no
	@$(IN_VENV) tools/cards.py --check "$(BENCHMARKS)" $(if $(NETWORKS),--networks "$(NETWORKS)")

build:
	$(SETUP) --window no
	$(IN_VENV) -m build --no-isolation --outdir dist .

clean:
	rm -rf build dist demo-output bench-output .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf *.egg-info src/*.egg-info
	find src training weights tests tools benchmarks -name __pycache__ -prune -exec rm -rf {} +
