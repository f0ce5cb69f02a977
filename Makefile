# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SECONDS ?= 20
EXAMPLES ?= 100000
SYSTEM ?= debian12
ARCH ?= amd64
REVISION ?= 1

.PHONY: demo fleet-demo test check docs data-test bench fuzz crash-test system-test model wheel pip deb agent-set apt-repo clean help

help:
	@echo "make demo     detect on the sample clip for $(SECONDS) s (installs a small virtual environment first)"
	@echo "make fleet-demo  a broker, 200 simulated devices, the ingest and the page, until Ctrl-C"
	@echo "make check    the inner loop: ruff, import layers, mypy and the fast tests, under a minute on two cores"
	@echo "make test     install everything the tests need and run them, ruff, lint-imports, vulture, mypy"
	@echo "make docs     build the documentation site in build/site; a broken link fails"
	@echo "make bench    frames/s of the whole agent over runs/s of the bare engine"
	@echo "make fuzz     files and messages of any content, $(EXAMPLES) examples for each reader (hours)"
	@echo "make crash-test  kill the updaters at every durable step; every state of a board at every moment (hours)"
	@echo "make system-test  boot Debian with the package in systemd-nspawn, as root; EDGEAGENT_SYSTEM=full: an hour"
	@echo "make wheel    wheel and source archive in dist"
	@echo "make deb      Debian package in dist; SYSTEM=$(SYSTEM) ARCH=$(ARCH) REVISION=$(REVISION)"
	@echo "make agent-set  wheels for edgeagent publish agent in dist; SYSTEM=$(SYSTEM) ARCH=$(ARCH)"
	@echo "make apt-repo KEY=...  apt repository in dist/apt, of the packages in dist, signed with a key of gpg"
	@echo "make model    train the bundle coco-nano again (needs the development data, an hour)"
	@echo "make clean    remove the virtual environment and caches"

demo: $(VENV)/.demo
	$(BIN)/edgeagent demo --seconds $(SECONDS)

fleet-demo: $(VENV)/.fleet
	sh tools/debian-packages.sh mosquitto
	$(BIN)/python tools/fleet_demo.py

# Training and engines are tested in processes of their own: OpenVINO crashes in one that has had torch and all
# the others in it. Files of tests run side by side, one per core; the last group measures engines and workers.
# What fails beside others is repeated alone.
PYTEST := $(BIN)/python -m pytest
TESTS := $(BIN)/python tools/run_tests.py
SIDE_BY_SIDE := --numprocesses logical --dist loadfile
test: $(VENV)/.test
	sh tools/debian-packages.sh gcc libc6-dev mosquitto openssl ffmpeg strace systemd \
	    gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	    gstreamer1.0-plugins-bad dpkg-dev gpg gpg-agent shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/mypy
	$(TESTS) $(SIDE_BY_SIDE) --ignore tests/qat --ignore tests/engines --ignore tests/worker
	OMP_NUM_THREADS=1 $(TESTS) $(SIDE_BY_SIDE) tests/qat
	$(TESTS) tests/engines tests/worker

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

# Boots machines of Debian 12 with the package installed: needs root. EDGEAGENT_SYSTEM=full adds Debian 13, Ubuntu
# 24.04 (with its archive key, of the package ubuntu-keyring of Debian 13), arm64 under emulation, restarts,
# upgrades and power cuts. Trees are made once, in ~/.cache/edgeagent-system-test.
EDGEAGENT_SYSTEM ?= short
LONG_TESTS = $(shell grep -rl 'from tests.long import' tests --include 'test_*.py')
system-test: $(VENV)/.test deb
	sh tools/debian-packages.sh systemd-container mmdebstrap util-linux
	[ $(EDGEAGENT_SYSTEM) != full ] || sh tools/debian-packages.sh qemu-user-static binfmt-support arch-test
	[ $(EDGEAGENT_SYSTEM) != full ] || $(PYTHON) packaging/build_deb.py --arch arm64
	[ $(EDGEAGENT_SYSTEM) != full ] || $(PYTHON) packaging/build_deb.py --system debian13
	[ $(EDGEAGENT_SYSTEM) != full ] || $(PYTHON) packaging/build_deb.py --system ubuntu24.04
	EDGEAGENT_SYSTEM=$(EDGEAGENT_SYSTEM) $(PYTEST) tests/system $(LONG_TESTS)

crash-test: $(VENV)/.test
	$(BIN)/python -m tests.delivery.crash --sabotage
	$(BIN)/python -m tests.provisioning.crash
	$(BIN)/python -m tests.delivery.agent.crash --sabotage
	$(BIN)/python -m tests.delivery.configuration.crash --sabotage
	$(BIN)/python -m tests.delivery.state_matrix

model: $(VENV)/.test
	sh tools/debian-packages.sh ffmpeg
	PATH=$(CURDIR)/$(BIN):$$PATH sh models/make.sh coco-nano

# Both need pip and what is in packaging/locks; the packages fit SYSTEM, whatever this machine is.
wheel: pip
	$(PYTHON) packaging/build_wheel.py dist

pip:
	@$(PYTHON) -c 'import pip' 2>/dev/null || sh tools/debian-packages.sh python3-pip

deb: pip
	sh tools/debian-packages.sh dpkg
	$(PYTHON) packaging/build_deb.py --system $(SYSTEM) --arch $(ARCH) --revision $(REVISION)

agent-set: pip
	$(PYTHON) packaging/build_agent.py --system $(SYSTEM) --arch $(ARCH)

apt-repo:
	sh tools/debian-packages.sh gpg gpg-agent dpkg
	$(PYTHON) packaging/apt_repository.py --key "$(KEY)" dist/apt $(wildcard dist/*.deb)

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

$(VENV)/.fleet: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[fleet]'
	touch $@

$(VENV)/.docs: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output
