# One Makefile for people, CI and pre-commit. Every target is safe to run twice, and fast the second time.
SHELL := /bin/sh
PYTHON ?= python3
VENVS := .venv
INFERENCE := $(VENVS)/inference
FRONTEND := $(VENVS)/frontend
TRAINING := $(VENVS)/training
BATCH := $(VENVS)/batch
BATCH_DEV := $(VENVS)/batch-dev
DEV := $(VENVS)/dev

# The packages whose dependencies are resolved together, and those with batch, which is alone with Ray in its environments.
RESOLVED := services/inference services/frontend training
PACKAGES := $(RESOLVED) services/batch
SOURCES := services/inference/photocaption services/frontend/frontend training/training services/batch/batch tools tests
REQUIREMENTS := $(PACKAGES:%=%/requirements.txt)
SPLIT ?= dev
TEST_PROCESSES ?= 2
BUNDLE ?= artifacts/default
# DATASET as options: one folder, whose name may hold blanks, or several.
DATASETS = $(if $(shell test -d "$(DATASET)" && echo one),--dataset "$(DATASET)",$(DATASET:%=--dataset "%"))

# What a target lacks is said before anything is installed for it.
NEEDS_DATASET := $(filter train end-to-end evaluate report,$(MAKECMDGOALS))
$(if $(filter corpus,$(MAKECMDGOALS)),$(if $(CORPUS),,$(error say where the pictures are: make corpus CORPUS=path/to/folder)))
NEEDS_OUT := $(filter train end-to-end,$(MAKECMDGOALS))
$(if $(NEEDS_DATASET),$(if $(DATASET),,$(error say where the photos are: make $(firstword $(NEEDS_DATASET)) DATASET=path/to/flickr8k)))
$(if $(NEEDS_OUT),$(if $(OUT),,$(error say where the result goes: make $(firstword $(NEEDS_OUT)) DATASET=$(DATASET) OUT=artifacts/mine)))
$(if $(filter batch,$(MAKECMDGOALS)),$(if $(INPUT),$(if $(OUTPUT),,$(error say where the captions go: make batch INPUT="$(INPUT)" OUTPUT=captions)),$(error say where the photos are: make batch INPUT=path/to/photos OUTPUT=captions)))

.DEFAULT_GOAL := help
.PHONY: help run test batch batch-chaos batch-speed screenshots waiting test-compose sizing chaos corpus prove bench audit train end-to-end evaluate report photos example lint format lock wheel clean clean-all

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INFERENCE)/ready $(FRONTEND)/ready ## serve the page on port 8080 and the API on port 8000; Ctrl-C stops both
	@$(INFERENCE)/bin/python tools/run.py --inference $(INFERENCE)/bin/python --frontend $(FRONTEND)/bin/python

test: $(DEV)/ready ## check the style, then run all tests
	@$(MAKE) --no-print-directory lint
	$(DEV)/bin/python -m pytest -n $(TEST_PROCESSES) --no-loadscope-reorder $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory $(BATCH_DEV)/ready
	$(BATCH_DEV)/bin/python -m pytest tests/batch $(PYTEST_ARGS)

batch: $(BATCH)/ready ## INPUT=… OUTPUT=…: caption folders, globs, tables or buckets of photos into Parquet; BATCH_ARGS="--actors 2"
	$(BATCH)/bin/caption-batch "$(INPUT)" --output "$(OUTPUT)" $(BATCH_ARGS)

batch-chaos: $(BATCH_DEV)/ready ## kill a batch run's driver, actors and nodes, and count its rows; BATCH_CHAOS_ARGS="--photos 20000"
	@PYTHONPATH=tools:tests $(BATCH_DEV)/bin/python -m batch_chaos $(BATCH_CHAOS_ARGS)

batch-speed: $(BATCH_DEV)/ready ## what a batch run costs beyond the captioner, and what a second node brings; fails below the bars
	@PYTHONPATH=tools:tests $(BATCH_DEV)/bin/python -m batch_speed $(BATCH_SPEED_ARGS)

screenshots: $(DEV)/ready ## take the docs' screenshots of the page: real services, real bundle, real browser; STATES="start caption"
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m screenshots $(STATES)

waiting: $(DEV)/ready ## measure how long the page takes beyond the API's own answer; fails above half a second
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m waiting $(WAITING_ARGS)

