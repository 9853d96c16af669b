# Everything the course does, from a clone with Python and make. `make` alone lists the targets.
# GNU make 3.81 or newer (Linux, macOS); README.md has the commands for Windows without make.

VENV ?= .venv
# Which Python makes the environment: by default the first one below that is new enough.
PYTHON ?=
# Package index for torch alone, such as https://download.pytorch.org/whl/cpu; empty means pip's own.
TORCH_INDEX ?=
# Further arguments for the command behind a target: make test ARGS="-k spaces".
ARGS ?=
# A process for each core; make test ARGS=-n0 for one alone, ARGS=--durations=20 for what takes longest.
IN_PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
# What `make grade` grades: nothing means the bundled samples of every lesson.
SUBMISSIONS ?=
LESSON ?=

BIN := $(VENV)/bin
PY := $(BIN)/python
COURSE := $(BIN)/nas-course
# Newer than what it was made from: nothing needs installing.
STAMP := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# nbgrader looks for alembic there.
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help venv lab test slow-test build grade corpus sweep site table release
.SUFFIXES:
.DELETE_ON_ERROR:

help: ## list the targets
	@echo "NAS from Scratch. Learners start with: make lab"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

venv: $(STAMP) ## make the environment in .venv and install the course

lab: $(STAMP) ## open the lessons in JupyterLab; ARGS="--port 9999", --no-browser, --allow-root
	$(COURSE) lab $(ARGS)

test: $(STAMP) ## run the tests (minutes)
	$(PY) -m pytest -q $(IN_PARALLEL) $(ARGS)

slow-test: $(STAMP) ## run the tests that `make test` leaves out because they are slow
	$(PY) -m pytest -q -m slow $(IN_PARALLEL) $(ARGS)

build: $(STAMP) ## write the student notebooks from solutions/
	$(COURSE) build $(ARGS)

grade: $(STAMP) ## grade the bundled samples, or SUBMISSIONS=folder LESSON=01_random_search
	$(COURSE) grade $(if $(SUBMISSIONS),"$(SUBMISSIONS)") $(if $(LESSON),--lesson $(LESSON)) $(ARGS)

corpus: $(STAMP) ## grade hostile, broken and odd submissions and compare with what is right (minutes)
	$(COURSE) corpus $(if $(LESSON),--lesson $(LESSON)) $(ARGS)

sweep: $(STAMP) ## try every callable of the library as the answer to each exercise; LESSON= one (minutes)
	$(COURSE) sweep $(if $(LESSON),--lesson $(LESSON)) $(ARGS)

site: $(STAMP) ## make the reading site in dist/site (minutes: it executes lessons that have changed)
	$(COURSE) site $(ARGS)

table: $(STAMP) ## train the table of all cells, or go on where it was interrupted (hours)
	$(PY) -m scripts.table.build record $(ARGS)
	$(PY) -m scripts.table.build merge

release: $(STAMP) ## write the learners' zip into dist/
	$(COURSE) release $(ARGS)

# torch comes first and alone where it has an index of its own: that index does not hold the pinned versions of the rest.
$(STAMP): pyproject.toml constraints.txt | $(PY)
	@echo "Installing the course into $(VENV); the first time takes minutes (torch is large)."
	$(if $(TORCH_INDEX),,@if [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null; then echo "Of its 6.6 GB, 4 are for GPUs; without one, leave them out: make $(or $(firstword $(MAKECMDGOALS)),venv) TORCH_INDEX=https://download.pytorch.org/whl/cpu"; fi)
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade
	$(if $(TORCH_INDEX),$(PY) -m pip install --index-url $(TORCH_INDEX) $(shell grep -E '^(torch|torchvision)==' constraints.txt))
	$(PY) -m pip install --constraint constraints.txt --editable ".[course,onnx,cluster,site,dev]"
	@touch $@

$(PY):
	@for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
				echo "$$python cannot make environments: install its venv module (Debian, Ubuntu: sudo apt-get install python3-venv)." >&2; \
				exit 1; \
			fi; \
			echo "Making $(VENV) with $$python."; \
			exec "$$python" -m venv "$(VENV)"; \
		fi; \
	done; \
	echo "No Python 3.11 or newer found$(if $(PYTHON), as $(PYTHON)): install one, or name it as in 'make $(or $(firstword $(MAKECMDGOALS)),venv) PYTHON=/path/to/python3.11'." >&2; \
	exit 1
