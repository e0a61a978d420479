# The two commands of the README are `make demo` and `make test`. Everything they need is installed under .build/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BUILD := .build
VENV := $(BUILD)/venv
PY := $(CURDIR)/$(VENV)/bin/python
# The Node that runs the example: the one of the path where it has SQLite (22.16 or newer), or one that comes as a package.
NODE_PATHS = PATH="$$(cat $(BUILD)/node-bin):$$PATH"
TS := examples/clients/typescript
FUZZ_SECONDS ?= 5
# A fixed number of runs from a fixed seed; empty for FUZZ_SECONDS of whatever chance brings.
FUZZ_RUNS ?= 15000

.PHONY: help demo serve serve-node node-pack node test prove bench rust model faults model-pages python vectors formal blackbox official browser differential fuzz fuzz-a-host mutants mutants-page docs clean

help:
	@echo "make demo    start the example server and drive it with the official clients"
	@echo "make serve   leave the example server running for a browser (make serve-node: the one on Node)"
	@echo "make test    everything that must hold before a change lands"
	@echo "make bench   side by side with the official SDKs' own authorization servers, and others"
	@echo "make prove   the slow proofs: larger worlds, longer fuzzing, licences, mutation"
	@echo "make mutants mutation alone"

# --- What the other targets stand on -----------------------------------------------------------------

$(BUILD)/venv.stamp: bindings-python/requirements-dev.txt bindings-python/requirements-build.txt examples/python-fastapi-mcp/requirements.txt conformance/blackbox/requirements.txt
	@mkdir -p $(BUILD)
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check $(foreach file,$^,-r $(file))
	@touch $@

RUST_SOURCES := $(shell find core bindings-shared bindings-python/src -name '*.rs' -o -name '*.html' -o -name '*.css' -o -name Cargo.toml) Cargo.toml Cargo.lock
PYTHON_SOURCES := $(shell find bindings-python/python -name '*.py' -o -name '*.pyi' -o -name py.typed) bindings-python/pyproject.toml

