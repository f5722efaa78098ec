# On a machine with Python 3.11 and pip, two commands do everything: `make demo` and `make test`.
PYTHON ?= python3.11
# The machine's uv if there is one, else a private one, so that the system's Python stays as it is.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen

.PHONY: demo demo-models slurm-cluster test test-daily environments lint docs pages review sync clean

demo: sync
	$(RUN) msbench demo

demo-models: sync
	$(RUN) msbench bench leaderboards/demo_models

slurm-cluster: sync
	$(RUN) python -P -m msbench_slurm.private_cluster

test: sync lint
	$(RUN) pytest -n 2 --dist worksteal

# What takes too long for every change: the networks in the size of their papers.
test-daily: sync
	$(RUN) pytest -n 2 --dist worksteal -m daily

# The wheel, from an empty environment to a board: with the lowest releases that pyproject.toml allows, those of uv.lock
# and the newest. ONLY=newest for one of them.
environments: sync
	$(RUN) pytest -q -s tests/environments.py $(if $(ONLY),-k $(ONLY))

lint: sync
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

# The documentation as a site in build/pages; nothing is downloaded.
docs: sync
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --strict

# The documentation, and next to it every leaderboard that has records; build/pages is ready for any web host.
pages: export MSBENCH_BOARDS = boards/index.html
pages: docs
	$(RUN) msbench board publish leaderboards/*/ -o build/pages/boards --docs ../index.html

# What a reviewer has to look at in the records that a change brings; BASE is a checkout without it.
review: sync
	@set -e; for board in leaderboards/*/; do \
	  $(RUN) msbench board review $$board --against $(BASE)/$$board; \
	done

sync: $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --compile-bytecode

.uv/bin/uv:
	$(or $(shell command -v $(PYTHON)),python3) -m venv .uv
	.uv/bin/pip install --quiet uv==0.13.9

clean:
	rm -rf runs evaluations leaderboards/*/runs leaderboards/*/jobs leaderboards/*/site build/pages \
		$(foreach board,demo demo_models,leaderboards/$(board)/records leaderboards/$(board)/board.*)
