# The rebuilt engine for Python (protocol: convnet_py/engines/__init__.py; spec 6.5). Layer dictionaries are
# flattened into engine/config.h's LayerConfig; arrays are copied in and out in row-major order.
cimport numpy as cnp
from cython.operator cimport dereference as deref
from libc.stdint cimport uint64_t
from libc.string cimport memcpy
from libcpp cimport bool as cpp_bool
from libcpp.map cimport map as cpp_map
from libcpp.memory cimport unique_ptr
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.vector cimport vector

from device cimport Device, make_cpu_device, make_cuda_device

import numpy as np

cnp.import_array()

ctypedef float* FloatPointer


cdef extern from "engine/net.h" namespace "convnet" nogil:
    cdef cppclass HostMatrix:
        int rows, cols
        vector[float] values

    cdef cppclass LayerConfig:
        string name, type
        cpp_map[string, vector[double]] numbers
        cpp_map[string, vector[string]] texts
        cpp_map[string, vector[HostMatrix]] arrays

    cdef cppclass HostData:
        const float* values
        int rows, cases

    cdef cppclass NetOptions:
        int minibatch_size, weight_update_freq
        uint64_t seed
        cpp_bool host_transfers, exact_gradients, conserve_memory

    cdef cppclass GradientCheck:
        int failed, tests
        string report

    cdef cppclass BatchResult:
        vector[pair[string, vector[double]]] costs
        int cases

    cdef cppclass Matrix:
        const Device& device()
        const float* data()
        int rows()
        int cols()

    cdef cppclass CppNet "convnet::Net":
        CppNet(const vector[LayerConfig]&, vector[Device*], const NetOptions&) except +
        void start_batch(const vector[HostData]&, double, cpp_bool) except +
        void start_feature_writer(const vector[HostData]&, const vector[pair[string, FloatPointer]]&) except +
        void start_multiview_test(const vector[HostData]&, int, float*, const string&) except +
        BatchResult finish_batch() except +
        GradientCheck check_gradients(const vector[HostData]&) except +
        cpp_map[string, HostMatrix] trace(const vector[HostData]&) except +
        const Matrix& activations(const string&) except +
        int outputs_of(const string&) except +
        int classes_of(const string&) except +
        vector[pair[string, vector[double]]] costs() except +
        HostMatrix weights(const string&, int, cpp_bool) except +
        uint64_t minibatches()
        cpp_map[string, HostMatrix] pending() except +
        void restore(uint64_t, const cpp_map[string, HostMatrix]&) except +


cdef HostMatrix _host_matrix(a):
    cdef cnp.ndarray values = np.ascontiguousarray(a, dtype=np.float32)
    cdef HostMatrix matrix
    matrix.rows, matrix.cols = values.shape[0], values.shape[1]
    matrix.values.resize(values.size)
    if values.size:
        memcpy(matrix.values.data(), cnp.PyArray_DATA(values), values.size * sizeof(float))
    return matrix


cdef _array(const HostMatrix& matrix):
    cdef cnp.ndarray values = np.empty((matrix.rows, matrix.cols), dtype=np.float32)
    if values.size:
        memcpy(cnp.PyArray_DATA(values), matrix.values.data(), values.size * sizeof(float))
    return values


cdef _flatten(LayerConfig& config, str key, value):
    """Store a dictionary's value under `key`; nested ones under key.name or key.index."""
    cdef string k = key.encode()
    if isinstance(value, dict):
        for name, item in value.items():
            _flatten(config, f"{key}.{name}", item)
    elif isinstance(value, str):
        config.texts[k].push_back(value.encode())
    elif isinstance(value, np.ndarray) and value.ndim == 2:
        config.arrays[k].push_back(_host_matrix(value))
    elif isinstance(value, (bool, int, float, np.number, np.bool_)):
        config.numbers[k].push_back(float(value))
    elif isinstance(value, (list, tuple, np.ndarray)):
        if not len(value):  # of any kind: a reader of either finds an empty list
            config.numbers[k]
            config.texts[k]
        for i, item in enumerate(value):
            _flatten(config, f"{key}.{i}" if isinstance(item, (list, tuple, dict)) else key, item)
    elif value is not None:
        raise ValueError(f"layer dictionary key '{key}': expected a number, text, array, list or dictionary, got {type(value).__name__}")