# The wheel that users install; everything below runs against it, never against the source tree.
$(BUILD)/wheel.stamp: $(BUILD)/venv.stamp $(RUST_SOURCES) $(PYTHON_SOURCES)
	rm -rf $(BUILD)/wheels
	cd bindings-python && $(PY) -m maturin build --quiet --release --locked --out ../$(BUILD)/wheels
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --force-reinstall $(BUILD)/wheels/*.whl
	@touch $@

# The package that users install, packed with its binary; everything below that runs Node runs against it or against dist/.
NODE_SOURCES := $(shell find bindings-node/src bindings-node/lib bindings-node/esm -type f) bindings-node/build.mjs bindings-node/build.rs bindings-node/Cargo.toml bindings-node/package.json bindings-node/tsconfig.json

$(BUILD)/node-install.stamp: bindings-node/package-lock.json
	@mkdir -p $(BUILD)
	cd bindings-node && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

$(BUILD)/node-pack.stamp: $(BUILD)/node-install.stamp $(RUST_SOURCES) $(NODE_SOURCES)
	cp bindings-node/native/index.d.ts $(BUILD)/index.d.ts
	cd bindings-node && npm run --silent build
	cmp $(BUILD)/index.d.ts bindings-node/native/index.d.ts  # the types are generated: commit what the build wrote
	rm -rf $(BUILD)/node-pack && mkdir -p $(BUILD)/node-pack
	cd bindings-node && npm pack --silent --pack-destination ../$(BUILD)/node-pack
	@touch $@

$(BUILD)/node-bin: bindings-node/tests/runtimes/22/package-lock.json
	@mkdir -p $(BUILD)
	bash bindings-node/tests/node22.sh > $@.new && mv $@.new $@

$(BUILD)/node-example.stamp: $(BUILD)/node-pack.stamp $(BUILD)/node-bin examples/node-express-mcp/package-lock.json
	cd examples/node-express-mcp && npm ci --silent --no-audit --no-fund --omit=optional --ignore-scripts \
		&& npm install --silent --no-audit --no-fund --no-save --no-package-lock --omit=optional --ignore-scripts ../../$(BUILD)/node-pack/*.tgz
	@touch $@

$(BUILD)/node.stamp: $(TS)/package-lock.json
	@mkdir -p $(BUILD)
	cd $(TS) && npm ci --silent --no-audit --no-fund
	@touch $@

# --- What a person runs ------------------------------------------------------------------------------

demo: $(BUILD)/wheel.stamp $(BUILD)/node.stamp $(BUILD)/node-example.stamp
	$(NODE_PATHS) $(PY) examples/demo.py

serve: $(BUILD)/wheel.stamp
	$(PY) examples/demo.py --serve

serve-node: $(BUILD)/wheel.stamp $(BUILD)/node-example.stamp
	$(NODE_PATHS) $(PY) examples/demo.py --serve-node

node-pack: $(BUILD)/node-pack.stamp

test: rust model faults mutants-page python node vectors formal blackbox official browser differential demo fuzz-a-host fuzz
	@echo "make test: everything held"

rust:
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
	PROPTEST_RNG_SEED=1 cargo test --quiet --workspace --locked --exclude lockstep-oauth-python
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --locked -p lockstep-oauth

# A workspace of its own, so that `--cfg lockstep_model` and the checker stay there.
MODEL := cd conformance/model && cargo run --quiet --release --locked --

model:
	cd conformance/model && cargo fmt --check && cargo clippy --quiet --release --all-targets --locked -- -D warnings
	$(MODEL) check
	$(MODEL) page $(CURDIR)/docs/PROOFS.md --check

# A copy of the workspace with every fault behind a switch; each must break a law. `make model-pages` writes both pages anew.
FAULTS = $(MODEL) plant ../../$(BUILD)/faults && cd ../../$(BUILD)/faults/conformance/model \
	&& cargo run --quiet --release --locked --target-dir $(CURDIR)/conformance/model/target -- faults $(CURDIR)/docs/FAULTS.md

faults:
	$(FAULTS) --check

model-pages:
	$(MODEL) page $(CURDIR)/docs/PROOFS.md
	$(FAULTS)

python: $(BUILD)/wheel.stamp
	cd bindings-python && $(PY) -m pytest tests
	cd bindings-python && $(PY) -m mypy.stubtest lockstep_oauth._native --ignore-missing-stub

# On Node 20, 22 and 24.
node: $(BUILD)/node-pack.stamp
	bash bindings-node/tests/run.sh

vectors: $(BUILD)/wheel.stamp
	cargo run --quiet --locked -p lockstep-conformance --bin bless -- --check
	cd bindings-python && $(PY) -m pytest tests/test_vectors.py

formal:
	bash conformance/formal/run.sh $(PYTHON)

HOSTS := $(BUILD)/wheel.stamp $(BUILD)/node-example.stamp

blackbox: $(HOSTS)
	cd conformance && $(PY) -m pytest blackbox/tests
	$(PY) conformance/run_blackbox.py
	$(NODE_PATHS) $(PY) conformance/run_blackbox.py --host node

official: $(HOSTS)
	bash conformance/official/run.sh $(PY)
	$(NODE_PATHS) bash conformance/official/run.sh $(PY) node

browser: $(HOSTS)
	bash conformance/browser/run.sh $(PY)
	$(NODE_PATHS) bash conformance/browser/run.sh $(PY) node

# The same requests to both hosts, and both on one file of grants. The gate asks the same ones every time.
DIFFERENTIAL ?= --seed 1
differential: $(HOSTS)
	bash conformance/differential/run.sh $(PY) "$$(cat $(BUILD)/node-bin)/node" $(DIFFERENTIAL)

fuzz-a-host: $(BUILD)/wheel.stamp
	cargo build --quiet --locked -p fuzz-a-host
	$(PY) examples/fuzz-a-host/run.py target/debug/fuzz-a-host

fuzz:
	FUZZ_RUNS=$(FUZZ_RUNS) bash fuzz/run.sh $(FUZZ_SECONDS)

bench: $(BUILD)/wheel.stamp $(BUILD)/node-pack.stamp
	bash bench/run.sh $(PY)
	bash bench/node/run.sh

# Each of these may be given on the command line, such as `make prove FUZZ_SECONDS=20`.
prove: FUZZ_SECONDS := 120
prove: JOURNEYS := 20000
prove: SEEDS := 100000
prove:
	$(MODEL) check large
	REFERENCE_JOURNEYS=$(JOURNEYS) cargo test --quiet --locked -p lockstep-reference --test journeys
	cargo run --release --quiet --locked -p lockstep-simulation -- --seeds $(SEEDS)
	$(MAKE) fuzz FUZZ_RUNS= FUZZ_SECONDS=$(FUZZ_SECONDS)
	$(MAKE) differential DIFFERENTIAL="--requests 40000"
	bash conformance/formal/run.sh $(PYTHON) --prove
	bash fuzz/prove.sh
	$(MAKE) mutants

# Hours on one processor. MUTATE="FILE..." takes some files alone, KEEP=1 those that were not judged as they are now.
mutants:
	bash conformance/mutation/run.sh $(MUTATE)
	$(PYTHON) conformance/mutation/report.py

# Whether docs/MUTATION.md says what was judged. Which files have changed since is told, and no fault.
mutants-page:
	$(PYTHON) conformance/mutation/report.py --check

clean:
	rm -rf $(BUILD) target fuzz/target conformance/model/target bindings-node/dist bindings-node/native/*.node
	rm -rf $(foreach folder,$(TS) bindings-node examples/node-express-mcp conformance/official conformance/browser,$(folder)/node_modules)