test-compose: $(DEV)/ready ## run docker-compose.yml and try it; starts Docker's engine where none runs
	@sh tests/e2e/compose/start_engine.sh
	TEST_COMPOSE=1 $(DEV)/bin/python -m pytest tests/e2e/compose $(PYTEST_ARGS)

sizing: $(DEV)/ready ## photos a second, times and memory, for docs/operations.md; wants a quiet machine
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m sizing $(SIZING_ARGS)

chaos: $(DEV)/ready ## throw hostile photos, requests, clients, load and kills at the service; CHAOS_ARGS="--scale 0.1", or --compose
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m chaos $(CHAOS_ARGS)

corpus: $(DEV)/ready ## CORPUS=…: what becomes of a folder's pictures, compared with what libvips and ImageMagick read in them
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m corpus "$(CORPUS)"

prove: $(DEV)/ready ## take out the protections of SECURITY.md one by one and see the tests fail; WORDS="headers" for some
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m mutations $(WORDS)

bench: $(DEV)/ready $(INFERENCE)/ready ## measure speed, load, memory and start on this machine; writes docs/benchmarks.md; BENCH_ARGS="--scale 0.2"
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m bench $(BENCH_ARGS)

audit: $(DEV)/ready ## look for dependencies with known holes
	$(DEV)/bin/python -m pytest -q tests/test_supply_chain.py
	@if command -v pip-audit >/dev/null; then pip-audit --disable-pip --require-hashes $(REQUIREMENTS:%=-r %); \
	  else echo "pip-audit is not installed, so that only the versions above were checked"; fi

train: $(TRAINING)/ready ## DATASET="… …" OUT=… [START=artifacts/default] [TEXT="….gz"] [TEACHER=….onnx]: make a bundle; SETTINGS="tags.most=0 …"
	$(TRAINING)/bin/caption-train train $(DATASETS) --out "$(OUT)" $(if $(START),--start "$(START)") $(if $(TEXT),--text $(TEXT)) \
	  $(if $(TEACHER),--teacher "$(TEACHER)") $(TRAIN_ARGS) $(SETTINGS)

end-to-end: $(TRAINING)/ready ## DATASET="… …" OUT=… [START=…] [TEXT=…]: train the encoder too, on an accelerator, as a START for make train
	$(TRAINING)/bin/caption-train end-to-end $(DATASETS) --out "$(OUT)" $(if $(START),--start "$(START)") $(if $(TEXT),--text $(TEXT)) \
	  $(TRAIN_ARGS) $(SETTINGS)

evaluate: $(TRAINING)/ready ## BUNDLE=… DATASET="… …" SPLIT=dev|test [JSON=…] [TEXT="….gz"]: score a bundle with the code that serves it
	$(TRAINING)/bin/caption-train evaluate --bundle "$(BUNDLE)" $(DATASETS) $(if $(TEXT),--text $(TEXT)) --split $(SPLIT) --float32 \
	  $(if $(JSON),--json "$(JSON)") $(SETTINGS)

report: $(TRAINING)/ready ## BUNDLE=… DATASET="… …" [AGAINST=…] [RUN=…] [REPORT=report.html]: a page about a bundle, to look at
	$(TRAINING)/bin/caption-train report --bundle "$(BUNDLE)" $(DATASETS) --split $(SPLIT) \
	  $(if $(AGAINST),--against "$(AGAINST)") $(if $(RUN),--run "$(RUN)") --out "$(or $(REPORT),report.html)"

photos: $(DEV)/ready ## caption the photo set at many sizes and write docs/photos.md
	@PYTHONPATH=tools:tests $(DEV)/bin/python -m photo_set

example: $(DEV)/ready ## add a photo to the page's examples; EXAMPLE_ARGS='photo.png --id dog --shows "A dog on a path" --author …'
	@$(DEV)/bin/python tools/examples.py $(EXAMPLE_ARGS)

lint: $(DEV)/ready ## ruff, mypy --strict and the import rules
	$(DEV)/bin/ruff check $(SOURCES)
	$(DEV)/bin/ruff format --check $(SOURCES)
	$(DEV)/bin/mypy $(SOURCES)
	$(DEV)/bin/lint-imports

format: $(DEV)/ready ## put the code into the one format
	$(DEV)/bin/ruff check --fix-only $(SOURCES)
	$(DEV)/bin/ruff format $(SOURCES)