cdef LayerConfig _config(str name, layer) except *:
    cdef LayerConfig config
    config.name = name.encode()
    config.type = layer["type"].encode()
    for key, value in layer.items():
        if key not in ("name", "type", "inputLayers"):
            _flatten(config, key, value)
    return config


cdef class DeviceArray:
    """A layer's outputs where they were computed, (outputs, cases), C order; they change with the next pass.

    NumPy takes it through ``__array_interface__`` where that is the CPU; PyTorch, CuPy and pycuda through
    ``__cuda_array_interface__`` where it is a GPU. Neither copies.
    """

    cdef object net  # whose memory it is
    cdef dict interface
    cdef readonly int gpu  # -1: the CPU

    @property
    def __array_interface__(self):
        if self.gpu >= 0:
            raise AttributeError("these values are on a GPU: see __cuda_array_interface__")
        return self.interface

    @property
    def __cuda_array_interface__(self):
        if self.gpu < 0:
            raise AttributeError("these values are on the CPU: see __array_interface__")
        return {**self.interface, "stream": 1}  # the legacy default stream


cdef class Net:
    """A net of the rebuilt engine. See convnet_py.engines.rebuilt, which users call."""

    cdef vector[unique_ptr[Device]] devices
    cdef list gpus  # the physical GPU of each device, -1 for the CPU
    cdef unique_ptr[CppNet] net
    cdef object in_use  # the arrays of the batch in flight

    def __init__(self, dict layers, list gpus, int minibatch_size, int weight_update_freq, uint64_t seed, int threads,
                 bint tf32, bint host_transfers, bint exact_gradients, bint conserve_memory):
        """`gpus`: the physical GPU of each logical device, or -1 for the CPU."""
        cdef vector[LayerConfig] configs
        for name, layer in layers.items():
            configs.push_back(_config(name, layer))
        cdef vector[Device*] devices
        cdef dict made = {}
        cdef int gpu
        self.gpus = []
        for gpu in gpus:
            if gpu not in made:
                made[gpu] = self.devices.size()
                self.gpus.append(gpu)
                self.devices.resize(self.devices.size() + 1)
                self.devices.back().reset(make_cpu_device(threads).release() if gpu < 0 else make_cuda_device(gpu, tf32).release())
            devices.push_back(self.devices[<size_t> made[gpu]].get())
        cdef NetOptions options
        options.minibatch_size, options.weight_update_freq, options.seed = minibatch_size, weight_update_freq, seed
        options.host_transfers, options.exact_gradients = host_transfers, exact_gradients
        options.conserve_memory = conserve_memory
        self.net.reset(new CppNet(configs, devices, options))

    def __dealloc__(self):
        # The net releases its matrices to the device.
        with nogil:
            self.net.reset()

    def device_name(self):
        return self.devices[0].get().name().decode()

    def activations(self, str layer):
        cdef const Matrix* matrix = &self.net.get().activations(layer.encode())
        cdef DeviceArray array = DeviceArray()
        array.net = self
        for i in range(self.devices.size()):
            if self.devices[i].get() == &matrix.device():
                array.gpu = self.gpus[i]
        array.interface = {"shape": (matrix.rows(), matrix.cols()), "typestr": "<f4", "version": 3,
                           "data": (<size_t> matrix.data(), False)}
        return array

    cdef vector[HostData] _host_data(self, list data) except *:
        cdef vector[HostData] matrices
        cdef HostData matrix
        if not data:
            raise ValueError("data: expected at least one matrix, got none")
        for i, a in enumerate(data):
            if not (isinstance(a, np.ndarray) and a.dtype == np.float32 and a.ndim == 2 and a.flags.c_contiguous):
                got = f"{a.dtype} array of shape {a.shape}" if isinstance(a, np.ndarray) else type(a).__name__
                raise ValueError(f"data[{i}]: expected a C-contiguous float32 matrix of rows x cases, got {got}")
            matrix.values = <const float*> cnp.PyArray_DATA(a)
            matrix.rows, matrix.cases = a.shape[0], a.shape[1]
            matrices.push_back(matrix)
        return matrices

    def start_batch(self, list data, double progress, bint test):
        self.net.get().start_batch(self._host_data(data), progress, test)
        self.in_use = data

    def start_feature_writer(self, list data, list features, list layer_names):
        cdef vector[HostData] matrices = self._host_data(data)
        cdef vector[pair[string, FloatPointer]] targets
        if len(features) != len(layer_names):
            raise ValueError(f"features: expected {len(layer_names)} arrays, one for each layer, got {len(features)}")
        for name, a in zip(layer_names, features):
            shape = (data[0].shape[1], self.net.get().outputs_of(name.encode()))
            if not (isinstance(a, np.ndarray) and a.dtype == np.float32 and a.shape == shape and a.flags.c_contiguous and a.flags.writeable):
                raise ValueError(f"features of '{name}': expected a writable C-contiguous float32 array of shape {shape}")
            targets.push_back(pair[string, FloatPointer](name.encode(), <float*> cnp.PyArray_DATA(a)))
        self.net.get().start_feature_writer(matrices, targets)
        self.in_use = (data, features)

    def start_multiview_test(self, list data, int num_views, probs, str logreg_name):
        cdef vector[HostData] matrices = self._host_data(data)
        cdef float* target = NULL
        if probs is not None:
            if logreg_name is None:
                raise ValueError("logreg_name: expected the name of a cost.logreg layer with probs, got none")
            if not (isinstance(probs, np.ndarray) and probs.dtype == np.float32 and probs.ndim == 2 and probs.flags.c_contiguous
                    and probs.flags.writeable and probs.shape[0] * num_views == data[0].shape[1]):
                raise ValueError(f"probs: expected a writable C-contiguous float32 array of {data[0].shape[1] // num_views} cases x classes")
            classes = self.net.get().classes_of(logreg_name.encode())
            if probs.shape[1] != classes:
                raise ValueError(f"probs: expected {classes} classes, got {probs.shape[1]}")
            target = <float*> cnp.PyArray_DATA(probs)
        self.net.get().start_multiview_test(matrices, num_views, target, (logreg_name or "").encode())
        self.in_use = (data, probs)

    def check_gradients(self, list data):
        cdef vector[HostData] matrices = self._host_data(data)
        cdef GradientCheck check
        with nogil:
            check = self.net.get().check_gradients(matrices)
        return check.failed, check.tests, check.report.decode()

    def trace(self, list data):
        cdef vector[HostData] matrices = self._host_data(data)
        cdef cpp_map[string, HostMatrix] arrays
        with nogil:
            arrays = self.net.get().trace(matrices)
        taken = {}
        while not arrays.empty():  # one at a time: a large net's trace fills much of the memory
            first = arrays.begin()
            taken[deref(first).first.decode()] = _array(deref(first).second)
            arrays.erase(first)
        return taken

    def costs_of_trace(self):
        """Name and values of every cost, as the last pass left them."""
        return {item.first.decode(): list(item.second) for item in self.net.get().costs()}

    def finish_batch(self):
        cdef BatchResult result
        with nogil:
            result = self.net.get().finish_batch()
        self.in_use = None
        return {item.first.decode(): list(item.second) for item in result.costs}, result.cases

    def weights(self, str layer, int index, bint increments):
        return _array(self.net.get().weights(layer.encode(), index, increments))

    def minibatches(self):
        return self.net.get().minibatches()

    def pending(self):
        cdef cpp_map[string, HostMatrix] matrices = self.net.get().pending()
        return {item.first.decode(): _array(item.second) for item in matrices}

    def restore(self, uint64_t minibatches, dict pending):
        cdef cpp_map[string, HostMatrix] matrices
        for name, values in pending.items():
            matrices[name.encode()] = _host_matrix(values)
        self.net.get().restore(minibatches, matrices)
