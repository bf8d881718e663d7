# The operations of device.h on NumPy arrays, by the same names (convnet_py/_device.pyi documents them).
# Every array is checked here, once; the C++ side trusts what it gets. On a GPU each operation works on copies there.
cimport numpy as cnp
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libcpp.memory cimport unique_ptr

from device cimport *

import functools
import os
import time

import numpy as np

cnp.import_array()

cdef unique_ptr[Device] the_device = make_cpu_device(len(os.sched_getaffinity(0)))
cdef int the_threads = len(os.sched_getaffinity(0))
# Of the operation that runs, on a GPU: address of an array's values -> its copy. None on the CPU, which needs none.
cdef dict the_copies = None


def use_cpu(int threads):
    """Compute on the CPU with `threads` threads from now on; results do not depend on their number."""
    global the_threads, the_copies
    if threads < 1:
        raise ValueError(f"threads: expected at least 1, got {threads}")
    the_device.reset(make_cpu_device(threads).release())
    the_threads = threads
    the_copies = None


def use_gpu(int gpu, *, bint tf32=False):
    """Compute on a GPU from now on, on copies of the arrays there. RuntimeError: what is missing for it."""
    global the_threads, the_copies
    the_device.reset(make_cuda_device(gpu, tf32).release())
    the_threads = 0
    the_copies = {}


def get_threads():
    """The number of threads in use; 0 on a GPU."""
    return the_threads


def device_name():
    """The instruction set in use (avx512, avx2 or baseline), or the name of the GPU."""
    return the_device.get().name().decode()


def list_gpus():
    """The GPUs that the CUDA device can use: a dictionary each. RuntimeError: what is missing for it."""
    cdef Gpu gpu
    found = []
    for gpu in list_cuda_gpus():
        found.append({
            "name": gpu.name.decode(), "capability": (gpu.capability.first, gpu.capability.second),
            "total_bytes": gpu.total_bytes, "free_bytes": gpu.free_bytes, "driver": gpu.driver, "runtime": gpu.runtime,
        })
    return found


cdef class _Copy:
    """An array's values on the GPU."""

    cdef object array
    cdef float* data
    cdef bint written

    def __cinit__(self, cnp.ndarray array):
        self.array = array
        self.data = the_device.get().allocate(array.size)
        the_device.get().copy_from_host(<const float*> cnp.PyArray_DATA(array), self.data, array.size)

    def __dealloc__(self):
        if self.data != NULL:  # as it is where the GPU had no memory for it
            the_device.get().release(self.data)

    cdef copy_back(self):
        if self.written:
            the_device.get().copy_to_host(self.data, <float*> cnp.PyArray_DATA(self.array), self.array.size)


def _operation(function):
    """An operation that, on a GPU, copies back what it wrote."""
    @functools.wraps(function)
    def operation(*arguments, **keywords):
        try:
            result = function(*arguments, **keywords)
            if the_copies:
                for copy in the_copies.values():
                    (<_Copy> copy).copy_back()
        finally:
            if the_copies:
                the_copies.clear()
        return result

    return operation


def seconds(operation, *arguments, int repeats=10, **keywords):
    """Seconds per call of an operation of this module, by the wall clock; on a GPU without the copies."""
    function = operation.__wrapped__
    try:
        function(*arguments, **keywords)  # makes the copies, and warms up
        the_device.get().synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            function(*arguments, **keywords)
        the_device.get().synchronize()
        return (time.perf_counter() - start) / repeats
    finally:
        if the_copies:
            the_copies.clear()


_not_operations = set(globals())


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
    cdef float* data = <float*> cnp.PyArray_DATA(a)
    if the_copies is None:
        return data
    cdef size_t address = <size_t> data
    if address not in the_copies:
        the_copies[address] = _Copy(a)
    cdef _Copy copy = the_copies[address]
    copy.written = copy.written or written
    return copy.data


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


def pool_rand_forward(images, targets, *, int channels, int img_size, int size_x, int start, int stride, int outputs_x,
                      uint64_t seed, uint32_t layer, uint64_t update):
    cdef float* x = matrix(images, "images", channels * img_size * img_size)
    cdef float* y = matrix(targets, "targets", channels * outputs_x * outputs_x, images.shape[1], True)
    cdef PoolShape s = _pool_shape(images.shape[1], channels, img_size, size_x, start, stride, outputs_x)
    cdef RandomKey key = _key(seed, layer, update)
    with nogil:
        the_device.get().pool_rand_forward(s, x, y, key)


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


