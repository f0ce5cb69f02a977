# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 20
EXAMPLES ?= 100000

.PHONY: demo test check docs data-test bench fuzz crash-test model clean help

help:
	@echo "make demo     detect on the sample clip for $(SECONDS) s (installs a small virtual environment first)"
	@echo "make check    the inner loop: ruff, import layers, mypy and the fast tests, under a minute on two cores"
	@echo "make test     install everything the tests need and run them, ruff, lint-imports, vulture, mypy"
	@echo "make docs     build the documentation site in build/site; a broken link fails"
	@echo "make bench    frames/s of the whole agent over runs/s of the bare engine"
	@echo "make fuzz     files and messages of any content, $(EXAMPLES) examples for each reader (hours)"
	@echo "make crash-test  kill the updater at every durable step and at random moments (some minutes)"
	@echo "make model    make the default bundle again, three seeds (needs the development data, some hours)"
	@echo "make clean    remove the virtual environment and caches"

demo: $(VENV)/.demo
	$(BIN)/edgeagent demo --seconds $(SECONDS)

# Training and engines are tested in processes of their own: OpenVINO crashes in one that has had torch and all
# the others in it. Files of tests run side by side, one per core; the last group measures what engines use.
PYTEST := $(BIN)/python -m pytest
SIDE_BY_SIDE := --numprocesses logical --dist loadfile
test: $(VENV)/.test
	sh tools/debian-packages.sh gcc libc6-dev mosquitto openssl ffmpeg strace systemd \
	    gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	    gstreamer1.0-plugins-bad
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/mypy
	$(PYTEST) $(SIDE_BY_SIDE) --ignore tests/qat --ignore tests/engines --ignore tests/worker --ignore tests/detection
	OMP_NUM_THREADS=1 $(PYTEST) $(SIDE_BY_SIDE) tests/qat
	$(PYTEST) tests/engines tests/worker tests/detection

# No engine, camera, broker or process: what most changes break first.
FAST := tests/files tests/timing tests/imaging tests/sensors tests/bundle tests/settings tests/vision tests/datasets \
    tests/docs tests/api/test_public_names.py tests/test_layout.py tests/camera/test_slot.py \
    tests/camera/test_fair_share.py tests/camera/test_schedule.py tests/accuracy/test_agreement.py \
    tests/accuracy/test_coco_map.py tests/delivery/update/test_policy.py tests/telemetry/contract/test_messages.py

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(PYTEST) --quiet --numprocesses logical -m "not slow" $(FAST)

docs: $(VENV)/.docs
	$(BIN)/python tools/build_site.py

bench: $(VENV)/.demo
	$(BIN)/python benchmarks/loop_efficiency.py

fuzz: $(VENV)/.test
	EDGEAGENT_FUZZ=$(EXAMPLES) $(BIN)/python -m pytest --timeout 0 tests/fuzz tests/files/test_naming.py

crash-test: $(VENV)/.test
	$(BIN)/python -m tests.delivery.crash --sabotage

model: $(VENV)/.test
	sh tools/debian-packages.sh ffmpeg
	PATH=$(CURDIR)/$(BIN):$$PATH sh models/coco-nano.sh

# A Debian without python3-venv can make the environment only once that package is there.
$(BIN)/python:
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh tools/debian-packages.sh python3-venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.demo

$(VENV)/.docs: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output
