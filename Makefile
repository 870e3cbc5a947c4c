# Everything a developer does. The environments (ROS 2 included) are made when they are first needed: see dev/README.md.
.PHONY: help demo test test-fast bench lint clean

SHELL := bash
export PYTHON ?= python3
ROS ?= jazzy
# Run a command in the environment of $(ROS); made first where it is missing or out of date.
IN_ENV := export ROS=$(ROS); source dev/env.sh &&

help:       ## show this
	@sed -n 's/^\([a-z-]*\): *## /  make \1\t/p' Makefile | expand -t 20

demo:       ## detect and track in a clip, over real topics and datagrams; results in build/demo
	@$(IN_ENV) python dev/demo.py --out build/demo

test:       ## all tests, with Jazzy and with Kilted
	@$(PYTHON) dev/test.py

test-fast:  ## the quick tests, with Jazzy
	@$(PYTHON) dev/test.py --fast

bench:      ## measure latency and throughput on this machine
	@$(IN_ENV) python bench/bench.py

# with Kilted: its NumPy 2 has the types that mypy needs
lint: ROS = kilted
lint:       ## flake8, pep257, headers, XML and types
	@$(IN_ENV) python -m pytest -q test/test_code_style.py

clean:      ## remove what was built, the environments too
	rm -rf build install log *.egg-info .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
