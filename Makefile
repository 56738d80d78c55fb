# Everyday commands. Each first installs what is missing: see scripts/bootstrap.

.PHONY: run test bench lint format bootstrap

# Trains a convolutional network on Fashion-MNIST while its batch size adapts.
run: bootstrap
	swift build -c release --product cabs
	swift run -c release --skip-build cabs train

test: bootstrap
	swift test

# Times training steps, beside PyTorch and BackPACK where PEERS_PYTHON names a Python that has them.
bench: bootstrap
	swift build -c release --product cabs
	python3 Benchmarks/bench.py

lint:
	swift format lint --strict --recursive --parallel Package.swift Sources Tests

format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests

bootstrap:
	@scripts/bootstrap
