// The abstract device: memory, and one method per operation of spec 3.
//
// A batch matrix holds one row per value and one column per case; cases are fastest in memory, so
// element (row, case) is at row * cases + case. An image row is (channel * size + y) * size + x.
// Gradients are of minus the cost (spec 3, "Sign"). Pointers are to this device's memory.
//
// Operations that take a Scale accumulate: target = scale.targets * target + scale.output * result,
// and with scale.targets == 0 the old target is not read. The others overwrite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// Visible outside the device library; all else in it is hidden.
#define CONVNET_PUBLIC __attribute__((visibility("default")))

namespace convnet {

struct Scale {
    float targets = 0;
    float output = 1;
};

// Geometry of the convolution family (spec 3.1). Weights are (filter_channels * filter_size^2,
// filters), rows channel-major; local ones (modules * filter_channels * filter_size^2, filters),
// module outermost. `connections` (host memory, groups x filter_channels) names the channels that
// each group sees; null where group g sees channels g * filter_channels and on (dense).
struct ConvShape {
    int cases = 0;
    int channels = 0;
    int img_size_y = 0, img_size_x = 0;
    int filters = 0;  // of all groups
    int filter_size = 0;
    int padding = 0;
    int stride = 1;
    int modules_y = 0, modules_x = 0;
    int groups = 1;
    int filter_channels = 0;
    const int* connections = nullptr;

    int pixels() const { return img_size_y * img_size_x; }
    int modules() const { return modules_y * modules_x; }
    int filter_pixels() const { return filter_size * filter_size; }
    int filter_rows() const { return filter_channels * filter_pixels(); }
    int group_filters() const { return filters / groups; }
    int over_sample() const { return groups * filter_channels / channels; }
};

// Geometry of pooling (spec 3.2): output o covers rows start + o * stride .. + size - 1, clipped.
struct PoolShape {
    int cases = 0;
    int channels = 0;
    int img_size = 0;
    int size = 0;
    int start = 0;
    int stride = 1;
    int outputs = 0;
};

enum class Pool { max, max_abs, avg };

// The response norms of spec 3.3. `scale` is already divided by size (cross-map) or size^2. The norms
// within a map take square ones: pixels = img_size^2.
struct NormShape {
    int cases = 0;
    int channels = 0;
    int pixels = 0;
    int img_size = 0;
    int size = 0;
    float scale = 0;
    float pow = 0;
    float min_div = 1;
    bool blocked = false;
};

enum class NeuronKind {
    ident,
    logistic,
    abs,
    relu,
    nrelu,
    softrelu,
    square,
    sqrt,
    tanh,
    abstanh,
    brelu,
    linear,
    drelu
};

struct Neuron {
    NeuronKind kind = NeuronKind::ident;
    float a = 0, b = 0;
};

// What a random draw is keyed by (Philox-4x32-10): the same on every device, however it is
// threaded or mapped. Element i of a draw is word i % 4 of the block with counter
// (i / 4, update low, update high, layer).
struct RandomKey {
    std::uint64_t seed = 0;
    std::uint32_t layer = 0;
    std::uint64_t update = 0;
};

// The values that a cost reports, summed over the cases in double (spec 3.7). get() waits for the device where it still
// computes them, and throws what it failed with.
using CostValues = std::shared_future<std::vector<double>>;

// The class tree of treefc (spec 3.8), in host memory. Nodes are 0 .. nodes - 1, leaves first.
struct Tree {
    int nodes = 0;
    int leaves = 0;
    const int* parents = nullptr;      // of each node; -1 for the root
    const int* top_down = nullptr;     // all nodes, every one after its parent
    const int* leaf_counts = nullptr;  // leaves under each node
};

class CONVNET_PUBLIC Device {
public:
    virtual ~Device() = default;

    virtual std::string name() const = 0;

    // Memory. Contents of a new allocation are undefined.
    virtual float* allocate(std::size_t count) = 0;
    virtual void release(float* memory) = 0;
    virtual void copy_from_host(const float* host, float* target, std::size_t count) = 0;
    virtual void copy_to_host(const float* source, float* host, std::size_t count) = 0;
    // Columns [first, first + cases) of a host matrix of rows x total_cases, as a rows x cases matrix.
    virtual void copy_cases_from_host(const float* host, std::int64_t rows, std::int64_t total_cases,
                                      std::int64_t first, std::int64_t cases, float* target) = 0;
    // From another device's memory, that of another kind too: then through the host.
    virtual void copy_from_device(Device& source_device, const float* source, float* target, std::size_t count) {
        std::vector<float> host(count);
        source_device.copy_to_host(source, host.data(), count);
        copy_from_host(host.data(), target, count);
    }
    virtual void fill(float* target, std::size_t count, float value) = 0;
    // Waits for everything asked for so far.
    virtual void synchronize() = 0;

