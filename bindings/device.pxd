# What device/device.h declares, for Cython.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport unique_ptr
from libcpp.string cimport string

cdef extern from "device/device.h" namespace "convnet" nogil:
    cdef struct Scale:
        float targets
        float output

    cdef cppclass ConvShape:
        int cases, channels, img_size_y, img_size_x, filters, filter_size, padding, stride
        int modules_y, modules_x, groups, filter_channels
        const int* connections

    cdef cppclass PoolShape:
        int cases, channels, img_size, size, start, stride, outputs

    cdef enum class Pool:
        max
        max_abs
        avg

    cdef cppclass NormShape:
        int cases, channels, pixels, size
        float scale, pow, min_div
        bool blocked

    cdef enum class NeuronKind:
        ident
        logistic
        abs
        relu
        nrelu
        softrelu
        square
        sqrt
        tanh
        abstanh
        brelu
        linear
        drelu

    cdef cppclass Neuron:
        NeuronKind kind
        float a, b

    cdef cppclass RandomKey:
        uint64_t seed
        uint32_t layer
        uint64_t update

    cdef cppclass LogregCost:
        double minus_log_prob, correct, correct_topk

    cdef cppclass Device:
        string name()
        void conv_forward(const ConvShape&, const float*, const float*, float*, Scale) except +
        void conv_image_gradient(const ConvShape&, const float*, const float*, float*, Scale) except +
        void conv_weight_gradient(const ConvShape&, const float*, const float*, float*, int, Scale) except +
        void local_forward(const ConvShape&, const float*, const float*, float*, Scale) except +
        void local_image_gradient(const ConvShape&, const float*, const float*, float*, Scale) except +
        void local_weight_gradient(const ConvShape&, const float*, const float*, float*, Scale) except +
        void add_bias(const float*, float*, int, int, int) except +
        void bias_gradient(const float*, float*, int, int, int, Scale) except +
        void normalize_local_weights(float*, int, int, int, float) except +
        void pool_forward(Pool, const PoolShape&, const float*, float*) except +
        void pool_max_gradient(const PoolShape&, const float*, const float*, const float*, float*, Scale) except +
        void pool_avg_gradient(const PoolShape&, const float*, float*, Scale) except +
        void cross_map_norm(const NormShape&, const float*, float*, float*) except +
        void cross_map_norm_gradient(const NormShape&, const float*, const float*, const float*, const float*, float*, Scale) except +
        void neuron_forward(const Neuron&, const float*, float*, size_t, RandomKey) except +
        void neuron_gradient(const Neuron&, const float*, const float*, const float*, float*, size_t, Scale) except +
        void multiply(const float*, bool, const float*, bool, float*, int, int, int, Scale) except +
        void add(const float*, float*, size_t, Scale) except +
        void multiply_elementwise(const float*, const float*, float*, size_t, Scale) except +
        void softmax(const float*, float*, int, int) except +
        void softmax_gradient(const float*, const float*, float*, int, int, Scale) except +
        void elementwise_max(const float*, float*, size_t) except +
        void elementwise_max_gradient(const float*, const float*, const float*, float*, size_t, Scale) except +
        void dropout_mask(float*, size_t, float, RandomKey) except +
        void philox_uniform(float*, size_t, RandomKey) except +
        LogregCost logreg_cost(const float*, const float*, int, int, int) except +
        void logreg_gradient(const float*, const float*, float*, int, int, float, Scale) except +
        void logreg_softmax_gradient(const float*, const float*, float*, int, int, float, Scale) except +
        void update_weights(float*, float*, const float*, size_t, float, float, float) except +
        void adaptive_update(float*, float*, const float*, float*, float*, size_t, float, float, float, float) except +
        void bound_column_norms(float*, int, int, float) except +
        void bound_zero_mean_norms(float*, int, int, float, float) except +

    unique_ptr[Device] make_cpu_device(int threads) except +
    double rate_at_progress "convnet::schedule_rate"(const string& kind, double base, double progress, double tgt_factor, int num_steps) except +
