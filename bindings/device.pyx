# The operations of device.h on NumPy arrays, by the same names (convnet_py/_device.pyi documents them).
# Every array is checked here, once; the C++ side trusts what it gets.
cimport numpy as cnp
from libc.stddef cimport size_t
from libcpp.memory cimport unique_ptr
from libcpp.utility cimport move

from device cimport *

import os

import numpy as np

cnp.import_array()

cdef unique_ptr[Device] the_device = make_cpu_device(len(os.sched_getaffinity(0)))
cdef int the_threads = len(os.sched_getaffinity(0))


def set_threads(int threads):
    """Use `threads` threads from now on; results do not depend on it."""
    global the_threads
    if threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")
    the_device.reset(make_cpu_device(threads).release())
    the_threads = threads


def get_threads():
    """The number of threads in use."""
    return the_threads


def isa():
    """The instruction set in use: avx512, avx2 or baseline."""
    return the_device.get().name().decode()


cdef str _described(object a):
    if not isinstance(a, np.ndarray):
        return f"{type(a).__name__}"
    order = "C-contiguous" if a.flags.c_contiguous else "not C-contiguous"
    return f"{a.dtype} array of shape {a.shape}, {order}"


cdef float* matrix(object a, str name, rows=None, cols=None, bint written=False) except NULL:
    """The data of a float32, C-contiguous matrix with the rows and columns asked for (None: any)."""
    cdef bint right = isinstance(a, np.ndarray) and a.dtype == np.float32 and a.ndim == 2 and a.flags.c_contiguous
    right = right and (rows is None or a.shape[0] == rows) and (cols is None or a.shape[1] == cols)
    if not right:
        shape = f"({'any' if rows is None else rows}, {'any' if cols is None else cols})"
        raise ValueError(f"{name}: expected a C-contiguous float32 array of shape {shape}, got {_described(a)}")
    if written and not a.flags.writeable:
        raise ValueError(f"{name}: expected a writable array, got a read-only one")
    # An array without elements has no data to point to; no operation reads it.
    return <float*> cnp.PyArray_DATA(a)


cdef _positive(dict numbers):
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value}")


cdef tuple _size(object size, str name):
    """(y, x) of an int or a pair."""
    pair = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
    if len(pair) != 2 or min(pair) < 1:
        raise ValueError(f"{name}: expected a positive int or a pair (y, x) of them, got {size!r}")
    return pair


cdef class _Geometry:
    """A checked ConvShape, and the connections that it points to."""

    cdef ConvShape shape
    cdef cnp.ndarray kept

    def __init__(self, int cases, int filters, int channels, img_size, int filter_size, modules, int padding=0,
                 int stride=1, int groups=1, connections=None):
        img_y, img_x = _size(img_size, "img_size")
        modules_y, modules_x = _size(modules, "modules")
        _positive({"channels": channels, "filter_size": filter_size, "stride": stride, "groups": groups,
                   "filters": filters, "cases": cases})
        if padding < 0:
            raise ValueError(f"padding: expected at least 0, got {padding}")
        if filters % groups:
            raise ValueError(f"weights: expected a number of filters divisible by {groups} groups, got {filters}")
        s = &self.shape
        s.cases, s.channels, s.filters, s.groups = cases, channels, filters, groups
        s.img_size_y, s.img_size_x, s.modules_y, s.modules_x = img_y, img_x, modules_y, modules_x
        s.filter_size, s.padding, s.stride = filter_size, padding, stride
        if connections is None:
            if channels % groups:
                raise ValueError(f"channels: expected a number divisible by {groups} groups, got {channels}")
            s.filter_channels = channels // groups
        else:
            self._connect(connections)

    cdef _connect(self, connections):
        channels, groups = self.shape.channels, self.shape.groups
        a = np.ascontiguousarray(connections, dtype=np.int32)
        if a.ndim != 2 or a.shape[0] != groups or a.shape[1] < 1 or a.size % channels:
            raise ValueError(f"connections: expected {groups} rows of channels, a multiple of {channels} in all, "
                             f"got shape {a.shape}")
        rounds = a.size // channels
        if groups % rounds or (np.sort(a.reshape(rounds, channels)) != np.arange(channels)).any():
            raise ValueError(f"connections: expected every run of {channels} entries to be a permutation of the channels")
        self.kept = a
        self.shape.filter_channels = a.shape[1]
        self.shape.connections = <const int*> cnp.PyArray_DATA(a)

    @property
    def image_rows(self):
        return self.shape.channels * self.shape.img_size_y * self.shape.img_size_x

    @property
    def output_rows(self):
        return self.shape.filters * self.shape.modules_y * self.shape.modules_x

    @property
    def weight_rows(self):
        return self.shape.filter_channels * self.shape.filter_size * self.shape.filter_size

    @property
    def modules(self):
        return self.shape.modules_y * self.shape.modules_x

    @property
    def over_sample(self):
        return self.shape.groups * self.shape.filter_channels // self.shape.channels