    // 3.1 Convolution. Gradients arrive as (filters * modules, cases).
    virtual void conv_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) = 0;
    // Sparse: targets hold one image set per round, (over_sample * channels * pixels, cases).
    virtual void conv_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                                     Scale) = 0;
    // partial_sum p > 0 (a divisor of modules): targets hold modules / p partial matrices.
    virtual void conv_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                                      int partial_sum, Scale) = 0;
    virtual void local_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) = 0;
    virtual void local_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                                      Scale) = 0;
    virtual void local_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                                       Scale) = 0;
    // targets (biases * modules, cases) += biases (biases): one bias for `modules` consecutive rows.
    virtual void add_bias(const float* biases, float* targets, int count, int modules, int cases) = 0;
    virtual void bias_gradient(const float* gradients, float* targets, int count, int modules, int cases, Scale) = 0;
    // Scales each (module, filter) column of (modules * rows, filters) that is longer than norm to it.
    virtual void normalize_local_weights(float* weights, int modules, int rows, int filters, float norm) = 0;

    // 3.2 Pooling.
    virtual void pool_forward(Pool, const PoolShape&, const float* images, float* targets) = 0;
    // One element of each window, drawn in proportion to max(0, x), or uniformly where all of these are 0: the
    // first at which the running sum exceeds u times the total, u being the output element's uniform draw.
    virtual void pool_rand_forward(const PoolShape&, const float* images, float* targets, RandomKey) = 0;
    // max, maxabs and rand: every input equal to the output gets its whole gradient.
    virtual void pool_max_gradient(const PoolShape&, const float* images, const float* gradients, const float* outputs,
                                   float* targets, Scale) = 0;
    virtual void pool_avg_gradient(const PoolShape&, const float* gradients, float* targets, Scale) = 0;

    // 3.3 Normalization. denoms are written forward and read backward.
    virtual void cross_map_norm(const NormShape&, const float* images, float* denoms, float* targets) = 0;
    virtual void cross_map_norm_gradient(const NormShape&, const float* gradients, const float* denoms,
                                         const float* images, const float* outputs, float* targets, Scale) = 0;

    virtual void response_norm(const NormShape&, const float* images, float* denoms, float* targets) = 0;
    virtual void response_norm_gradient(const NormShape&, const float* gradients, const float* denoms,
                                        const float* images, const float* outputs, float* targets, Scale) = 0;
    virtual void contrast_norm(const NormShape&, const float* images, float* mean_diffs, float* denoms,
                               float* targets) = 0;
    // exact: with the means' own dependence on the images, which the historic gradient leaves out.
    virtual void contrast_norm_gradient(const NormShape&, const float* gradients, const float* denoms,
                                        const float* mean_diffs, const float* outputs, float* targets, bool exact,
                                        Scale) = 0;

    // 3.4 Images: `maps` maps of size x size pixels.
    // filter (host memory, 2 radius + 1 values): along both axes; targets may be the images.
    virtual void blur(const float* images, const float* filter, int radius, float* targets, int maps, int size,
                      int cases, Scale) = 0;
    virtual void bed_of_nails(const float* images, float* targets, int maps, int size, int start, int stride, int cases,
                              Scale) = 0;
    virtual void bed_of_nails_gradient(const float* gradients, float* targets, int maps, int size, int start,
                                       int stride, int cases, Scale) = 0;
    virtual void reflect_horizontal(const float* images, float* targets, int maps, int size, int cases, Scale) = 0;
    virtual void resize_bilinear(const float* images, float* targets, int maps, int size, int target_size, float scale,
                                 int cases) = 0;
    virtual void crop(const float* images, float* targets, int maps, int size, int target_size, int start_y,
                      int start_x, int cases) = 0;
    // Three maps of `pixels` pixels.
    virtual void rgb_to_yuv(const float* images, float* targets, int pixels, int cases) = 0;
    virtual void rgb_to_lab(const float* images, float* targets, int pixels, int cases, bool center) = 0;

    // 3.5 Neurons. nrelu draws its noise from the key. The gradient reads inputs or outputs, whichever
    // its formula names; the other may be null.
    virtual void neuron_forward(const Neuron&, const float* inputs, float* targets, std::size_t count, RandomKey) = 0;
    virtual void neuron_gradient(const Neuron&, const float* gradients, const float* inputs, const float* outputs,
                                 float* targets, std::size_t count, Scale) = 0;

    // 3.6 Dense products and what stands around them. op(a): rows x inner, op(b): inner x columns,
    // all row-major and contiguous; a transposed operand is stored inner x rows (columns x inner).
    virtual void multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows,
                          int columns, int inner, Scale) = 0;
    virtual void add(const float* inputs, float* targets, std::size_t count, Scale) = 0;
    virtual void multiply_elementwise(const float* a, const float* b, float* targets, std::size_t count, Scale) = 0;
    // Softmax over each column of (classes, cases).
    virtual void softmax(const float* inputs, float* targets, int classes, int cases) = 0;
    virtual void softmax_gradient(const float* gradients, const float* outputs, float* targets, int classes, int cases,
                                  Scale) = 0;
    // targets = max(targets, inputs), elementwise; the gradient goes to every input equal to the output.
    virtual void elementwise_max(const float* inputs, float* targets, std::size_t count) = 0;
    virtual void elementwise_max_gradient(const float* gradients, const float* inputs, const float* outputs,
                                          float* targets, std::size_t count, Scale) = 0;
    // 1 where u < keep, else 0.
    virtual void dropout_mask(float* targets, std::size_t count, float keep, RandomKey) = 0;
    virtual void philox_uniform(float* targets, std::size_t count, RandomKey) = 0;
    // Rounded to IEEE half and back, as a half-precision transfer leaves them (spec 3.11).
    virtual void round_to_half(const float* inputs, float* targets, std::size_t count) = 0;

    // 3.7 Costs. Labels of a class: (1, cases). Gradients are of minus coeff times the cost.
    // sum -log p[label], cases - correct, cases - correct among the topk largest (ties shared).
    virtual CostValues logreg_cost(const float* labels, const float* probs, int classes, int cases, int topk) = 0;
    virtual void logreg_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                                 float coeff, Scale) = 0;
    // Fused with the softmax below: the gradient at the softmax's input.
    virtual void logreg_softmax_gradient(const float* labels, const float* probs, float* targets, int classes,
                                         int cases, float coeff, Scale) = 0;
    // labels: (classes, cases). sum -t log p, cases - correct.
    virtual CostValues crossent_cost(const float* labels, const float* probs, int classes, int cases) = 0;
    virtual void crossent_gradient(const float* labels, const float* probs, float* targets, std::size_t count,
                                   float coeff, Scale) = 0;
    virtual void crossent_softmax_gradient(const float* labels, const float* probs, float* targets, int classes,
                                           int cases, float coeff, Scale) = 0;
    // sum -(t log y + (1 - t) log(1 - y)).
    virtual CostValues crossent2_cost(const float* labels, const float* outputs, std::size_t count) = 0;
    virtual void crossent2_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                    float coeff, Scale) = 0;
    // Fused with the logistic neuron below: the gradient at the neuron's input.
    virtual void crossent2_logistic_gradient(const float* labels, const float* outputs, float* targets,
                                             std::size_t count, float coeff, Scale) = 0;
    // sum log(1 + (y - t)^2).
    virtual CostValues rflickr_cost(const float* labels, const float* outputs, std::size_t count) = 0;
    virtual void rflickr_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                  float coeff, Scale) = 0;
    // sum x^2.
    virtual CostValues sum2_cost(const float* inputs, std::size_t count) = 0;
    virtual void sum2_gradient(const float* inputs, float* targets, std::size_t count, float coeff, Scale) = 0;
    // sum z x^2, a gate z for each case.
    virtual CostValues gsum2_cost(const float* gates, const float* inputs, int rows, int cases) = 0;
    virtual void gsum2_gradient(const float* gates, const float* inputs, float* targets, int rows, int cases,
                                float coeff, Scale) = 0;
    virtual void gsum2_gate_gradient(const float* inputs, float* targets, int rows, int cases, float coeff, Scale) = 0;
    // Distribution over the subsets of set_size classes. probs: of each class to be in the set.
    virtual void msm_probs(const float* energies, float* probs, int classes, int cases, int set_size) = 0;
    // sum -log P(label in set), cases - correct by energy, cases - correct among the set_size largest.
    virtual CostValues msm_cost(const float* labels, const float* energies, int classes, int cases, int set_size) = 0;
    virtual void msm_gradient(const float* labels, const float* energies, float* targets, int classes, int cases,
                              int set_size, float coeff, Scale) = 0;
    // shape.size is the window. targets = 1 / (0.001 + sqrt(sum of x^2 over the window)); the cost is their sum.
    virtual void tica_forward(const NormShape&, const float* images, float* targets) = 0;
    virtual CostValues tica_cost(const NormShape&, const float* images) = 0;
    virtual void tica_gradient(const NormShape&, const float* images, const float* ticas, float* targets, float coeff,
                               Scale) = 0;

    // 3.8 Updates, in place: increments = momentum * increments + gradient_scale * gradients
    // - decay * weights; weights += increments. gradient_scale is rate / n, decay is wc * rate.
    virtual void update_weights(float* weights, float* increments, const float* gradients, std::size_t count,
                                float momentum, float gradient_scale, float decay) = 0;
    // superEps > 0, with g = gradient_scale * gradients: running means of g and of g^2, kept by the caller;
    // increments = 0.9 * increments + rate * g / sqrt(mean_square - mean + super_eps) - decay * weights.
    virtual void adaptive_update(float* weights, float* increments, const float* gradients, float* mean,
                                 float* mean_square, std::size_t count, float momentum, float rate,
                                 float gradient_scale, float decay, float super_eps) = 0;
    // wball: columns of (rows, columns) longer than norm are scaled to it.
    virtual void bound_column_norms(float* weights, int rows, int columns, float norm) = 0;
    // wcNormMin, wcNormMax: each column scaled so that the norm of its zero-mean version, divided by
    // rows, lies between them; columns whose zero-mean version is 0 stay.
    virtual void bound_zero_mean_norms(float* weights, int rows, int columns, float min, float max) = 0;
    // treefc: class weights (rows, leaves) from node weights (rows, nodes), sums along the paths from the root.
    virtual void treefc_class_weights(const Tree&, const float* weights, float* targets, int rows) = 0;
    // Node gradients (rows, nodes) from class gradients (rows, leaves), sums over the leaves under each node.
    virtual void treefc_node_gradients(const Tree&, const float* gradients, float* targets, int rows, Scale) = 0;
    // increments = momentum * increments + rate / leaves * (gradient_scale * gradients - decay / leaves * weights),
    // leaves being those under the column's node; weights += increments.
    virtual void treefc_update(const Tree&, float* weights, float* increments, const float* gradients, int rows,
                               float momentum, float rate, float decay, float gradient_scale) = 0;
};

