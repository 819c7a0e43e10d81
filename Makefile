# Lattice Kinetics: `make` alone lists what can be made.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHROMIUM ?= /usr/bin/chromium
export CHROMIUM
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NUMBA_CACHE_DIR := $(CURDIR)/.cache/numba
# Tests share the cores among them: threads of linear algebra in each would only wait for each other.
WORKERS := --numprocesses auto --maxprocesses 4 --dist worksteal
test reseed site-test: export OPENBLAS_NUM_THREADS = 1

.PHONY: help book test reseed format site-test claims lab handout serve bench pdf pins clean

help:  ## this list
	@echo "Lattice Kinetics. What can be made:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

book: $(VENV)/.book  ## the site, executed and rendered: _build/html (EDITION=teacher: with all solutions, _build/teacher)
	@$(BIN)/python book/_build.py html $(EDITION)

test: $(VENV)/.dev  ## style, spelling, architecture and the tests that take seconds (SHIFT=n: other seeds)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(WORKERS) $(if $(SHIFT),--shift $(SHIFT))

reseed: $(VENV)/.dev  ## tests, claims and pages with SHIFT=n added to every seed
	@test -n "$(SHIFT)" || { echo "Say by how much: make reseed SHIFT=1000"; exit 1; }
	$(BIN)/python -m pytest $(WORKERS) -m "not site" --shift $(SHIFT)

format: $(VENV)/.dev  ## bring modules and cells into the style that `make test` asks for
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format --quiet .
	@$(BIN)/python book/_format.py

site-test: $(VENV)/.dev  ## the built site in headless Chromium, network cut off
	@test -f _build/html/index.html || { echo "There is no site yet: run \`make book\` first."; exit 1; }
	@test -x "$(CHROMIUM)" || { echo "No $(CHROMIUM): install Chromium (Debian: apt install chromium libatomic1) or set CHROMIUM=/path/to/it."; exit 1; }
	$(BIN)/python -m pytest tests/book -m site --numprocesses auto --maxprocesses 4 --maxschedchunk 1  # longest first

claims: $(VENV)/.dev  ## every claim computed afresh; writes book/data/measured.json
	$(BIN)/python -m pytest -m claims --record

lab: $(VENV)/.book  ## the chapters of the built site as notebooks in JupyterLab: _build/notebooks
	@JUPYTER_CONFIG_DIR=$(CURDIR)/$(VENV)/etc/jupyter $(BIN)/jupytext-config set-default-viewer >/dev/null
	@$(BIN)/python book/_lab.py
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/_build/notebooks

handout: $(VENV)/.book  ## for students: notebooks of the built site, the package, no solution for assignment: _build/handout.zip
	@$(BIN)/python book/_handout.py

serve:  ## the built site at http://localhost:8000
	@test -f _build/html/index.html || { echo "There is no site yet: run \`make book\` first."; exit 1; }
	$(PYTHON) -m http.server 8000 --bind 127.0.0.1 --directory _build/html

bench: $(VENV)/.dev  ## speed of every kernel beside what you would use instead
	$(BIN)/python -m benchmarks

pdf: $(VENV)/.book  ## the book on paper (needs LaTeX): _build/latex
	@for tool in xelatex latexmk xindy; do command -v $$tool >/dev/null || { \
	  echo "$$tool is missing. On Debian: apt install texlive-latex-recommended texlive-latex-extra" \
	       "texlive-fonts-recommended texlive-xetex latexmk xindy fonts-freefont-otf"; exit 1; }; done
	@$(BIN)/python book/_build.py pdflatex

pins:  ## pin every version again (needs uv; UPGRADE=--upgrade for newer ones)
	uv pip compile pyproject.toml --extra book --universal --python-version 3.11 $(UPGRADE) \
	  --no-header --no-emit-index-url --no-annotate -o requirements.txt
	uv pip compile pyproject.toml --extra book --extra dev --universal --python-version 3.11 $(UPGRADE) \
	  --no-header --no-emit-index-url --no-annotate -c requirements.txt -o tests/constraints.txt

clean:  ## remove everything that was made, the environment too
	rm -rf _build .cache $(VENV) .pytest_cache .hypothesis .ruff_cache .import_linter_cache .benchmarks *.egg-info

# The environment. A stamp is newer than the pins it was installed from.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Name another one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make environments. On Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.book: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) (about a minute) …"
	@$(BIN)/pip install -qq -r requirements.txt -e .
	@touch $@

$(VENV)/.dev: requirements.txt tests/constraints.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) (about a minute) …"
	@$(BIN)/pip install -qq -r requirements.txt -c tests/constraints.txt -e '.[dev]'
	@touch $(VENV)/.book $@
