# make demo, make test: each sets up all it needs in .venv and runs the main job, or the tests.
PYTHON ?= python3
FUZZ_SECONDS ?= 600
FUZZ_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
# What the installed package is compiled from; Python files are used in place.
SOURCES := $(shell find device engine bindings cmake -type f 2>/dev/null) CMakeLists.txt pyproject.toml

# What the CUDA device is compiled for: empty for all GPUs from Turing on.
CUDA_ARCHITECTURES ?=

.PHONY: demo test lint cuda fuzz sanitize bench fashion clean check-tools
.DELETE_ON_ERROR:

demo: $(VENV)/.built
	@$(BIN)/convnet demo

test: $(VENV)/.built $(VENV)/.test-tools
	@$(BIN)/python -m pytest

lint: $(VENV)/.built $(VENV)/.test-tools
	@$(BIN)/ruff check .
	@$(BIN)/clang-format --dry-run --Werror $$(find device engine bindings -name '*.cpp' -o -name '*.h' -o -name '*.cu')

# The CUDA device, with nvcc and cuBLAS (README, "On a GPU"). Afterwards every build has it.
cuda: $(VENV)/.built
	@command -v $${CUDACXX:-nvcc} >/dev/null || { echo "missing: nvcc (the CUDA toolkit 12 or 13; set CUDACXX if it is not on the path)"; exit 1; }
	@echo "Installing cuBLAS and building the CUDA device"
	@$(BIN)/pip install --quiet "nvidia-cublas>=13,<14" "nvidia-cuda-runtime>=13,<14"
	@$(BIN)/pip install --quiet --no-build-isolation --editable ".[demo]" --config-settings=cmake.define.CONVNET_CUDA=ON \
		$(if $(CUDA_ARCHITECTURES),--config-settings=cmake.define.CMAKE_CUDA_ARCHITECTURES="$(CUDA_ARCHITECTURES)")

# Each for FUZZ_SECONDS, with libFuzzer's FUZZ_OPTIONS; what was found is kept in build/fuzz and build/fuzz-pickles.
fuzz: $(VENV)/.built $(VENV)/.test-tools
	@$(BIN)/pip install --quiet atheris
	@$(BIN)/python tests/fuzz/fuzz_layers.py $(FUZZ_SECONDS) $(FUZZ_OPTIONS)
	@$(BIN)/python tests/fuzz/fuzz_pickles.py $(FUZZ_SECONDS) $(FUZZ_OPTIONS)

# Emulation, platform, stand-in tree and the CUDA device's kernels under AddressSanitizer and UndefinedBehaviorSanitizer;
# what they find ends a test. All but the first are loaded by a Python that knows nothing of them, hence the preloaded
# runtime, and the C++ library, whose throw it replaces. Leaks are not looked for: Python and engines of 2012 keep what
# they have until the process ends (spec 6.6). Crashes are the tests' own. nvcc does not run under the preloaded runtime.
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g
sanitize: $(VENV)/.built $(VENV)/.test-tools
	@$(BIN)/python -m pytest tests/platform/emulation -k sanitized
	@CONVNET_TEST_SANITIZERS="$(SANITIZERS)" \
	  LD_PRELOAD="`g++ -print-file-name=libasan.so` `g++ -print-file-name=libstdc++.so`" \
	  ASAN_OPTIONS=detect_leaks=0:handle_segv=0 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(BIN)/python -m pytest tests/platform/include tests/original tests/cuda/test_emulated.py \
	    --ignore=tests/original/test_cuda.py -k "not test_nvcc and not alexnet"

bench: $(VENV)/.built $(VENV)/.test-tools
	@$(BIN)/python benchmarks/conv.py
	@$(BIN)/python benchmarks/step.py
	@$(BIN)/python benchmarks/data.py

# Fashion-MNIST as batches (docs/results/fashion-mnist.md says how to train on them).
FASHION_SOURCE := /usr/share/datasets/fashion-mnist
fashion: batches/fashion-mnist

batches/fashion-mnist: | $(VENV)/.built
	@test -d $(FASHION_SOURCE) || { \
	  if [ "`id -u`" = 0 ] && command -v apt-get >/dev/null; then apt-get install --yes --quiet dataset-fashion-mnist; \
	  else echo "missing: $(FASHION_SOURCE) (Debian, Ubuntu: apt install dataset-fashion-mnist)"; exit 1; fi; }
	@$(BIN)/convnet data make idx $(FASHION_SOURCE) --pad 1 --out $@ \
	  --names "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"

clean:
	rm -rf $(VENV) build .pytest_cache .hypothesis .ruff_cache

# One line for each thing that is missing, before anything is tried.
check-tools:
	@command -v $(PYTHON) >/dev/null || { echo "missing: $(PYTHON) (Debian, Ubuntu: apt install python3 python3-venv python3-dev)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "missing: Python 3.10 or newer, $(PYTHON) is `$(PYTHON) -V`"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "missing: Python's venv (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@test -e "`$(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))'`/Python.h" || { echo "missing: Python.h (Debian, Ubuntu: apt install python3-dev)"; exit 1; }
	@command -v g++ >/dev/null || { echo "missing: g++ (Debian, Ubuntu: apt install g++)"; exit 1; }

$(VENV)/bin/pip: | check-tools
	@echo "Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip

# PyTorch is a witness in the tests, and a large one.
$(VENV)/.test-tools: pyproject.toml | $(VENV)/bin/pip
	@echo "Installing what the tests need"
	@$(BIN)/pip install --quiet --group test --group lint
	@touch $@

# The tools that compile are installed beside the rest, so that a later build is an incremental one.
$(VENV)/.tools: pyproject.toml | $(VENV)/bin/pip
	@echo "Installing what the build needs"
	@$(BIN)/pip install --quiet "scikit-build-core>=0.10" "cython>=3.0" "cmake>=3.18" ninja "numpy>=1.26" "scipy-openblas32>=0.3.28"
	@touch $@

$(VENV)/.built: $(SOURCES) | $(VENV)/.tools check-tools
	@echo "Building convnet-py"
	@$(BIN)/pip install --quiet --no-build-isolation --editable ".[demo]"
	@touch $@
