# Two commands are all: "make demo" and "make test". Each sets up what it needs in .venv, once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Quiet: it prints errors alone.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo papers test lint types format clean help

help:
	@echo "make demo    set up and run the main job: honest and leaking scores of the papers' networks, in one picture"
	@echo "make test    set up and run all tests"
	@echo "make papers  the published tables, claimed and measured, on synthetic faces; takes an hour, for every night"
	@echo "make lint    ruff, make types    pyright, make format    ruff's formatter, make clean"

demo: $(VENV)/.installed
	$(BIN)/bench run configs/demo.yaml --jobs 2 --figures
	@echo
	@echo "the picture:      runs/demo/figures/scores.png (orange: a split that leaks, beside the same model without)"
	@echo "the page:         runs/demo/leaderboard.md"
	@echo "the next command: $(BIN)/bench audit configs/quickstart.yaml   # what each of eleven leaks would add"

# Runs every config to its end even where one fails, then writes runs/papers/papers.md, .png and .svg, and the site with them.
papers: $(VENV)/.installed-test
	@failed=; for config in configs/papers/*.yaml; do \
		name=$$(basename $$config .yaml); \
		$(BIN)/bench run $$config --set profile=quick --figures --out runs/papers/$$name || failed="$$failed $$name"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi
	$(BIN)/bench papers runs/papers --figures
	$(BIN)/bench site --papers runs/papers/papers.json --out runs/papers-site
	@echo "the page: runs/papers-site/papers.html"

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/pyright

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "mexbench needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is another one;" \
		"name one as in: make demo PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV), once"
	@$(PIP) --editable ".[figures]"
	@touch $@

$(VENV)/.installed-test: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) with everything that the tests need, once"
	@$(PIP) --editable ".[test]"
	@touch $@ $(VENV)/.installed
