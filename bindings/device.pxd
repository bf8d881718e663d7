# What device/device.h declares, for Cython.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libcpp cimport bool
from libcpp.memory cimport unique_ptr
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.vector cimport vector

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
        int cases, channels, pixels, img_size, size
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

    cdef cppclass CostValues:
        const vector[double]& get() except +

    cdef cppclass Tree:
        int nodes, leaves
        const int* parents
        const int* top_down
        const int* leaf_counts

    cdef cppclass Gpu:
        string name
        pair[int, int] capability
        size_t total_bytes, free_bytes
        int driver, runtime

    cdef cppclass Device:
        string name() except +
        float* allocate(size_t) except +
        void release(float*) except +
        void copy_from_host(const float*, float*, size_t) except +
        void copy_to_host(const float*, float*, size_t) except +
        void synchronize() except +
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
        void pool_rand_forward(const PoolShape&, const float*, float*, RandomKey) except +
        void pool_max_gradient(const PoolShape&, const float*, const float*, const float*, float*, Scale) except +
        void pool_avg_gradient(const PoolShape&, const float*, float*, Scale) except +
        void cross_map_norm(const NormShape&, const float*, float*, float*) except +
        void cross_map_norm_gradient(const NormShape&, const float*, const float*, const float*, const float*, float*, Scale) except +
        void response_norm(const NormShape&, const float*, float*, float*) except +
        void response_norm_gradient(const NormShape&, const float*, const float*, const float*, const float*, float*, Scale) except +
        void contrast_norm(const NormShape&, const float*, float*, float*, float*) except +
        void contrast_norm_gradient(const NormShape&, const float*, const float*, const float*, const float*, float*, bool, Scale) except +
        void blur(const float*, const float*, int, float*, int, int, int, Scale) except +
        void bed_of_nails(const float*, float*, int, int, int, int, int, Scale) except +
        void bed_of_nails_gradient(const float*, float*, int, int, int, int, int, Scale) except +
        void reflect_horizontal(const float*, float*, int, int, int, Scale) except +
        void resize_bilinear(const float*, float*, int, int, int, float, int) except +
        void crop(const float*, float*, int, int, int, int, int, int) except +
        void rgb_to_yuv(const float*, float*, int, int) except +
        void rgb_to_lab(const float*, float*, int, int, bool) except +
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
        void round_to_half(const float*, float*, size_t) except +
        CostValues logreg_cost(const float*, const float*, int, int, int) except +
        void logreg_gradient(const float*, const float*, float*, int, int, float, Scale) except +
        void logreg_softmax_gradient(const float*, const float*, float*, int, int, float, Scale) except +
        CostValues crossent_cost(const float*, const float*, int, int) except +
        void crossent_gradient(const float*, const float*, float*, size_t, float, Scale) except +
        void crossent_softmax_gradient(const float*, const float*, float*, int, int, float, Scale) except +
        CostValues crossent2_cost(const float*, const float*, size_t) except +
        void crossent2_gradient(const float*, const float*, float*, size_t, float, Scale) except +
        void crossent2_logistic_gradient(const float*, const float*, float*, size_t, float, Scale) except +
        CostValues rflickr_cost(const float*, const float*, size_t) except +
        void rflickr_gradient(const float*, const float*, float*, size_t, float, Scale) except +
        CostValues sum2_cost(const float*, size_t) except +
        void sum2_gradient(const float*, float*, size_t, float, Scale) except +
        CostValues gsum2_cost(const float*, const float*, int, int) except +
        void gsum2_gradient(const float*, const float*, float*, int, int, float, Scale) except +
        void gsum2_gate_gradient(const float*, float*, int, int, float, Scale) except +
        void msm_probs(const float*, float*, int, int, int) except +
        CostValues msm_cost(const float*, const float*, int, int, int) except +
        void msm_gradient(const float*, const float*, float*, int, int, int, float, Scale) except +
        void tica_forward(const NormShape&, const float*, float*) except +
        CostValues tica_cost(const NormShape&, const float*) except +
        void tica_gradient(const NormShape&, const float*, const float*, float*, float, Scale) except +
        void update_weights(float*, float*, const float*, size_t, float, float, float) except +
        void adaptive_update(float*, float*, const float*, float*, float*, size_t, float, float, float, float, float) except +
        void bound_column_norms(float*, int, int, float) except +
        void bound_zero_mean_norms(float*, int, int, float, float) except +
        void treefc_class_weights(const Tree&, const float*, float*, int) except +
        void treefc_node_gradients(const Tree&, const float*, float*, int, Scale) except +
        void treefc_update(const Tree&, float*, float*, const float*, int, float, float, float, float) except +

    unique_ptr[Device] make_cpu_device(int threads) except +
    unique_ptr[Device] make_cuda_device(int gpu, bool tf32) except +
    vector[Gpu] list_cuda_gpus "convnet::list_gpus"() except +
    double rate_at_progress "convnet::schedule_rate"(const string& kind, double base, double progress, double tgt_factor, int num_steps) except +
