# The commands for development. The environments, ROS 2 included, are created when first used: see dev/README.md.
.PHONY: help demo demo-3d test test-fast test-servers test-openvino fuzz bench bench-openvino bench-dataset bench-web bench-cameras bench-peers bench-positions bench-tracking lint clean bench-servers

SHELL := bash
export PYTHON ?= python3
ROS ?= jazzy
# Run a command in the environment of $(ROS), which is created or updated first if necessary.
IN_ENV = export ROS=$(ROS); source dev/env.sh &&
WITH_OPENVINO = export PYTHONPATH="$$(python bench/openvino.py --path)" &&

help:       ## show this list
	@sed -n 's/^\([a-z0-9-]*\): *## /  make \1\t/p' Makefile | expand -t 24

demo:       ## detect and track in a clip, with real topics and datagrams; results in build/demo
	@echo 'The node detects and tracks in a clip of 250 frames: about a minute. The first time, ROS 2 is'
	@echo 'installed in build/ before: one to three minutes more, and about 1 GB.'
	@$(IN_ENV) python dev/demo.py --out build/demo

demo-3d:    ## locate objects of a rendered scene, over real topics; picture in build/demo
	@$(IN_ENV) PYTHONPATH=test python dev/demo_3d.py --out build/demo

test:       ## all tests, with Jazzy and with Kilted
	@$(PYTHON) dev/test.py

test-fast:  ## the fast tests, with Jazzy
	@$(PYTHON) dev/test.py --fast

test-servers: ## the tests with real model servers, Triton and MLServer; about 1 GB in build/
	@$(PYTHON) bench/model_servers.py && $(IN_ENV) UDP_INFER_SERVERS=1 python -m pytest -q -s test/servers

test-openvino: ROS = kilted
test-openvino: ## the tests with OpenVINO; about 300 MB in build/
	@$(IN_ENV) $(WITH_OPENVINO) UDP_INFER_OPENVINO=1 python -m pytest -q test/openvino

fuzz:       ## property tests with random input; UDP_INFER_FUZZ=10 runs ten times as many examples
	@$(IN_ENV) python -m pytest -q test/fuzz

bench:      ## measure everything, and write docs/performance.md: a quarter of an hour; --help lists ARGS
	@$(IN_ENV) python bench/bench.py $(ARGS)

bench-cameras: ## compare four cameras in one process with four processes; --help lists ARGS
	@$(IN_ENV) python bench/cameras.py $(ARGS)

bench-dataset: ## measure what collecting a dataset costs
	@$(IN_ENV) python bench/dataset.py

bench-openvino: ROS = kilted
bench-openvino: ## compare OpenVINO with the CPU of ONNX Runtime; --help lists ARGS
	@$(IN_ENV) $(WITH_OPENVINO) python bench/openvino.py $(ARGS)

bench-peers: ## compare with other programs; 25 minutes, and 9 GB in build/ the first time; --help lists ARGS
	@$(IN_ENV) python bench/peers/compare.py $(ARGS)

bench-positions: ## measure the cost of positions only
	@$(IN_ENV) python bench/stages.py --positions

bench-web:  ## measure the page of udp_infer_listen in chromium
	@$(IN_ENV) python bench/web.py $(ARGS)

bench-servers: ## measure a model on a server, beside a local one and a bare client
	@$(PYTHON) bench/model_servers.py && $(IN_ENV) python bench/remote.py

bench-tracking:  ## compare trackers in front of a camera that moves; about an hour; --help lists ARGS
	@$(PYTHON) bench/environment.py && PYTHONPATH=. build/peers/bin/python bench/tracking.py $(ARGS)

# Kilted, because mypy needs the types of its NumPy 2.
lint: ROS = kilted
lint:       ## flake8, pep257, licenses, words, XML and types
	@$(IN_ENV) python -m pytest -q test/test_code_style.py

clean:      ## remove everything that was built, including the environments
	rm -rf build install log *.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