// The CPU device with the widest instruction set that this machine has: avx512, avx2 or baseline.
// CONVNET_ISA in the environment names a narrower one. threads >= 1; results do not depend on it.
CONVNET_PUBLIC std::unique_ptr<Device> make_cpu_device(int threads);

struct Gpu {
    std::string name;
    std::pair<int, int> capability;  // compute capability: major, minor
    std::size_t total_bytes = 0, free_bytes = 0;
    int driver = 0, runtime = 0;  // the CUDA versions that the driver knows and this build uses: 1000 major + 10 minor
};

// The CUDA device of a physical GPU. It is a library of its own, libconvnet_cuda.so beside this one, or the file that
// CONVNET_CUDA_LIBRARY in the environment names. tf32: matrix products and convolutions may round their factors to
// TensorFloat-32. Throws std::runtime_error, one line that says what is missing: the library, a driver, the GPU.
CONVNET_PUBLIC std::unique_ptr<Device> make_cuda_device(int gpu, bool tf32);
CONVNET_PUBLIC std::vector<Gpu> list_gpus();

// The rate at `progress` in [0, 1], noise excluded (spec 3.8). kind: default, linear, exp, dexp or jdexp.
CONVNET_PUBLIC double schedule_rate(const std::string& kind, double base, double progress, double tgt_factor,
                                    int num_steps);

}  // namespace convnet
