# Two commands do everything from a bare machine with Python 3.11 and pip: `make demo` and `make test`.
PYTHON ?= python3.11
# uv where there is one; else a private one, so that no system Python is touched.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen

.PHONY: demo demo-models slurm-cluster test lint sync clean

demo: sync
	$(RUN) msbench demo

demo-models: sync
	$(RUN) msbench bench leaderboards/demo_models

slurm-cluster: sync
	$(RUN) python -m msbench_slurm.private_cluster

test: sync lint
	$(RUN) pytest -n 2

lint: sync
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

sync: $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --quiet --compile-bytecode

.uv/bin/uv:
	$(or $(shell command -v $(PYTHON)),python3) -m venv .uv
	.uv/bin/pip install --quiet uv

clean:
	rm -rf runs evaluations leaderboards/*/runs leaderboards/*/jobs leaderboards/demo*/records leaderboards/demo*/board.*