WHEEL_SOURCE := .cache/wheel
wheel: $(INFERENCE)/ready ## dist/photocaption-….whl: one file to install anywhere, with the model of BUNDLE inside
	@rm -rf $(WHEEL_SOURCE) && mkdir -p $(WHEEL_SOURCE)/photocaption/artifacts dist
	@cp -R services/inference/pyproject.toml services/inference/photocaption $(WHEEL_SOURCE)
	@cp -R "$(BUNDLE)" $(WHEEL_SOURCE)/photocaption/artifacts/default
	@$(INFERENCE)/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist $(WHEEL_SOURCE)
	@rm -rf $(WHEEL_SOURCE) && ls -sh dist/*.whl

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: ## resolve all dependencies again (needs uv); one resolution, so that all programs agree, and one for batch
	$(LOCK) $(RESOLVED:%=%/pyproject.toml) --all-extras --group pyproject.toml:dev -o requirements-dev.txt $(LOCK_ARGS)
	$(LOCK) services/inference/pyproject.toml --extra build -c requirements-dev.txt -o services/inference/requirements.txt
	$(LOCK) services/frontend/pyproject.toml --extra build -c requirements-dev.txt -o services/frontend/requirements.txt
	$(LOCK) services/inference/pyproject.toml --extra build --extra tracing -c requirements-dev.txt -o services/inference/requirements-tracing.txt
	$(LOCK) services/frontend/pyproject.toml --extra build --extra tracing -c requirements-dev.txt -o services/frontend/requirements-tracing.txt
	$(LOCK) services/inference/pyproject.toml training/pyproject.toml --extra build -c requirements-dev.txt -o training/requirements.txt
	$(LOCK) services/inference/pyproject.toml services/batch/pyproject.toml --extra build --group services/batch/pyproject.toml:test -c services/inference/requirements.txt -o services/batch/requirements-dev.txt $(LOCK_ARGS)
	$(LOCK) services/inference/pyproject.toml services/batch/pyproject.toml --extra build -c services/batch/requirements-dev.txt -o services/batch/requirements.txt

clean: ## remove everything that can be made again: environments, caches, wheels
	rm -rf $(VENVS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist
	find $(PACKAGES) tests tools \( -name __pycache__ -o -name '*.egg-info' \) -type d -prune -exec rm -rf {} +
	@for kept in .cache runs; do if [ -d $$kept ]; then du -sh $$kept | \
	  awk '{print "left " $$2 ": " $$1 ", " ($$2 == "runs" ? "trainings that can go on" : "weights and features, fetched or computed once")}'; fi; done
	@if [ -d .cache ] || [ -d runs ]; then echo "make clean-all removes them too"; fi

clean-all: clean ## remove caches of weights and features, and runs of training, as well
	rm -rf .cache runs

# The stamp is written last, so that an incomplete environment is made again. $(call make_venv,folder,requirements,packages)
define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1): PYTHON=python3.12 make $(or $(firstword $(MAKECMDGOALS)),help)"; exit 1; }
	@echo "Setting up $(1), once"
	@rm -rf $(1) && $(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(2)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(3:%=-e %)
	@touch $@
endef

$(INFERENCE)/ready: services/inference/requirements.txt services/inference/pyproject.toml
	$(call make_venv,$(INFERENCE),$<,services/inference)

$(FRONTEND)/ready: services/frontend/requirements.txt services/frontend/pyproject.toml
	$(call make_venv,$(FRONTEND),$<,services/frontend)

$(TRAINING)/ready: training/requirements.txt training/pyproject.toml services/inference/pyproject.toml
	$(call make_venv,$(TRAINING),$<,services/inference training)

$(BATCH)/ready: services/batch/requirements.txt services/batch/pyproject.toml services/inference/pyproject.toml
	$(call make_venv,$(BATCH),$<,services/inference services/batch)

$(BATCH_DEV)/ready: services/batch/requirements-dev.txt services/batch/pyproject.toml services/inference/pyproject.toml
	$(call make_venv,$(BATCH_DEV),$<,services/inference services/batch)

$(DEV)/ready: requirements-dev.txt $(PACKAGES:%=%/pyproject.toml)
	$(call make_venv,$(DEV),$<,$(PACKAGES))
