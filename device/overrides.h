// Every pure virtual method of Device, as a class that implements them declares it: to be included in that class.
std::string name() const override;
float* allocate(std::size_t count) override;
void release(float* memory) override;
void copy_from_host(const float* host, float* target, std::size_t count) override;
void copy_to_host(const float* source, float* host, std::size_t count) override;
void copy_cases_from_host(const float* host, std::int64_t rows, std::int64_t total_cases, std::int64_t first,
                          std::int64_t cases, float* target) override;
void fill(float* target, std::size_t count, float value) override;
void synchronize() override;
void conv_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) override;
void conv_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                         Scale) override;
void conv_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                          int partial_sum, Scale) override;
void local_forward(const ConvShape&, const float* images, const float* weights, float* targets, Scale) override;
void local_image_gradient(const ConvShape&, const float* gradients, const float* weights, float* targets,
                          Scale) override;
void local_weight_gradient(const ConvShape&, const float* images, const float* gradients, float* targets,
                           Scale) override;
void add_bias(const float* biases, float* targets, int count, int modules, int cases) override;
void bias_gradient(const float* gradients, float* targets, int count, int modules, int cases, Scale) override;
void normalize_local_weights(float* weights, int modules, int rows, int filters, float norm) override;
void pool_forward(Pool, const PoolShape&, const float* images, float* targets) override;
void pool_rand_forward(const PoolShape&, const float* images, float* targets, RandomKey) override;
void pool_max_gradient(const PoolShape&, const float* images, const float* gradients, const float* outputs,
                       float* targets, Scale) override;
void pool_avg_gradient(const PoolShape&, const float* gradients, float* targets, Scale) override;
void cross_map_norm(const NormShape&, const float* images, float* denoms, float* targets) override;
void cross_map_norm_gradient(const NormShape&, const float* gradients, const float* denoms, const float* images,
                             const float* outputs, float* targets, Scale) override;
void response_norm(const NormShape&, const float* images, float* denoms, float* targets) override;
void response_norm_gradient(const NormShape&, const float* gradients, const float* denoms, const float* images,
                            const float* outputs, float* targets, Scale) override;
void contrast_norm(const NormShape&, const float* images, float* mean_diffs, float* denoms, float* targets) override;
void contrast_norm_gradient(const NormShape&, const float* gradients, const float* denoms, const float* mean_diffs,
                            const float* outputs, float* targets, bool exact, Scale) override;
void blur(const float* images, const float* filter, int radius, float* targets, int maps, int size, int cases,
          Scale) override;
void bed_of_nails(const float* images, float* targets, int maps, int size, int start, int stride, int cases,
                  Scale) override;
void bed_of_nails_gradient(const float* gradients, float* targets, int maps, int size, int start, int stride, int cases,
                           Scale) override;
void reflect_horizontal(const float* images, float* targets, int maps, int size, int cases, Scale) override;
void resize_bilinear(const float* images, float* targets, int maps, int size, int target_size, float scale,
                     int cases) override;
void crop(const float* images, float* targets, int maps, int size, int target_size, int start_y, int start_x,
          int cases) override;
void rgb_to_yuv(const float* images, float* targets, int pixels, int cases) override;
void rgb_to_lab(const float* images, float* targets, int pixels, int cases, bool center) override;
void neuron_forward(const Neuron&, const float* inputs, float* targets, std::size_t count, RandomKey) override;
void neuron_gradient(const Neuron&, const float* gradients, const float* inputs, const float* outputs, float* targets,
                     std::size_t count, Scale) override;
void multiply(const float* a, bool transpose_a, const float* b, bool transpose_b, float* targets, int rows, int columns,
              int inner, Scale) override;
void add(const float* inputs, float* targets, std::size_t count, Scale) override;
void multiply_elementwise(const float* a, const float* b, float* targets, std::size_t count, Scale) override;
void softmax(const float* inputs, float* targets, int classes, int cases) override;
void softmax_gradient(const float* gradients, const float* outputs, float* targets, int classes, int cases,
                      Scale) override;
void elementwise_max(const float* inputs, float* targets, std::size_t count) override;
void elementwise_max_gradient(const float* gradients, const float* inputs, const float* outputs, float* targets,
                              std::size_t count, Scale) override;
void dropout_mask(float* targets, std::size_t count, float keep, RandomKey) override;
void philox_uniform(float* targets, std::size_t count, RandomKey) override;
void round_to_half(const float* inputs, float* targets, std::size_t count) override;
CostValues logreg_cost(const float* labels, const float* probs, int classes, int cases, int topk) override;
void logreg_gradient(const float* labels, const float* probs, float* targets, int classes, int cases, float coeff,
                     Scale) override;
void logreg_softmax_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                             float coeff, Scale) override;
CostValues crossent_cost(const float* labels, const float* probs, int classes, int cases) override;
void crossent_gradient(const float* labels, const float* probs, float* targets, std::size_t count, float coeff,
                       Scale) override;
void crossent_softmax_gradient(const float* labels, const float* probs, float* targets, int classes, int cases,
                               float coeff, Scale) override;
CostValues crossent2_cost(const float* labels, const float* outputs, std::size_t count) override;
void crossent2_gradient(const float* labels, const float* outputs, float* targets, std::size_t count, float coeff,
                        Scale) override;
void crossent2_logistic_gradient(const float* labels, const float* outputs, float* targets, std::size_t count,
                                 float coeff, Scale) override;
CostValues rflickr_cost(const float* labels, const float* outputs, std::size_t count) override;
void rflickr_gradient(const float* labels, const float* outputs, float* targets, std::size_t count, float coeff,
                      Scale) override;
CostValues sum2_cost(const float* inputs, std::size_t count) override;
void sum2_gradient(const float* inputs, float* targets, std::size_t count, float coeff, Scale) override;
CostValues gsum2_cost(const float* gates, const float* inputs, int rows, int cases) override;
void gsum2_gradient(const float* gates, const float* inputs, float* targets, int rows, int cases, float coeff,
                    Scale) override;
void gsum2_gate_gradient(const float* inputs, float* targets, int rows, int cases, float coeff, Scale) override;
void msm_probs(const float* energies, float* probs, int classes, int cases, int set_size) override;
CostValues msm_cost(const float* labels, const float* energies, int classes, int cases, int set_size) override;
void msm_gradient(const float* labels, const float* energies, float* targets, int classes, int cases, int set_size,
                  float coeff, Scale) override;
void tica_forward(const NormShape&, const float* images, float* targets) override;
CostValues tica_cost(const NormShape&, const float* images) override;
void tica_gradient(const NormShape&, const float* images, const float* ticas, float* targets, float coeff,
                   Scale) override;
void update_weights(float* weights, float* increments, const float* gradients, std::size_t count, float momentum,
                    float gradient_scale, float decay) override;
void adaptive_update(float* weights, float* increments, const float* gradients, float* mean, float* mean_square,
                     std::size_t count, float momentum, float rate, float gradient_scale, float decay,
                     float super_eps) override;
void bound_column_norms(float* weights, int rows, int columns, float norm) override;
void bound_zero_mean_norms(float* weights, int rows, int columns, float min, float max) override;
void treefc_class_weights(const Tree&, const float* weights, float* targets, int rows) override;
void treefc_node_gradients(const Tree&, const float* gradients, float* targets, int rows, Scale) override;
void treefc_update(const Tree&, float* weights, float* increments, const float* gradients, int rows, float momentum,
                   float rate, float decay, float gradient_scale) override;