cdef int _side(images, int channels) except -1:
    """The side of the square maps of `images`."""
    matrix(images, "images")
    _positive({"channels": channels, "cases": images.shape[1]})
    side = round((images.shape[0] / channels) ** 0.5)
    if side < 1 or channels * side * side != images.shape[0]:
        raise ValueError(f"images: expected {channels} square maps, got {images.shape[0]} rows")
    return side


cdef NormShape _map_norm_shape(images, int channels, int size, float scale, float pow) except *:
    side = _side(images, channels)
    cdef NormShape s = _norm_shape(images, channels, size, scale, pow, 1, False)
    s.img_size = side
    return s


def response_norm(images, denoms, targets, *, int channels, int size, float scale, float pow):
    cdef NormShape s = _map_norm_shape(images, channels, size, scale, pow)
    rows, cols = images.shape
    cdef float* x = matrix(images, "images")
    cdef float* d = matrix(denoms, "denoms", rows, cols, True)
    cdef float* y = matrix(targets, "targets", rows, cols, True)
    with nogil:
        the_device.get().response_norm(s, x, d, y)


def response_norm_gradient(gradients, denoms, images, outputs, targets, *, int channels, int size, float scale, float pow,
                           float scale_targets=0, float scale_output=1):
    cdef NormShape s = _map_norm_shape(images, channels, size, scale, pow)
    rows, cols = images.shape
    cdef float* x = matrix(images, "images")
    cdef float* dy = matrix(gradients, "gradients", rows, cols)
    cdef float* d = matrix(denoms, "denoms", rows, cols)
    cdef float* y = matrix(outputs, "outputs", rows, cols)
    cdef float* dx = matrix(targets, "targets", rows, cols, True)
    cdef Scale out = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().response_norm_gradient(s, dy, d, x, y, dx, out)


def contrast_norm(images, mean_diffs, denoms, targets, *, int channels, int size, float scale, float pow):
    cdef NormShape s = _map_norm_shape(images, channels, size, scale, pow)
    rows, cols = images.shape
    cdef float* x = matrix(images, "images")
    cdef float* m = matrix(mean_diffs, "mean_diffs", rows, cols, True)
    cdef float* d = matrix(denoms, "denoms", rows, cols, True)
    cdef float* y = matrix(targets, "targets", rows, cols, True)
    with nogil:
        the_device.get().contrast_norm(s, x, m, d, y)


def contrast_norm_gradient(gradients, denoms, mean_diffs, outputs, images, targets, *, int channels, int size, float scale,
                           float pow, bint exact=False, float scale_targets=0, float scale_output=1):
    cdef NormShape s = _map_norm_shape(images, channels, size, scale, pow)
    rows, cols = images.shape
    cdef float* dy = matrix(gradients, "gradients", rows, cols)
    cdef float* d = matrix(denoms, "denoms", rows, cols)
    cdef float* m = matrix(mean_diffs, "mean_diffs", rows, cols)
    cdef float* y = matrix(outputs, "outputs", rows, cols)
    cdef float* dx = matrix(targets, "targets", rows, cols, True)
    cdef Scale out = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().contrast_norm_gradient(s, dy, d, m, y, dx, exact, out)


# ---- 3.4 images ----------------------------------------------------------------------------------

cdef int _maps(images, str name, int img_size) except -1:
    """How many maps of img_size x img_size the rows make."""
    matrix(images, name)
    _positive({"img_size": img_size, "cases": images.shape[1]})
    if images.shape[0] < 1 or images.shape[0] % (img_size * img_size):
        raise ValueError(f"{name}: expected maps of {img_size} x {img_size} pixels, got {images.shape[0]} rows")
    return images.shape[0] // (img_size * img_size)


