# Everyday commands. Each first installs what is missing: see scripts/bootstrap.

.PHONY: run test test-mpi docs check-snippets check-export mutants graphs bench experiments experiments-quick crashtest fuzz sanitize soak lint format bootstrap

# Trains a convolutional network on Fashion-MNIST while its batch size adapts.
run: bootstrap
	swift build -c release --product cabs
	swift run -c release --skip-build cabs train

# All tests, and on each instruction set what depends on it: see scripts/test.
test: bootstrap
	scripts/test

# Runs of several processes under Open MPI and MPICH, which it installs: a minute.
test-mpi: bootstrap
	scripts/swift-for-tests build --product cabs
	scripts/test-mpi

# The Swift snippets of the pages as they are printed, a package that depends on the product CABS alone, and Examples/OwnLayer.
check-snippets: bootstrap
	scripts/swift-for-tests build --product cabs
	scripts/check-snippets

# The pages of the products CABS and CABSTraining, into .build/documentation; a warning is an error.
docs: bootstrap
	mkdir -p .build/documentation
	for target in CABS CABSTraining; do CABS_DOCS=1 swift package --allow-writing-to-directory .build/documentation/$$target generate-documentation \
		--target $$target --output-path .build/documentation/$$target --warnings-as-errors || exit 1; done

# What is exported beside onnxruntime, PyTorch and TensorBoard, where PEERS_PYTHON names a Python that has them.
check-export: bootstrap
	swift build -c release --product cabs
	swift build -c release --product cabs-export
	$(or $(PEERS_PYTHON),python3) scripts/check-export

# 200 networks of random layers: a batch against its examples one by one.
graphs: bootstrap
	CABS_RANDOM_GRAPHS=200 scripts/test --filter RandomGraphTests

# Puts small faults into a copy of the sources, one at a time, and prints those that no test notices: hours; SAMPLE=30, an evening.
mutants: bootstrap
	scripts/mutants $(if $(SAMPLE),--sample $(SAMPLE))

# Times training steps, beside PyTorch and BackPACK where PEERS_PYTHON names a Python that has them; OPTIONS are those of bench.py.
bench: bootstrap
	swift build -c release --product cabs
	python3 Benchmarks/bench.py $(OPTIONS)

# Runs grids of Examples/experiments, make experiments GRIDS="mnist-authors", and brings results and figures to docs/experiments; all of them
# where none is named, days; quick: minutes, to experiments/quick.
experiments: bootstrap
	swift build -c release --product cabs
	scripts/experiments $(GRIDS)

experiments-quick: bootstrap
	swift build -c release --product cabs
	scripts/experiments quick $(GRIDS)

# Kills a run at 100 random moments and resumes it each time.
crashtest: bootstrap
	swift build -c release --product cabs
	scripts/crashtest

# Damaged files for every reader, a minute each.
fuzz: bootstrap
	scripts/fuzz

# All tests under AddressSanitizer and ThreadSanitizer.
sanitize: bootstrap
	scripts/sanitize

# Half an hour of training whose memory must not grow.
soak: bootstrap
	swift build -c release --product cabs
	scripts/soak

# Formatting, whether every suite has a time limit, whether the pages' tables are those of the files that they come from, and whether every
# fault of Tests/mutants.txt has its place.
lint:
	swift format lint --strict --recursive --parallel Package.swift Sources Tests Fuzzing/Package.swift Fuzzing/Sources Examples/OwnLayer
	@! grep -rnE '@Suite' Tests | grep -vE 'timeLimit' || { echo "these suites have no time limit: @Suite(.timeLimit(.minutes(10)))"; exit 1; }
	python3 Benchmarks/tables.py --check
	scripts/simulate-scaling --check
	scripts/experiment-tables --check
	scripts/mutants --check

format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests Fuzzing/Package.swift Fuzzing/Sources Examples/OwnLayer

bootstrap:
	@scripts/bootstrap
