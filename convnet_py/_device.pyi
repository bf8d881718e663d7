"""The operations of device.h on NumPy arrays (bindings/device.pyx), for tests and experiments.

Every array is float32 and C-contiguous; a batch matrix has one row per value and one column per case
(spec 3). Targets are written in place: targets = scale_targets * targets + scale_output * result, and
with scale_targets 0 their old content is not read. Wrong shapes, dtypes or orders raise ValueError.

Image rows are (channel * size + y) * size + x. Sizes named ``img_size`` and ``modules`` of the convolution
family are one int for square ones, or (y, x). ``connections``: int32 (groups, filter_channels), the
channels that each group sees (sparse connections); None for dense ones. Labels of a class: (1, cases).
Gradients are of minus the cost. ``seed``, ``layer``, ``update`` key a Philox draw (device.h, RandomKey).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float32]
Size = int | tuple[int, int]

def use_cpu(threads: int) -> None: ...

# On copies of the arrays, made and brought back by each operation. RuntimeError: what is missing for it.
def use_gpu(gpu: int, *, tf32: bool = False) -> None: ...

# 0 on a GPU.
def get_threads() -> int: ...

# avx512, avx2 or baseline; or the name of the GPU.
def device_name() -> str: ...

# name, capability (major, minor), total_bytes, free_bytes; driver, runtime: CUDA versions, 1000 major + 10 minor.
def list_gpus() -> list[dict[str, Any]]: ...

# Seconds per call by the wall clock; on a GPU without the copies of the arrays.
def seconds(operation: Callable[..., Any], *arguments: Any, repeats: int = 10, **keywords: Any) -> float: ...

# 3.1 convolution. weights: (filter_channels * filter_size^2, filters), rows channel-major; local ones:
# (modules * filter_channels * filter_size^2, filters), module outermost.
def conv_forward(
    images: F,
    weights: F,
    targets: F,
    *,
    channels: int,
    img_size: Size,
    filter_size: int,
    modules: Size,
    padding: int = 0,
    stride: int = 1,
    groups: int = 1,
    connections: NDArray[np.int32] | None = None,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...

# Sparse: targets (over_sample * channels * pixels, cases), round outermost.
def conv_image_gradient(
    gradients: F,
    weights: F,
    targets: F,
    *,
    channels: int,
    img_size: Size,
    filter_size: int,
    modules: Size,
    padding: int = 0,
    stride: int = 1,
    groups: int = 1,
    connections: NDArray[np.int32] | None = None,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...

# targets: (filter rows, filters), or (modules / partial_sum * filter rows, filters) with partial_sum > 0.
def conv_weight_gradient(
    images: F,
    gradients: F,
    targets: F,
    *,
    channels: int,
    img_size: Size,
    filter_size: int,
    modules: Size,
    padding: int = 0,
    stride: int = 1,
    groups: int = 1,
    connections: NDArray[np.int32] | None = None,
    partial_sum: int = 0,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def local_forward(
    images: F,
    weights: F,
    targets: F,
    *,
    channels: int,
    img_size: Size,
    filter_size: int,
    modules: Size,
    padding: int = 0,
    stride: int = 1,
    groups: int = 1,
    connections: NDArray[np.int32] | None = None,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def local_image_gradient(
    gradients: F,
    weights: F,
    targets: F,
    *,
    channels: int,
    img_size: Size,
    filter_size: int,
    modules: Size,
    padding: int = 0,
    stride: int = 1,
    groups: int = 1,
    connections: NDArray[np.int32] | None = None,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def local_weight_gradient(
    images: F,
    gradients: F,
    targets: F,
    *,
    channels: int,
    img_size: Size,
    filter_size: int,
    modules: Size,
    padding: int = 0,
    stride: int = 1,
    groups: int = 1,
    connections: NDArray[np.int32] | None = None,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...

# targets (biases * modules, cases) += biases (biases, 1); modules = 1: one bias for each row.
def add_bias(biases: F, targets: F, *, modules: int = 1) -> None: ...
def bias_gradient(
    gradients: F, targets: F, *, modules: int = 1, scale_targets: float = 0, scale_output: float = 1
) -> None: ...
def normalize_local_weights(weights: F, *, modules: int, norm: float) -> None: ...

# 3.2 pooling. kind: 'max', 'maxabs', 'avg'; the gradient of max is that of maxabs and rand, too.
def pool_forward(
    images: F,
    targets: F,
    *,
    kind: str,
    channels: int,
    img_size: int,
    size_x: int,
    start: int,
    stride: int,
    outputs_x: int,
) -> None: ...
def pool_rand_forward(
    images: F,
    targets: F,
    *,
    channels: int,
    img_size: int,
    size_x: int,
    start: int,
    stride: int,
    outputs_x: int,
    seed: int,
    layer: int,
    update: int,
) -> None: ...
def pool_max_gradient(
    images: F,
    gradients: F,
    outputs: F,
    targets: F,
    *,
    channels: int,
    img_size: int,
    size_x: int,
    start: int,
    stride: int,
    outputs_x: int,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def pool_avg_gradient(
    gradients: F,
    targets: F,
    *,
    channels: int,
    img_size: int,
    size_x: int,
    start: int,
    stride: int,
    outputs_x: int,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...

# 3.3 normalization. scale: the divided one (by size, or size^2 within a map). denoms: as images, written forward.
def cross_map_norm(
    images: F,
    denoms: F,
    targets: F,
    *,
    channels: int,
    size: int,
    scale: float,
    pow: float,
    min_div: float = 1,
    blocked: bool = False,
) -> None: ...
def cross_map_norm_gradient(
    gradients: F,
    denoms: F,
    images: F,
    outputs: F,
    targets: F,
    *,
    channels: int,
    size: int,
    scale: float,
    pow: float,
    blocked: bool = False,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def response_norm(images: F, denoms: F, targets: F, *, channels: int, size: int, scale: float, pow: float) -> None: ...
def response_norm_gradient(
    gradients: F,
    denoms: F,
    images: F,
    outputs: F,
    targets: F,
    *,
    channels: int,
    size: int,
    scale: float,
    pow: float,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def contrast_norm(
    images: F, mean_diffs: F, denoms: F, targets: F, *, channels: int, size: int, scale: float, pow: float
) -> None: ...

# exact = False: the historic gradient, which takes the means for constants.
def contrast_norm_gradient(
    gradients: F,
    denoms: F,
    mean_diffs: F,
    outputs: F,
    images: F,
    targets: F,
    *,
    channels: int,
    size: int,
    scale: float,
    pow: float,
    exact: bool = False,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...

# 3.4 images. filter: (1, 2 radius + 1), along both axes.
def blur(
    images: F, filter: F, targets: F, *, channels: int, scale_targets: float = 0, scale_output: float = 1
) -> None: ...
def bed_of_nails(
    images: F,
    targets: F,
    *,
    channels: int,
    img_size: int,
    start: int,
    stride: int,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def bed_of_nails_gradient(
    gradients: F,
    targets: F,
    *,
    channels: int,
    img_size: int,
    start: int,
    stride: int,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def reflect_horizontal(
    images: F, targets: F, *, img_size: int, scale_targets: float = 0, scale_output: float = 1
) -> None: ...
def resize_bilinear(images: F, targets: F, *, img_size: int, tgt_size: int, scale: float) -> None: ...
def crop(images: F, targets: F, *, img_size: int, tgt_size: int, start_y: int, start_x: int) -> None: ...
def rgb_to_yuv(images: F, targets: F) -> None: ...
def rgb_to_lab(images: F, targets: F, *, center: bool) -> None: ...

# 3.5 neurons. kind: the names of spec 2.6; nrelu draws its noise from the key.
def neuron_forward(
    inputs: F, targets: F, *, kind: str, a: float = 0, b: float = 0, seed: int = 0, layer: int = 0, update: int = 0
) -> None: ...
def neuron_gradient(
    gradients: F,
    inputs: F,
    outputs: F,
    targets: F,
    *,
    kind: str,
    a: float = 0,
    b: float = 0,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...

# 3.6 products, softmax over each column, elementwise operations.
def multiply(
    a: F,
    b: F,
    targets: F,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def add(inputs: F, targets: F, *, scale_targets: float = 0, scale_output: float = 1) -> None: ...
def multiply_elementwise(a: F, b: F, targets: F, *, scale_targets: float = 0, scale_output: float = 1) -> None: ...
def softmax(inputs: F, targets: F) -> None: ...
def softmax_gradient(
    gradients: F, outputs: F, targets: F, *, scale_targets: float = 0, scale_output: float = 1
) -> None: ...
def elementwise_max(inputs: list[F], targets: F) -> None: ...
def elementwise_max_gradient(
    gradients: F, inputs: F, outputs: F, targets: F, *, scale_targets: float = 0, scale_output: float = 1
) -> None: ...

# 1 where u < keep, else 0.
def dropout_mask(targets: F, *, keep: float, seed: int, layer: int, update: int) -> None: ...
def philox_uniform(targets: F, *, seed: int, layer: int, update: int) -> None: ...

# To IEEE half and back (3.11).
def round_to_half(inputs: F, targets: F) -> None: ...

# 3.7 costs. Values are summed over the cases.
def logreg_cost(labels: F, probs: F, *, topk: int = 1) -> tuple[float, float, float]: ...
def logreg_gradient(labels: F, probs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...

# Fused: the gradient at the input of the softmax, or of the logistic neuron, below the cost.
def logreg_softmax_gradient(labels: F, probs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...
def crossent_cost(labels: F, probs: F) -> tuple[float, float]: ...
def crossent_gradient(labels: F, probs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...
def crossent_softmax_gradient(labels: F, probs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...
def crossent2_cost(labels: F, outputs: F) -> tuple[float]: ...
def crossent2_gradient(labels: F, outputs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...
def crossent2_logistic_gradient(
    labels: F, outputs: F, targets: F, *, coeff: float, scale_targets: float = 0
) -> None: ...
def rflickr_cost(labels: F, outputs: F) -> tuple[float]: ...
def rflickr_gradient(labels: F, outputs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...
def sum2_cost(inputs: F) -> tuple[float]: ...
def sum2_gradient(inputs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...

# gates: (1, cases).
def gsum2_cost(gates: F, inputs: F) -> tuple[float]: ...
def gsum2_gradient(gates: F, inputs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...
def gsum2_gate_gradient(inputs: F, targets: F, *, coeff: float, scale_targets: float = 0) -> None: ...
def msm_probs(energies: F, targets: F, *, set_size: int) -> None: ...
def msm_cost(labels: F, energies: F, *, set_size: int) -> tuple[float, float, float]: ...
def msm_gradient(
    labels: F, energies: F, targets: F, *, set_size: int, coeff: float, scale_targets: float = 0
) -> None: ...
def tica_forward(images: F, targets: F, *, channels: int, size: int) -> None: ...
def tica_cost(images: F, *, channels: int, size: int) -> tuple[float]: ...
def tica_gradient(
    images: F, ticas: F, targets: F, *, channels: int, size: int, coeff: float, scale_targets: float = 0
) -> None: ...

# 3.8 updates, in place: increments = momentum * increments + gradient_scale * gradients - decay * weights;
# weights += increments. gradient_scale: rate(p) / n; decay: wc * rate(p).
def update_weights(
    weights: F, increments: F, gradients: F, *, momentum: float, gradient_scale: float, decay: float
) -> None: ...

# superEps > 0: g = gradient_scale * gradients, with rate apart; mean and mean_square are kept by the caller.
def adaptive_update(
    weights: F,
    increments: F,
    gradients: F,
    mean: F,
    mean_square: F,
    *,
    momentum: float,
    rate: float,
    gradient_scale: float,
    decay: float,
    super_eps: float,
) -> None: ...

# wball; wcNormMin and wcNormMax.
def bound_column_norms(weights: F, *, norm: float) -> None: ...
def bound_zero_mean_norms(weights: F, *, min: float, max: float) -> None: ...

# treefc. tree: the children of each node, leaves first. Node matrices: (inputs, nodes), class ones: (inputs, leaves).
def treefc_class_weights(weights: F, targets: F, *, tree: Sequence[Sequence[int]], root: int) -> None: ...
def treefc_node_gradients(
    gradients: F,
    targets: F,
    *,
    tree: Sequence[Sequence[int]],
    root: int,
    scale_targets: float = 0,
    scale_output: float = 1,
) -> None: ...
def treefc_update(
    weights: F,
    increments: F,
    gradients: F,
    *,
    tree: Sequence[Sequence[int]],
    root: int,
    momentum: float,
    rate: float,
    decay: float,
    gradient_scale: float,
) -> None: ...

# The rate at a progress in 0..1, without noise. kind: default, linear, exp, dexp, jdexp.
def schedule_rate(
    base: float, progress: float, *, kind: str = "default", tgt_factor: float = 10, num_steps: int = 1
) -> float: ...