cdef Scale _scale(float scale_targets, float scale_output):
    cdef Scale scale
    scale.targets = scale_targets
    scale.output = scale_output
    return scale


# ---- 3.1 convolution -----------------------------------------------------------------------------

def _forward(bint local, images, weights, targets, float scale_targets, float scale_output, geometry):
    matrix(images, "images")
    matrix(weights, "weights")
    cdef _Geometry g = _Geometry(images.shape[1], weights.shape[1], **geometry)
    cdef float* x = matrix(images, "images", g.image_rows)
    cdef float* w = matrix(weights, "weights", g.weight_rows * (g.modules if local else 1))
    cdef float* y = matrix(targets, "targets", g.output_rows, images.shape[1], True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        if local:
            the_device.get().local_forward(g.shape, x, w, y, scale)
        else:
            the_device.get().conv_forward(g.shape, x, w, y, scale)


def conv_forward(images, weights, targets, *, float scale_targets=0, float scale_output=1, **geometry):
    _forward(False, images, weights, targets, scale_targets, scale_output, geometry)


def local_forward(images, weights, targets, *, float scale_targets=0, float scale_output=1, **geometry):
    _forward(True, images, weights, targets, scale_targets, scale_output, geometry)


def _image_gradient(bint local, gradients, weights, targets, float scale_targets, float scale_output, geometry):
    matrix(gradients, "gradients")
    matrix(weights, "weights")
    cdef _Geometry g = _Geometry(gradients.shape[1], weights.shape[1], **geometry)
    cdef float* dy = matrix(gradients, "gradients", g.output_rows)
    cdef float* w = matrix(weights, "weights", g.weight_rows * (g.modules if local else 1))
    cdef float* dx = matrix(targets, "targets", g.over_sample * g.image_rows, gradients.shape[1], True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        if local:
            the_device.get().local_image_gradient(g.shape, dy, w, dx, scale)
        else:
            the_device.get().conv_image_gradient(g.shape, dy, w, dx, scale)


def conv_image_gradient(gradients, weights, targets, *, float scale_targets=0, float scale_output=1, **geometry):
    _image_gradient(False, gradients, weights, targets, scale_targets, scale_output, geometry)


def local_image_gradient(gradients, weights, targets, *, float scale_targets=0, float scale_output=1, **geometry):
    _image_gradient(True, gradients, weights, targets, scale_targets, scale_output, geometry)


cdef _Geometry _weight_geometry(images, gradients, targets, geometry):
    matrix(images, "images")
    matrix(targets, "targets", None, None, True)
    cdef _Geometry g = _Geometry(images.shape[1], targets.shape[1], **geometry)
    matrix(images, "images", g.image_rows)
    matrix(gradients, "gradients", g.output_rows, images.shape[1])
    return g


def conv_weight_gradient(images, gradients, targets, *, int partial_sum=0, float scale_targets=0,
                         float scale_output=1, **geometry):
    cdef _Geometry g = _weight_geometry(images, gradients, targets, geometry)
    if partial_sum < 0 or (partial_sum and g.modules % partial_sum):
        raise ValueError(f"partial_sum: expected 0 or a divisor of {g.modules} modules, got {partial_sum}")
    matrix(targets, "targets", g.weight_rows * (g.modules // partial_sum if partial_sum else 1))
    cdef float* x = matrix(images, "images")
    cdef float* dy = matrix(gradients, "gradients")
    cdef float* dw = matrix(targets, "targets")
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().conv_weight_gradient(g.shape, x, dy, dw, partial_sum, scale)


def local_weight_gradient(images, gradients, targets, *, float scale_targets=0, float scale_output=1, **geometry):
    cdef _Geometry g = _weight_geometry(images, gradients, targets, geometry)
    matrix(targets, "targets", g.weight_rows * g.modules)
    cdef float* x = matrix(images, "images")
    cdef float* dy = matrix(gradients, "gradients")
    cdef float* dw = matrix(targets, "targets")
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().local_weight_gradient(g.shape, x, dy, dw, scale)


def add_bias(biases, targets, *, int modules=1):
    _positive({"modules": modules})
    cdef float* b = matrix(biases, "biases", None, 1)
    cdef int count = biases.shape[0]
    cdef float* y = matrix(targets, "targets", count * modules, None, True)
    cdef int cases = targets.shape[1]
    with nogil:
        the_device.get().add_bias(b, y, count, modules, cases)


def bias_gradient(gradients, targets, *, int modules=1, float scale_targets=0, float scale_output=1):
    _positive({"modules": modules})
    cdef float* db = matrix(targets, "targets", None, 1, True)
    cdef int count = targets.shape[0]
    cdef float* dy = matrix(gradients, "gradients", count * modules)
    cdef int cases = gradients.shape[1]
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().bias_gradient(dy, db, count, modules, cases, scale)


def normalize_local_weights(weights, *, int modules, float norm):
    _positive({"modules": modules})
    cdef float* w = matrix(weights, "weights", None, None, True)
    if weights.shape[0] % modules:
        raise ValueError(f"weights: expected a number of rows divisible by {modules} modules, got {weights.shape[0]}")
    cdef int rows = weights.shape[0] // modules
    cdef int filters = weights.shape[1]
    with nogil:
        the_device.get().normalize_local_weights(w, modules, rows, filters, norm)


# ---- 3.2 pooling ---------------------------------------------------------------------------------

cdef PoolShape _pool_shape(int cases, int channels, int img_size, int size_x, int start, int stride, int outputs_x) except *:
    _positive({"cases": cases, "channels": channels, "img_size": img_size, "size_x": size_x, "stride": stride,
               "outputs_x": outputs_x})
    if start + size_x < 1 or start + (outputs_x - 1) * stride >= img_size:
        raise ValueError(f"outputs_x: expected every window to meet the image of {img_size} pixels, "
                         f"got windows of {size_x} from {start} to {start + (outputs_x - 1) * stride}")
    cdef PoolShape s
    s.cases, s.channels, s.img_size, s.size, s.start, s.stride, s.outputs = cases, channels, img_size, size_x, start, stride, outputs_x
    return s


def pool_forward(images, targets, *, str kind, int channels, int img_size, int size_x, int start, int stride, int outputs_x):
    kinds = {"max": Pool.max, "maxabs": Pool.max_abs, "avg": Pool.avg}
    if kind not in kinds:
        raise ValueError(f"kind: expected one of {', '.join(kinds)}, got {kind!r}")
    cdef Pool pool = kinds[kind]
    cdef float* x = matrix(images, "images", channels * img_size * img_size)
    cdef float* y = matrix(targets, "targets", channels * outputs_x * outputs_x, images.shape[1], True)
    cdef PoolShape s = _pool_shape(images.shape[1], channels, img_size, size_x, start, stride, outputs_x)
    with nogil:
        the_device.get().pool_forward(pool, s, x, y)


def pool_max_gradient(images, gradients, outputs, targets, *, int channels, int img_size, int size_x, int start,
                      int stride, int outputs_x, float scale_targets=0, float scale_output=1):
    cdef float* x = matrix(images, "images", channels * img_size * img_size)
    cdef int cases = images.shape[1]
    cdef float* dy = matrix(gradients, "gradients", channels * outputs_x * outputs_x, cases)
    cdef float* y = matrix(outputs, "outputs", channels * outputs_x * outputs_x, cases)
    cdef float* dx = matrix(targets, "targets", channels * img_size * img_size, cases, True)
    cdef PoolShape s = _pool_shape(cases, channels, img_size, size_x, start, stride, outputs_x)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().pool_max_gradient(s, x, dy, y, dx, scale)


def pool_avg_gradient(gradients, targets, *, int channels, int img_size, int size_x, int start, int stride,
                      int outputs_x, float scale_targets=0, float scale_output=1):
    cdef float* dy = matrix(gradients, "gradients", channels * outputs_x * outputs_x)
    cdef int cases = gradients.shape[1]
    cdef float* dx = matrix(targets, "targets", channels * img_size * img_size, cases, True)
    cdef PoolShape s = _pool_shape(cases, channels, img_size, size_x, start, stride, outputs_x)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().pool_avg_gradient(s, dy, dx, scale)


# ---- 3.3 normalization ---------------------------------------------------------------------------

cdef NormShape _norm_shape(images, int channels, int size, float scale, float pow, float min_div, bint blocked) except *:
    matrix(images, "images")
    _positive({"cases": images.shape[1], "channels": channels, "size": size})
    if images.shape[0] % channels:
        raise ValueError(f"images: expected a number of rows divisible by {channels} channels, got {images.shape[0]}")
    cdef NormShape s
    s.cases, s.channels, s.pixels = images.shape[1], channels, images.shape[0] // channels
    s.size, s.scale, s.pow, s.min_div, s.blocked = size, scale, pow, min_div, blocked
    return s


def cross_map_norm(images, denoms, targets, *, int channels, int size, float scale, float pow, float min_div=1, bint blocked=False):
    cdef NormShape s = _norm_shape(images, channels, size, scale, pow, min_div, blocked)
    rows, cols = images.shape
    cdef float* x = matrix(images, "images")
    cdef float* d = matrix(denoms, "denoms", rows, cols, True)
    cdef float* y = matrix(targets, "targets", rows, cols, True)
    with nogil:
        the_device.get().cross_map_norm(s, x, d, y)


def cross_map_norm_gradient(gradients, denoms, images, outputs, targets, *, int channels, int size, float scale, float pow,
                            bint blocked=False, float scale_targets=0, float scale_output=1):
    cdef NormShape s = _norm_shape(images, channels, size, scale, pow, 1, blocked)
    rows, cols = images.shape
    cdef float* x = matrix(images, "images")
    cdef float* dy = matrix(gradients, "gradients", rows, cols)
    cdef float* d = matrix(denoms, "denoms", rows, cols)
    cdef float* y = matrix(outputs, "outputs", rows, cols)
    cdef float* dx = matrix(targets, "targets", rows, cols, True)
    cdef Scale out = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().cross_map_norm_gradient(s, dy, d, x, y, dx, out)


# ---- 3.5 neurons ---------------------------------------------------------------------------------

_neurons = {
    "ident": NeuronKind.ident, "logistic": NeuronKind.logistic, "abs": NeuronKind.abs, "relu": NeuronKind.relu,
    "nrelu": NeuronKind.nrelu, "softrelu": NeuronKind.softrelu, "square": NeuronKind.square, "sqrt": NeuronKind.sqrt,
    "tanh": NeuronKind.tanh, "abstanh": NeuronKind.abstanh, "brelu": NeuronKind.brelu, "linear": NeuronKind.linear,
    "drelu": NeuronKind.drelu,
}


cdef Neuron _neuron(str kind, float a, float b) except *:
    if kind not in _neurons:
        raise ValueError(f"kind: expected one of {', '.join(_neurons)}, got {kind!r}")
    cdef Neuron neuron
    neuron.kind, neuron.a, neuron.b = _neurons[kind], a, b
    return neuron


cdef RandomKey _key(uint64_t seed, uint32_t layer, uint64_t update):
    cdef RandomKey key
    key.seed, key.layer, key.update = seed, layer, update
    return key


def neuron_forward(inputs, targets, *, str kind, float a=0, float b=0, uint64_t seed=0, uint32_t layer=0, uint64_t update=0):
    cdef Neuron neuron = _neuron(kind, a, b)
    cdef float* x = matrix(inputs, "inputs")
    cdef float* y = matrix(targets, "targets", inputs.shape[0], inputs.shape[1], True)
    cdef size_t count = inputs.size
    cdef RandomKey key = _key(seed, layer, update)
    with nogil:
        the_device.get().neuron_forward(neuron, x, y, count, key)


def neuron_gradient(gradients, inputs, outputs, targets, *, str kind, float a=0, float b=0, float scale_targets=0, float scale_output=1):
    cdef Neuron neuron = _neuron(kind, a, b)
    cdef float* dy = matrix(gradients, "gradients")
    rows, cols = gradients.shape
    cdef float* x = matrix(inputs, "inputs", rows, cols)
    cdef float* y = matrix(outputs, "outputs", rows, cols)
    cdef float* dx = matrix(targets, "targets", rows, cols, True)
    cdef size_t count = gradients.size
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().neuron_gradient(neuron, dy, x, y, dx, count, scale)


# ---- 3.6 dense products, softmax, elementwise ----------------------------------------------------

def multiply(a, b, targets, *, bint transpose_a=False, bint transpose_b=False, float scale_targets=0, float scale_output=1):
    cdef float* left = matrix(a, "a")
    cdef int rows = a.shape[1] if transpose_a else a.shape[0]
    cdef int inner = a.shape[0] if transpose_a else a.shape[1]
    matrix(b, "b", None if transpose_b else inner, inner if transpose_b else None)
    cdef float* right = matrix(b, "b")
    cdef int columns = b.shape[0] if transpose_b else b.shape[1]
    cdef float* out = matrix(targets, "targets", rows, columns, True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().multiply(left, transpose_a, right, transpose_b, out, rows, columns, inner, scale)


def add(inputs, targets, *, float scale_targets=0, float scale_output=1):
    cdef float* x = matrix(inputs, "inputs")
    cdef float* y = matrix(targets, "targets", inputs.shape[0], inputs.shape[1], True)
    cdef size_t count = inputs.size
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().add(x, y, count, scale)


def multiply_elementwise(a, b, targets, *, float scale_targets=0, float scale_output=1):
    cdef float* left = matrix(a, "a")
    cdef float* right = matrix(b, "b", a.shape[0], a.shape[1])
    cdef float* out = matrix(targets, "targets", a.shape[0], a.shape[1], True)
    cdef size_t count = a.size
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().multiply_elementwise(left, right, out, count, scale)


def softmax(inputs, targets):
    cdef float* x = matrix(inputs, "inputs")
    cdef int classes = inputs.shape[0]
    cdef int cases = inputs.shape[1]
    cdef float* y = matrix(targets, "targets", classes, cases, True)
    with nogil:
        the_device.get().softmax(x, y, classes, cases)


def softmax_gradient(gradients, outputs, targets, *, float scale_targets=0, float scale_output=1):
    cdef float* dy = matrix(gradients, "gradients")
    cdef int classes = gradients.shape[0]
    cdef int cases = gradients.shape[1]
    cdef float* y = matrix(outputs, "outputs", classes, cases)
    cdef float* dx = matrix(targets, "targets", classes, cases, True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().softmax_gradient(dy, y, dx, classes, cases, scale)


def elementwise_max(inputs, targets):
    if not inputs:
        raise ValueError("inputs: expected a list of at least one array, got none")
    matrix(inputs[0], "inputs[0]")
    rows, cols = inputs[0].shape
    cdef float* y = matrix(targets, "targets", rows, cols, True)
    cdef size_t count = targets.size
    cdef Scale overwrite = _scale(0, 1)
    cdef float* x
    for i, values in enumerate(inputs):
        matrix(values, f"inputs[{i}]", rows, cols)
    for i, values in enumerate(inputs):
        x = matrix(values, f"inputs[{i}]")
        with nogil:
            if i == 0:
                the_device.get().add(x, y, count, overwrite)
            else:
                the_device.get().elementwise_max(x, y, count)


def elementwise_max_gradient(gradients, inputs, outputs, targets, *, float scale_targets=0, float scale_output=1):
    cdef float* dy = matrix(gradients, "gradients")
    rows, cols = gradients.shape
    cdef float* x = matrix(inputs, "inputs", rows, cols)
    cdef float* y = matrix(outputs, "outputs", rows, cols)
    cdef float* dx = matrix(targets, "targets", rows, cols, True)
    cdef size_t count = gradients.size
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().elementwise_max_gradient(dy, x, y, dx, count, scale)


def dropout_mask(targets, *, float keep, uint64_t seed, uint32_t layer, uint64_t update):
    cdef float* y = matrix(targets, "targets", None, None, True)
    cdef size_t count = targets.size
    cdef RandomKey key = _key(seed, layer, update)
    with nogil:
        the_device.get().dropout_mask(y, count, keep, key)


def philox_uniform(targets, *, uint64_t seed, uint32_t layer, uint64_t update):
    cdef float* y = matrix(targets, "targets", None, None, True)
    cdef size_t count = targets.size
    cdef RandomKey key = _key(seed, layer, update)
    with nogil:
        the_device.get().philox_uniform(y, count, key)


# ---- 3.7 costs -----------------------------------------------------------------------------------

cdef float* _labels(labels, int classes, int cases) except NULL:
    cdef float* data = matrix(labels, "labels", 1, cases)
    wrong = labels[~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))]
    if wrong.size:
        raise ValueError(f"labels: expected class numbers from 0 to {classes - 1}, got {wrong[0]:g}")
    return data


def logreg_cost(labels, probs, *, int topk=1):
    cdef float* p = matrix(probs, "probs")
    cdef int classes = probs.shape[0]
    cdef int cases = probs.shape[1]
    cdef float* l = _labels(labels, classes, cases)
    if not 1 <= topk <= classes:
        raise ValueError(f"topk: expected 1 to {classes}, got {topk}")
    cdef LogregCost cost
    with nogil:
        cost = the_device.get().logreg_cost(l, p, classes, cases, topk)
    return cost.minus_log_prob, cases - cost.correct, cases - cost.correct_topk


def _logreg_gradient(bint fused, labels, probs, targets, float coeff, float scale_targets):
    cdef float* p = matrix(probs, "probs")
    cdef int classes = probs.shape[0]
    cdef int cases = probs.shape[1]
    cdef float* l = _labels(labels, classes, cases)
    cdef float* dx = matrix(targets, "targets", classes, cases, True)
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        if fused:
            the_device.get().logreg_softmax_gradient(l, p, dx, classes, cases, coeff, scale)
        else:
            the_device.get().logreg_gradient(l, p, dx, classes, cases, coeff, scale)


def logreg_gradient(labels, probs, targets, *, float coeff, float scale_targets=0):
    _logreg_gradient(False, labels, probs, targets, coeff, scale_targets)


def logreg_softmax_gradient(labels, probs, targets, *, float coeff, float scale_targets=0):
    _logreg_gradient(True, labels, probs, targets, coeff, scale_targets)


# ---- 3.8 updates ---------------------------------------------------------------------------------

def update_weights(weights, increments, gradients, *, float momentum, float gradient_scale, float decay):
    cdef float* w = matrix(weights, "weights", None, None, True)
    rows, cols = weights.shape
    cdef float* inc = matrix(increments, "increments", rows, cols, True)
    cdef float* g = matrix(gradients, "gradients", rows, cols)
    cdef size_t count = weights.size
    with nogil:
        the_device.get().update_weights(w, inc, g, count, momentum, gradient_scale, decay)


def adaptive_update(weights, increments, gradients, mean, mean_square, *, float momentum, float gradient_scale,
                    float decay, float super_eps):
    cdef float* w = matrix(weights, "weights", None, None, True)
    rows, cols = weights.shape
    cdef float* inc = matrix(increments, "increments", rows, cols, True)
    cdef float* g = matrix(gradients, "gradients", rows, cols)
    cdef float* m = matrix(mean, "mean", rows, cols, True)
    cdef float* m2 = matrix(mean_square, "mean_square", rows, cols, True)
    cdef size_t count = weights.size
    with nogil:
        the_device.get().adaptive_update(w, inc, g, m, m2, count, momentum, gradient_scale, decay, super_eps)


def bound_column_norms(weights, *, float norm):
    cdef float* w = matrix(weights, "weights", None, None, True)
    cdef int rows = weights.shape[0]
    cdef int columns = weights.shape[1]
    with nogil:
        the_device.get().bound_column_norms(w, rows, columns, norm)


def bound_zero_mean_norms(weights, *, float min, float max):
    cdef float* w = matrix(weights, "weights", None, None, True)
    cdef int rows = weights.shape[0]
    cdef int columns = weights.shape[1]
    with nogil:
        the_device.get().bound_zero_mean_norms(w, rows, columns, min, max)


def schedule_rate(double base, double progress, *, str kind="default", double tgt_factor=10, int num_steps=1):
    return rate_at_progress(kind.encode(), base, progress, tgt_factor, num_steps)