def blur(images, filter, targets, *, int channels, float scale_targets=0, float scale_output=1):
    cdef int size = _side(images, channels)
    cdef int cases = images.shape[1]
    cdef float* x = matrix(images, "images")
    matrix(filter, "filter", 1)
    cdef float* f = <float*> cnp.PyArray_DATA(filter)  # host memory on every device
    if filter.shape[1] % 2 == 0:
        raise ValueError(f"filter: expected an odd number of values, got {filter.shape[1]}")
    cdef int radius = filter.shape[1] // 2
    cdef float* y = matrix(targets, "targets", images.shape[0], cases, True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().blur(x, f, radius, y, channels, size, cases, scale)


cdef int _nails(int img_size, int start, int stride) except -1:
    _positive({"img_size": img_size, "stride": stride})
    if not 0 <= start < img_size:
        raise ValueError(f"start: expected 0 to {img_size - 1}, got {start}")
    return -(-(img_size - start) // stride)


def bed_of_nails(images, targets, *, int channels, int img_size, int start, int stride, float scale_targets=0, float scale_output=1):
    cdef int outputs = _nails(img_size, start, stride)
    cdef float* x = matrix(images, "images", channels * img_size * img_size)
    cdef int cases = images.shape[1]
    cdef float* y = matrix(targets, "targets", channels * outputs * outputs, cases, True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().bed_of_nails(x, y, channels, img_size, start, stride, cases, scale)


def bed_of_nails_gradient(gradients, targets, *, int channels, int img_size, int start, int stride, float scale_targets=0, float scale_output=1):
    cdef int outputs = _nails(img_size, start, stride)
    cdef float* dy = matrix(gradients, "gradients", channels * outputs * outputs)
    cdef int cases = gradients.shape[1]
    cdef float* dx = matrix(targets, "targets", channels * img_size * img_size, cases, True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().bed_of_nails_gradient(dy, dx, channels, img_size, start, stride, cases, scale)


def reflect_horizontal(images, targets, *, int img_size, float scale_targets=0, float scale_output=1):
    cdef int maps = _maps(images, "images", img_size)
    cdef int cases = images.shape[1]
    cdef float* x = matrix(images, "images")
    cdef float* y = matrix(targets, "targets", images.shape[0], cases, True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().reflect_horizontal(x, y, maps, img_size, cases, scale)


def resize_bilinear(images, targets, *, int img_size, int tgt_size, float scale):
    _positive({"tgt_size": tgt_size})
    if img_size < 2:
        raise ValueError(f"img_size: expected at least 2 pixels to interpolate between, got {img_size}")
    if not scale > 0:
        raise ValueError(f"scale: expected a positive number, got {scale:g}")
    cdef int maps = _maps(images, "images", img_size)
    cdef int cases = images.shape[1]
    cdef float* x = matrix(images, "images")
    cdef float* y = matrix(targets, "targets", maps * tgt_size * tgt_size, cases, True)
    with nogil:
        the_device.get().resize_bilinear(x, y, maps, img_size, tgt_size, scale, cases)


def crop(images, targets, *, int img_size, int tgt_size, int start_y, int start_x):
    _positive({"tgt_size": tgt_size})
    for name, start in (("start_y", start_y), ("start_x", start_x)):
        if not 0 <= start <= img_size - tgt_size:
            raise ValueError(f"{name}: expected 0 to {img_size - tgt_size}, got {start}")
    cdef int maps = _maps(images, "images", img_size)
    cdef int cases = images.shape[1]
    cdef float* x = matrix(images, "images")
    cdef float* y = matrix(targets, "targets", maps * tgt_size * tgt_size, cases, True)
    with nogil:
        the_device.get().crop(x, y, maps, img_size, tgt_size, start_y, start_x, cases)


cdef int _pixels(images) except -1:
    matrix(images, "images")
    if images.shape[0] < 3 or images.shape[0] % 3:
        raise ValueError(f"images: expected a number of rows divisible by 3 channels, got {images.shape[0]}")
    return images.shape[0] // 3


def rgb_to_yuv(images, targets):
    cdef int pixels = _pixels(images)
    cdef int cases = images.shape[1]
    cdef float* x = matrix(images, "images")
    cdef float* y = matrix(targets, "targets", images.shape[0], cases, True)
    with nogil:
        the_device.get().rgb_to_yuv(x, y, pixels, cases)


def rgb_to_lab(images, targets, *, bint center):
    cdef int pixels = _pixels(images)
    cdef int cases = images.shape[1]
    cdef float* x = matrix(images, "images")
    cdef float* y = matrix(targets, "targets", images.shape[0], cases, True)
    with nogil:
        the_device.get().rgb_to_lab(x, y, pixels, cases, center)


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


def round_to_half(inputs, targets):
    cdef float* x = matrix(inputs, "inputs")
    cdef float* y = matrix(targets, "targets", inputs.shape[0], inputs.shape[1], True)
    cdef size_t count = inputs.size
    with nogil:
        the_device.get().round_to_half(x, y, count)


# ---- 3.7 costs -----------------------------------------------------------------------------------

cdef float* _labels(labels, int classes, int cases) except NULL:
    cdef float* data = matrix(labels, "labels", 1, cases)
    wrong = labels[~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))]
    if wrong.size:
        raise ValueError(f"labels: expected class numbers from 0 to {classes - 1}, got {wrong[0]:g}")
    return data


cdef tuple _reported(const CostValues& values):
    return tuple(values.get())


def logreg_cost(labels, probs, *, int topk=1):
    cdef float* p = matrix(probs, "probs")
    cdef int classes = probs.shape[0]
    cdef int cases = probs.shape[1]
    cdef float* l = _labels(labels, classes, cases)
    if not 1 <= topk <= classes:
        raise ValueError(f"topk: expected 1 to {classes}, got {topk}")
    cdef CostValues values
    with nogil:
        values = the_device.get().logreg_cost(l, p, classes, cases, topk)
    return _reported(values)


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


def crossent_cost(labels, probs):
    cdef float* p = matrix(probs, "probs")
    cdef int classes = probs.shape[0]
    cdef int cases = probs.shape[1]
    cdef float* l = matrix(labels, "labels", classes, cases)
    cdef CostValues values
    with nogil:
        values = the_device.get().crossent_cost(l, p, classes, cases)
    return _reported(values)


cdef enum _Pointwise:
    CROSSENT, CROSSENT2, CROSSENT2_LOGISTIC, RFLICKR


def _pointwise_gradient(_Pointwise cost, labels, outputs, targets, float coeff, float scale_targets):
    cdef float* y = matrix(outputs, "outputs")
    cdef float* l = matrix(labels, "labels", outputs.shape[0], outputs.shape[1])
    cdef float* dx = matrix(targets, "targets", outputs.shape[0], outputs.shape[1], True)
    cdef size_t count = outputs.size
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        if cost == CROSSENT:
            the_device.get().crossent_gradient(l, y, dx, count, coeff, scale)
        elif cost == CROSSENT2:
            the_device.get().crossent2_gradient(l, y, dx, count, coeff, scale)
        elif cost == CROSSENT2_LOGISTIC:
            the_device.get().crossent2_logistic_gradient(l, y, dx, count, coeff, scale)
        else:
            the_device.get().rflickr_gradient(l, y, dx, count, coeff, scale)


def crossent_gradient(labels, probs, targets, *, float coeff, float scale_targets=0):
    _pointwise_gradient(CROSSENT, labels, probs, targets, coeff, scale_targets)


def crossent_softmax_gradient(labels, probs, targets, *, float coeff, float scale_targets=0):
    cdef float* p = matrix(probs, "probs")
    cdef int classes = probs.shape[0]
    cdef int cases = probs.shape[1]
    cdef float* l = matrix(labels, "labels", classes, cases)
    cdef float* dx = matrix(targets, "targets", classes, cases, True)
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        the_device.get().crossent_softmax_gradient(l, p, dx, classes, cases, coeff, scale)


def crossent2_gradient(labels, outputs, targets, *, float coeff, float scale_targets=0):
    _pointwise_gradient(CROSSENT2, labels, outputs, targets, coeff, scale_targets)


def crossent2_logistic_gradient(labels, outputs, targets, *, float coeff, float scale_targets=0):
    _pointwise_gradient(CROSSENT2_LOGISTIC, labels, outputs, targets, coeff, scale_targets)


def rflickr_gradient(labels, outputs, targets, *, float coeff, float scale_targets=0):
    _pointwise_gradient(RFLICKR, labels, outputs, targets, coeff, scale_targets)


def crossent2_cost(labels, outputs):
    cdef float* y = matrix(outputs, "outputs")
    cdef float* l = matrix(labels, "labels", outputs.shape[0], outputs.shape[1])
    cdef size_t count = outputs.size
    cdef CostValues values
    with nogil:
        values = the_device.get().crossent2_cost(l, y, count)
    return _reported(values)


def rflickr_cost(labels, outputs):
    cdef float* y = matrix(outputs, "outputs")
    cdef float* l = matrix(labels, "labels", outputs.shape[0], outputs.shape[1])
    cdef size_t count = outputs.size
    cdef CostValues values
    with nogil:
        values = the_device.get().rflickr_cost(l, y, count)
    return _reported(values)


def sum2_cost(inputs):
    cdef float* x = matrix(inputs, "inputs")
    cdef size_t count = inputs.size
    cdef CostValues values
    with nogil:
        values = the_device.get().sum2_cost(x, count)
    return _reported(values)


def sum2_gradient(inputs, targets, *, float coeff, float scale_targets=0):
    cdef float* x = matrix(inputs, "inputs")
    cdef float* dx = matrix(targets, "targets", inputs.shape[0], inputs.shape[1], True)
    cdef size_t count = inputs.size
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        the_device.get().sum2_gradient(x, dx, count, coeff, scale)


def gsum2_cost(gates, inputs):
    cdef float* x = matrix(inputs, "inputs")
    cdef int rows = inputs.shape[0]
    cdef int cases = inputs.shape[1]
    cdef float* z = matrix(gates, "gates", 1, cases)
    cdef CostValues values
    with nogil:
        values = the_device.get().gsum2_cost(z, x, rows, cases)
    return _reported(values)


def gsum2_gradient(gates, inputs, targets, *, float coeff, float scale_targets=0):
    cdef float* x = matrix(inputs, "inputs")
    cdef int rows = inputs.shape[0]
    cdef int cases = inputs.shape[1]
    cdef float* z = matrix(gates, "gates", 1, cases)
    cdef float* dx = matrix(targets, "targets", rows, cases, True)
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        the_device.get().gsum2_gradient(z, x, dx, rows, cases, coeff, scale)


def gsum2_gate_gradient(inputs, targets, *, float coeff, float scale_targets=0):
    cdef float* x = matrix(inputs, "inputs")
    cdef int rows = inputs.shape[0]
    cdef int cases = inputs.shape[1]
    cdef float* dz = matrix(targets, "targets", 1, cases, True)
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        the_device.get().gsum2_gate_gradient(x, dz, rows, cases, coeff, scale)


cdef _check_set_size(int set_size, int classes):
    if not 1 <= set_size < classes:
        raise ValueError(f"set_size: expected 1 to {classes - 1}, got {set_size}")


def msm_probs(energies, targets, *, int set_size):
    cdef float* x = matrix(energies, "energies")
    cdef int classes = energies.shape[0]
    cdef int cases = energies.shape[1]
    cdef float* p = matrix(targets, "targets", classes, cases, True)
    _check_set_size(set_size, classes)
    with nogil:
        the_device.get().msm_probs(x, p, classes, cases, set_size)


def msm_cost(labels, energies, *, int set_size):
    cdef float* x = matrix(energies, "energies")
    cdef int classes = energies.shape[0]
    cdef int cases = energies.shape[1]
    cdef float* l = _labels(labels, classes, cases)
    _check_set_size(set_size, classes)
    cdef CostValues values
    with nogil:
        values = the_device.get().msm_cost(l, x, classes, cases, set_size)
    return _reported(values)


def msm_gradient(labels, energies, targets, *, int set_size, float coeff, float scale_targets=0):
    cdef float* x = matrix(energies, "energies")
    cdef int classes = energies.shape[0]
    cdef int cases = energies.shape[1]
    cdef float* l = _labels(labels, classes, cases)
    cdef float* dx = matrix(targets, "targets", classes, cases, True)
    _check_set_size(set_size, classes)
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        the_device.get().msm_gradient(l, x, dx, classes, cases, set_size, coeff, scale)


def tica_forward(images, targets, *, int channels, int size):
    cdef NormShape s = _map_norm_shape(images, channels, size, 0, 0)
    cdef float* x = matrix(images, "images")
    cdef float* y = matrix(targets, "targets", images.shape[0], images.shape[1], True)
    with nogil:
        the_device.get().tica_forward(s, x, y)


def tica_cost(images, *, int channels, int size):
    cdef NormShape s = _map_norm_shape(images, channels, size, 0, 0)
    cdef float* x = matrix(images, "images")
    cdef CostValues values
    with nogil:
        values = the_device.get().tica_cost(s, x)
    return _reported(values)


def tica_gradient(images, ticas, targets, *, int channels, int size, float coeff, float scale_targets=0):
    cdef NormShape s = _map_norm_shape(images, channels, size, 0, 0)
    rows, cols = images.shape
    cdef float* x = matrix(images, "images")
    cdef float* t = matrix(ticas, "ticas", rows, cols)
    cdef float* dx = matrix(targets, "targets", rows, cols, True)
    cdef Scale scale = _scale(scale_targets, 1)
    with nogil:
        the_device.get().tica_gradient(s, x, t, dx, coeff, scale)


# ---- 3.8 updates ---------------------------------------------------------------------------------

def update_weights(weights, increments, gradients, *, float momentum, float gradient_scale, float decay):
    cdef float* w = matrix(weights, "weights", None, None, True)
    rows, cols = weights.shape
    cdef float* inc = matrix(increments, "increments", rows, cols, True)
    cdef float* g = matrix(gradients, "gradients", rows, cols)
    cdef size_t count = weights.size
    with nogil:
        the_device.get().update_weights(w, inc, g, count, momentum, gradient_scale, decay)


def adaptive_update(weights, increments, gradients, mean, mean_square, *, float momentum, float rate,
                    float gradient_scale, float decay, float super_eps):
    cdef float* w = matrix(weights, "weights", None, None, True)
    rows, cols = weights.shape
    cdef float* inc = matrix(increments, "increments", rows, cols, True)
    cdef float* g = matrix(gradients, "gradients", rows, cols)
    cdef float* m = matrix(mean, "mean", rows, cols, True)
    cdef float* m2 = matrix(mean_square, "mean_square", rows, cols, True)
    cdef size_t count = weights.size
    with nogil:
        the_device.get().adaptive_update(w, inc, g, m, m2, count, momentum, rate, gradient_scale, decay, super_eps)


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


cdef class _TreeShape:
    """A checked class tree: the children of each node, leaves first."""

    cdef Tree shape
    cdef cnp.ndarray parents, top_down, leaf_counts

    def __init__(self, tree, int root):
        nodes = len(tree)
        if not 0 <= root < nodes:
            raise ValueError(f"root: expected a node from 0 to {nodes - 1}, got {root}")
        parents = np.full(nodes, -1, dtype=np.int32)
        order = [root]
        for node in order:  # grows while it is walked; a node met twice would be appended twice
            for child in tree[node]:
                if not 0 <= child < nodes or child == root or parents[child] >= 0:
                    raise ValueError(f"tree: expected every node below the root once, got {child} as a child of {node}")
                parents[child] = node
                order.append(child)
        leaves = sum(1 for children in tree if not len(children))
        if len(order) != nodes or any(len(children) for children in tree[:leaves]):
            raise ValueError(f"tree: expected {nodes} nodes below {root}, leaves first, got {len(order)} with {leaves} leaves")
        counts = np.array([not len(children) for children in tree], dtype=np.int32)
        for node in order[:0:-1]:
            counts[parents[node]] += counts[node]
        self.parents, self.top_down, self.leaf_counts = parents, np.array(order, dtype=np.int32), counts
        self.shape.nodes, self.shape.leaves = nodes, leaves
        self.shape.parents = <const int*> cnp.PyArray_DATA(self.parents)
        self.shape.top_down = <const int*> cnp.PyArray_DATA(self.top_down)
        self.shape.leaf_counts = <const int*> cnp.PyArray_DATA(self.leaf_counts)


def treefc_class_weights(weights, targets, *, tree, int root):
    cdef _TreeShape t = _TreeShape(tree, root)
    cdef float* w = matrix(weights, "weights", None, t.shape.nodes)
    cdef int rows = weights.shape[0]
    cdef float* y = matrix(targets, "targets", rows, t.shape.leaves, True)
    with nogil:
        the_device.get().treefc_class_weights(t.shape, w, y, rows)


def treefc_node_gradients(gradients, targets, *, tree, int root, float scale_targets=0, float scale_output=1):
    cdef _TreeShape t = _TreeShape(tree, root)
    cdef float* g = matrix(gradients, "gradients", None, t.shape.leaves)
    cdef int rows = gradients.shape[0]
    cdef float* y = matrix(targets, "targets", rows, t.shape.nodes, True)
    cdef Scale scale = _scale(scale_targets, scale_output)
    with nogil:
        the_device.get().treefc_node_gradients(t.shape, g, y, rows, scale)


def treefc_update(weights, increments, gradients, *, tree, int root, float momentum, float rate, float decay, float gradient_scale):
    cdef _TreeShape t = _TreeShape(tree, root)
    cdef float* w = matrix(weights, "weights", None, t.shape.nodes, True)
    cdef int rows = weights.shape[0]
    cdef float* inc = matrix(increments, "increments", rows, t.shape.nodes, True)
    cdef float* g = matrix(gradients, "gradients", rows, t.shape.nodes)
    with nogil:
        the_device.get().treefc_update(t.shape, w, inc, g, rows, momentum, rate, decay, gradient_scale)


def schedule_rate(double base, double progress, *, str kind="default", double tgt_factor=10, int num_steps=1):
    return rate_at_progress(kind.encode(), base, progress, tgt_factor, num_steps)


for _name in set(globals()) - _not_operations - {"_not_operations", "schedule_rate"}:
    if not _name.startswith("_"):
        globals()[_name] = _operation(globals()[_name])
