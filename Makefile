# Two commands: `make book` and `make test`. Every target sets up all it needs, in .venv.

PYTHON ?= python3
PORT ?= 8000

BIN := .venv/bin
COLAB := .venv-colab
LIBRARIES := .venv-libraries
PYTEST := $(BIN)/python -m pytest --timeout=600
READY := .venv/.ready
NODE := .venv/node/.ready
BOOK := _build/html/index.html
SOURCES := _config.yml _toc.yml references.bib $(shell find book -type f -not -path '*/__pycache__/*') \
	$(wildcard chapters/*.ipynb) $(wildcard chapters/*.md) $(wildcard assets/*)

# Kernels keep their state (history, profile) out of the home directory, and read no settings there
# that could change an output. The kernel is the one in .venv, whatever else is installed.
export IPYTHONDIR := $(CURDIR)/.venv/ipython
export JUPYTER_PREFER_ENV_PATH := 1

FORKED := $(BIN)/python tools/forked_kernels.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help book test execute lab repository serve bench clean assignments grade browser bubblewrap \
	python style unit notebooks pages test-colab pins libraries

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

book: $(BOOK) ## build the book: _build/html/index.html

test: python browser bubblewrap style book unit notebooks pages test-colab ## run every test
	@echo "All tests passed."

execute: $(READY) ## run all notebooks in place (or some: make execute CHAPTERS=chapters/step_lr.ipynb)
	@$(FORKED) $(BIN)/python tools/execute.py $(CHAPTERS)

lab: $(READY) ## open the chapters in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=chapters \
	  --FileCheckpoints.checkpoint_dir='$(CURDIR)/_build/checkpoints'

repository: $(READY) ## set the address of the repository everywhere (URL=https://github.com/..., BRANCH=main)
	@$(if $(BRANCH),$(if $(URL),,$(error BRANCH=$(BRANCH) needs the URL beside it)))
	@$(BIN)/python tools/repository.py $(if $(URL),'$(URL)' $(if $(BRANCH),'$(BRANCH)'))

serve: $(BOOK) ## serve the built book on this machine (PORT=8000)
	@echo "The book is at http://127.0.0.1:$(PORT)/ (Ctrl-C stops)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# it grades, too: the package classroom lies beside tools
bench: export PYTHONPATH := $(CURDIR)
bench: browser $(BOOK) ## measure what the book promises on speed and size
	@$(BIN)/python tools/bench.py

assignments: $(READY) ## write the problem sets to hand out: assignments/handouts
	@$(BIN)/python -m classroom release

grade: $(READY) ## grade collected notebooks (make grade DIR=folder, more: OPTIONS=--help)
	@test -n "$(DIR)$(OPTIONS)" || { echo "Name a folder: make grade DIR=collected" >&2; exit 1; }
	@$(BIN)/python -m classroom grade $(if $(DIR),'$(DIR)') $(OPTIONS)

clean: ## remove all that was built (not .venv)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis dist
	find lrcore book classroom tests tools chapters \
	  \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The parts of `make test`, each also a target of its own.

IN_BROWSER := explorer/test_lab.py book/test_pages.py book/test_theme.py book/test_search.py \
	page_python/test_exercises.py page_python/test_change_formula.py page_python/test_playground.py \
	page_python/test_firefox.py classroom/test_written_page.py
ELSEWHERE := $(IN_BROWSER) book/test_colab.py

# Colab's versions have no builds for a newer one: said now, and not after all other tests.
python: $(READY)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || { echo \
	  "The tests need Python 3.10 to 3.13 (make clean; rm -r .venv; make test PYTHON=python3.13)." >&2; exit 1; }

browser: $(READY)
	@$(BIN)/python tools/browser.py

bubblewrap: $(READY)
	@$(BIN)/python tools/bubblewrap.py

style: $(READY)
	@echo "== style"
	@$(BIN)/ruff check .

unit: bubblewrap $(NODE)
	@echo "== lrcore, the package, the notebooks' form"
	@$(PYTEST) tests $(ELSEWHERE:%=--ignore tests/%) \
	  -n 2 --dist loadfile --no-loadscope-reorder

notebooks: $(READY)
	@echo "== every notebook, run again"
	@$(FORKED) $(PYTEST) @tests/nbval.args chapters

# Plug-ins that no test here uses take seconds to load, in each process.
pages: browser $(BOOK)
	@echo "== the built pages and live sliders, in a browser"
	@$(PYTEST) -p no:nbval -p no:hypothesispytest $(IN_BROWSER:%=tests/%) \
	  -n 2 --dist loadgroup --no-loadscope-reorder

# The packages there are older, and other packages warn that they are.
test-colab: $(COLAB)/.ready ## run every chapter and the sliders with the versions that Colab has
	@echo "== every chapter and the sliders, with Colab's versions"
	@$(FORKED:$(BIN)%=$(COLAB)/bin%) $(COLAB)/bin/python -m pytest --timeout=600 -W ignore::DeprecationWarning -n 2 \
	  tests/book/test_colab.py tests/explorer/test_live.py

$(BOOK): $(READY) $(NODE) $(SOURCES)
	@rm -rf _build/html
	@$(BIN)/jupyter-book build . --all -n -W --keep-going

# The environment. The second install adds lrcore itself, from this folder. Importing matplotlib's
# fonts once builds its font cache here, not in a chapter, where it would leave a message.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { echo \
	  "The book needs Python 3.10 or newer, and '$(PYTHON)' is not (name another: make PYTHON=...)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
	  "Python's venv module is missing (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@test -e $@ || $(PYTHON) -m venv --clear .venv
	@echo "Installing the book's requirements into .venv (the first time takes minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt || { echo \
	  "The requirements could not be installed: see above. It takes a network." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'import matplotlib.font_manager'
	@touch $@

# What of the pages is no Python comes from npm, by way of the Node that lies in .venv. It trusts the
# certificates that the system trusts, as pip does.
$(NODE): book/page_python/package.json book/page_python/package-lock.json $(READY)
	@echo "Installing what the pages need of npm into .venv/node"
	@mkdir -p .venv/node
	@cp book/page_python/package.json book/page_python/package-lock.json .venv/node
	@PATH="$(CURDIR)/$(BIN):$$PATH" NODE_OPTIONS=--use-system-ca $(BIN)/npm ci --prefix .venv/node --ignore-scripts --no-audit --no-fund \
	  --loglevel=error || { echo "The npm packages could not be installed: see above. It takes a network." >&2; exit 1; }
	@touch $@

# The same for Colab's versions. --no-deps: the list is complete, and one of its packages asks for
# the notebook server, which no kernel needs. PyTorch is the one in .venv.
$(COLAB)/.ready: requirements-colab.txt tools/share_torch.py $(READY) | python
	@test -e $@ || $(PYTHON) -m venv --clear $(COLAB)
	@echo "Installing the versions that Colab has into $(COLAB)"
	@$(COLAB)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  -r requirements-colab.txt
	@$(BIN)/python tools/share_torch.py $(COLAB)
	@$(COLAB)/bin/python -c 'import matplotlib.font_manager'
	@touch $@

# No part of `make test`, which compares what this recorded.
libraries: $(LIBRARIES)/.ready ## record the rates of other libraries' schedules: lrcore/libraries.json
	@PYTHONPATH='$(CURDIR)' $(LIBRARIES)/bin/python tools/libraries.py

$(LIBRARIES)/.ready: tools/libraries-requirements.txt tools/share_torch.py $(READY)
	@test -e $@ || $(PYTHON) -m venv --clear $(LIBRARIES)
	@echo "Installing the other libraries into $(LIBRARIES)"
	@$(LIBRARIES)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  -r tools/libraries-requirements.txt
	@$(BIN)/python tools/share_torch.py $(LIBRARIES)
	@touch $@

# Needs the registry. Keeps the pins that still fit; `make pins UPGRADE=--upgrade` takes the newest.
# PyTorch's CUDA libraries are left out: a CPU build of torch must bring none, and a CUDA build
# names the exact versions that it needs.
CUDA := cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
	nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 \
	nvidia-nvtx triton
pins: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.10 $(UPGRADE) \
	  --custom-compile-command 'make pins' $(CUDA:%=--no-emit-package %) \
	  requirements.in --output-file requirements.txt
	@echo 'notebook ; python_version < "3"' | $(BIN)/python -m uv pip compile --quiet --universal \
	  --python-version 3.10 $(UPGRADE) --override - --custom-compile-command 'make pins' \
	  requirements-colab.in --output-file requirements-colab.txt
