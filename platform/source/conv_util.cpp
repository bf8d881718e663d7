// Pooling, normalization and image operations of the convolution library (spec 6.4): on the device, but for
// what it lacks, the blur along one axis and the packing of halves.
#include "conv_util.cuh"

#include "convnet_platform/devices.h"
#include "operands.h"

using convnet::NormShape;
using convnet::PoolShape;
using convnet::Scale;
using convnet_platform::current_device;
using convnet_platform::for_each;
using convnet_platform::Input;
using convnet_platform::Output;
using convnet_platform::Strided;

namespace {

void require_same(const NVMatrix& a, const NVMatrix& b, const char* what) {
    CONVNET_PLATFORM_REQUIRE(a.isSameDims(b), "%s: a matrix of %d x %d where %d x %d is needed", what, b.getNumRows(),
                             b.getNumCols(), a.getNumRows(), a.getNumCols());
}

// Rows for each of `parts` channels.
int rows_of_each(const NVMatrix& images, int parts, const char* what) {
    CONVNET_PLATFORM_REQUIRE(parts > 0 && images.getNumRows() % parts == 0, "%s: %d rows for %d channels", what,
                             images.getNumRows(), parts);
    return images.getNumRows() / parts;
}

int square_side(const NVMatrix& images, int channels, const char* what) {
    const int pixels = rows_of_each(images, channels, what);
    int side = 0;
    while (side * side < pixels) side++;
    CONVNET_PLATFORM_REQUIRE(side * side == pixels, "%s: %d pixels are not square", what, pixels);
    return side;
}

// How many maps of size x size pixels there are.
int maps_of(const NVMatrix& images, int size, const char* what) {
    CONVNET_PLATFORM_REQUIRE(size > 0 && images.getNumRows() % (size * size) == 0, "%s: %d rows are no maps of %d x %d",
                             what, images.getNumRows(), size, size);
    return images.getNumRows() / (size * size);
}

PoolShape pool_shape(const convnet_platform::PoolGeometry& g) {
    return {g.cases, g.channels, g.img_size, g.size, g.start, g.stride, g.outputs};
}

void pool(convnet::Pool kind, const NVMatrix& images, NVMatrix& target,
          const convnet_platform::PoolGeometry& geometry) {
    const Input in(images);
    Output out(target, geometry.channels * geometry.outputs * geometry.outputs, geometry.cases);
    current_device().pool_forward(kind, pool_shape(geometry), in.data(), out.data());
}

}  // namespace

convnet_platform::PoolGeometry convnet_platform::pool_geometry(const NVMatrix& images, int numFilters, int subsX,
                                                               int startX, int strideX, int outputsX) {
    CONVNET_PLATFORM_REQUIRE(subsX > 0 && strideX > 0 && outputsX > 0, "pooling: subsX %d, strideX %d, outputsX %d",
                             subsX, strideX, outputsX);
    return {
        images.getNumCols(), numFilters, square_side(images, numFilters, "pooling"), subsX, startX, strideX, outputsX};
}

void convLocalPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                   int outputsX, MaxPooler) {
    pool(convnet::Pool::max, images, target,
         convnet_platform::pool_geometry(images, numFilters, subsX, startX, strideX, outputsX));
}

void convLocalPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                   int outputsX, MaxAbsPooler) {
    pool(convnet::Pool::max_abs, images, target,
         convnet_platform::pool_geometry(images, numFilters, subsX, startX, strideX, outputsX));
}

void convLocalPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                   int outputsX, AvgPooler) {
    pool(convnet::Pool::avg, images, target,
         convnet_platform::pool_geometry(images, numFilters, subsX, startX, strideX, outputsX));
}

void convLocalRandomPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                         int outputsX) {
    const PoolShape shape =
        pool_shape(convnet_platform::pool_geometry(images, numFilters, subsX, startX, strideX, outputsX));
    const Input in(images);
    Output out(target, numFilters * outputsX * outputsX, shape.cases);
    current_device().pool_rand_forward(shape, in.data(), out.data(), convnet_platform::next_draw());
}

void convLocalMaxUndo(const NVMatrix& images, const NVMatrix& maxGrads, const NVMatrix& maxActs, NVMatrix& target,
                      int subsX, int startX, int strideX, int outputsX, float scaleTargets, float scaleOutput) {
    require_same(maxGrads, maxActs, "convLocalMaxUndo");
    const int channels = maps_of(maxGrads, outputsX, "convLocalMaxUndo");
    const PoolShape shape =
        pool_shape(convnet_platform::pool_geometry(images, channels, subsX, startX, strideX, outputsX));
    const Input in(images), gradients(maxGrads), outputs(maxActs);
    Output out(target, images.getNumRows(), images.getNumCols(), scaleTargets);
    current_device().pool_max_gradient(shape, in.data(), gradients.data(), outputs.data(), out.data(),
                                       {scaleTargets, scaleOutput});
}

void convLocalAvgUndo(const NVMatrix& avgGrads, NVMatrix& target, int subsX, int startX, int strideX, int outputsX,
                      int imgSize, float scaleTargets, float scaleOutput) {
    CONVNET_PLATFORM_REQUIRE(subsX > 0 && strideX > 0 && imgSize > 0,
                             "convLocalAvgUndo: subsX %d, strideX %d, imgSize %d", subsX, strideX, imgSize);
    const PoolShape shape = {avgGrads.getNumCols(),
                             maps_of(avgGrads, outputsX, "convLocalAvgUndo"),
                             imgSize,
                             subsX,
                             startX,
                             strideX,
                             outputsX};
    const Input gradients(avgGrads);
    Output out(target, shape.channels * imgSize * imgSize, shape.cases, scaleTargets);
    current_device().pool_avg_gradient(shape, gradients.data(), out.data(), {scaleTargets, scaleOutput});
}

namespace {

// Of maps that are square, or of any shape where the norm does not look beside a pixel.
NormShape norm_shape(const NVMatrix& images, int numFilters, int size, float addScale, float powScale, bool square,
                     const char* what) {
    CONVNET_PLATFORM_REQUIRE(size > 0, "%s: a window of %d", what, size);
    NormShape shape;
    shape.cases = images.getNumCols();
    shape.channels = numFilters;
    shape.pixels = rows_of_each(images, numFilters, what);
    shape.img_size = square ? square_side(images, numFilters, what) : 0;
    shape.size = size;
    shape.scale = addScale;
    shape.pow = powScale;
    return shape;
}

}  // namespace

void convResponseNorm(const NVMatrix& images, NVMatrix& denoms, NVMatrix& target, int numFilters, int sizeX,
                      float addScale, float powScale) {
    const NormShape shape = norm_shape(images, numFilters, sizeX, addScale, powScale, true, "convResponseNorm");
    const Input in(images);
    Output denominators(denoms, images.getNumRows(), shape.cases), out(target, images.getNumRows(), shape.cases);
    current_device().response_norm(shape, in.data(), denominators.data(), out.data());
}

void convResponseNormUndo(const NVMatrix& outGrads, const NVMatrix& denoms, const NVMatrix& inputs,
                          const NVMatrix& acts, NVMatrix& target, int numFilters, int sizeX, float addScale,
                          float powScale, float scaleTargets, float scaleOutput) {
    const NormShape shape = norm_shape(inputs, numFilters, sizeX, addScale, powScale, true, "convResponseNormUndo");
    for (const NVMatrix* m : {&outGrads, &denoms, &acts}) require_same(inputs, *m, "convResponseNormUndo");
    const Input gradients(outGrads), denominators(denoms), in(inputs), outputs(acts);
    Output out(target, inputs.getNumRows(), shape.cases, scaleTargets);
    current_device().response_norm_gradient(shape, gradients.data(), denominators.data(), in.data(), outputs.data(),
                                            out.data(), {scaleTargets, scaleOutput});
}

void convContrastNorm(const NVMatrix& images, NVMatrix& meanDiffs, NVMatrix& denoms, NVMatrix& target, int numFilters,
                      int sizeX, float addScale, float powScale) {
    const NormShape shape = norm_shape(images, numFilters, sizeX, addScale, powScale, true, "convContrastNorm");
    const int rows = images.getNumRows();
    const Input in(images);
    Output differences(meanDiffs, rows, shape.cases), denominators(denoms, rows, shape.cases),
        out(target, rows, shape.cases);
    current_device().contrast_norm(shape, in.data(), differences.data(), denominators.data(), out.data());
}

void convContrastNormUndo(const NVMatrix& outGrads, const NVMatrix& denoms, const NVMatrix& meanDiffs,
                          const NVMatrix& acts, NVMatrix& target, int numFilters, int sizeX, float addScale,
                          float powScale, float scaleTargets, float scaleOutput) {
    const NormShape shape = norm_shape(acts, numFilters, sizeX, addScale, powScale, true, "convContrastNormUndo");
    for (const NVMatrix* m : {&outGrads, &denoms, &meanDiffs}) require_same(acts, *m, "convContrastNormUndo");
    const Input gradients(outGrads), denominators(denoms), differences(meanDiffs), outputs(acts);
    Output out(target, acts.getNumRows(), shape.cases, scaleTargets);
    current_device().contrast_norm_gradient(shape, gradients.data(), denominators.data(), differences.data(),
                                            outputs.data(), out.data(), false, {scaleTargets, scaleOutput});
}

void convResponseNormCrossMap(const NVMatrix& images, NVMatrix& denoms, NVMatrix& target, int numFilters, int sizeF,
                              float addScale, float powScale, float minDiv, bool blocked) {
    NormShape shape = norm_shape(images, numFilters, sizeF, addScale, powScale, false, "convResponseNormCrossMap");
    shape.min_div = minDiv;
    shape.blocked = blocked;
    const Input in(images);
    Output denominators(denoms, images.getNumRows(), shape.cases), out(target, images.getNumRows(), shape.cases);
    current_device().cross_map_norm(shape, in.data(), denominators.data(), out.data());
}

void convResponseNormCrossMap(const NVMatrix& images, NVMatrix& denoms, NVMatrix& target, int numFilters, int sizeF,
                              float addScale, float powScale, bool blocked) {
    convResponseNormCrossMap(images, denoms, target, numFilters, sizeF, addScale, powScale, 1, blocked);
}

void convResponseNormCrossMapUndo(const NVMatrix& outGrads, const NVMatrix& denoms, const NVMatrix& inputs,
                                  const NVMatrix& acts, NVMatrix& target, int numFilters, int sizeF, float addScale,
                                  float powScale, bool blocked, float scaleTargets, float scaleOutput) {
    NormShape shape = norm_shape(inputs, numFilters, sizeF, addScale, powScale, false, "convResponseNormCrossMapUndo");
    shape.blocked = blocked;
    for (const NVMatrix* m : {&outGrads, &denoms, &acts}) require_same(inputs, *m, "convResponseNormCrossMapUndo");
    const Input gradients(outGrads), denominators(denoms), in(inputs), outputs(acts);
    Output out(target, inputs.getNumRows(), shape.cases, scaleTargets);
    current_device().cross_map_norm_gradient(shape, gradients.data(), denominators.data(), in.data(), outputs.data(),
                                             out.data(), {scaleTargets, scaleOutput});
}

namespace {

// One pixel of one case, from its neighbours along one axis.
struct BlurBody {
    Strided images, target;
    const float* filter;
    int radius, size, step;  // step: from one neighbour to the next, in rows of the matrix
    float scaleTargets, scaleOutput;

    __device__ void operator()(ptrdiff_t row, ptrdiff_t n) {
        const int at = static_cast<int>(row / step % size);
        float sum = 0;
        for (int i = at < radius ? radius - at : 0; i <= 2 * radius && at + i - radius < size; i++)
            sum += filter[i] * images.data[(row + (i - radius) * step) * images.row_step + n * images.col_step];
        float& out = target.data[row * target.row_step + n * target.col_step];
        out = scaleTargets == 0 ? scaleOutput * sum : scaleTargets * out + scaleOutput * sum;
    }
};

}  // namespace

void convGaussianBlur(const NVMatrix& images, const NVMatrix& filter, NVMatrix& target, bool horiz, int numChannels,
                      float scaleTargets, float scaleOutput) {
    if (&images == &target)
        return convGaussianBlur(NVMatrix(images), filter, target, horiz, numChannels, scaleTargets, scaleOutput);
    const int size = square_side(images, numChannels, "convGaussianBlur"), taps = filter.getNumElements();
    CONVNET_PLATFORM_REQUIRE(taps % 2 == 1, "convGaussianBlur: a filter of %d values has no middle", taps);
    if (scaleTargets == 0) target.resize(images.getNumRows(), images.getNumCols());
    require_same(images, target, "convGaussianBlur");
    const Input weights(filter);
    for_each(images.getNumRows(), images.getNumCols(),
             BlurBody{images.strided(), target.strided(), weights.data(), taps / 2, size, horiz ? 1 : size,
                      scaleTargets, scaleOutput});
}

void convBedOfNails(const NVMatrix& images, NVMatrix& target, int numChannels, int imgSize, int startX, int strideX,
                    float scaleTargets, float scaleOutput) {
    CONVNET_PLATFORM_REQUIRE(images.getNumRows() == numChannels * imgSize * imgSize && strideX > 0 && startX >= 0,
                             "convBedOfNails: %d rows, %d channels of %d x %d, startX %d, strideX %d",
                             images.getNumRows(), numChannels, imgSize, imgSize, startX, strideX);
    const int outputs = DIVUP(imgSize - startX, strideX);
    const Input in(images);
    Output out(target, numChannels * outputs * outputs, images.getNumCols(), scaleTargets);
    current_device().bed_of_nails(in.data(), out.data(), numChannels, imgSize, startX, strideX, images.getNumCols(),
                                  {scaleTargets, scaleOutput});
}

void convBedOfNailsUndo(const NVMatrix& actsGrad, NVMatrix& target, int numChannels, int imgSize, int startX,
                        int strideX, float scaleTargets, float scaleOutput) {
    const int outputs = strideX > 0 ? DIVUP(imgSize - startX, strideX) : 0;
    CONVNET_PLATFORM_REQUIRE(actsGrad.getNumRows() == numChannels * outputs * outputs && strideX > 0 && startX >= 0,
                             "convBedOfNailsUndo: %d rows, %d channels of %d x %d, startX %d, strideX %d",
                             actsGrad.getNumRows(), numChannels, imgSize, imgSize, startX, strideX);
    const Input gradients(actsGrad);
    Output out(target, numChannels * imgSize * imgSize, actsGrad.getNumCols(), scaleTargets);
    current_device().bed_of_nails_gradient(gradients.data(), out.data(), numChannels, imgSize, startX, strideX,
                                           actsGrad.getNumCols(), {scaleTargets, scaleOutput});
}

void convResizeBilinear(const NVMatrix& images, NVMatrix& target, int imgSize, int tgtSize, float scale) {
    const int maps = maps_of(images, imgSize, "convResizeBilinear");
    const Input in(images);
    Output out(target, maps * tgtSize * tgtSize, images.getNumCols());
    current_device().resize_bilinear(in.data(), out.data(), maps, imgSize, tgtSize, scale, images.getNumCols());
}

void convRGBToYUV(const NVMatrix& images, NVMatrix& target) {
    const int pixels = rows_of_each(images, 3, "convRGBToYUV");
    const Input in(images);
    Output out(target, images.getNumRows(), images.getNumCols());
    current_device().rgb_to_yuv(in.data(), out.data(), pixels, images.getNumCols());
}

void convRGBToLAB(const NVMatrix& images, NVMatrix& target, bool center) {
    const int pixels = rows_of_each(images, 3, "convRGBToLAB");
    const Input in(images);
    Output out(target, images.getNumRows(), images.getNumCols());
    current_device().rgb_to_lab(in.data(), out.data(), pixels, images.getNumCols(), center);
}

void convCrop(const NVMatrix& images, NVMatrix& target, int imgSize, int tgtSize, int startY, int startX) {
    const int maps = maps_of(images, imgSize, "convCrop");
    CONVNET_PLATFORM_REQUIRE(
        startY >= 0 && startX >= 0 && tgtSize > 0 && startY + tgtSize <= imgSize && startX + tgtSize <= imgSize,
        "convCrop: %d x %d at %d, %d of %d x %d", tgtSize, tgtSize, startY, startX, imgSize, imgSize);
    const Input in(images);
    Output out(target, maps * tgtSize * tgtSize, images.getNumCols());
    current_device().crop(in.data(), out.data(), maps, imgSize, tgtSize, startY, startX, images.getNumCols());
}

void convReflectHorizontal(const NVMatrix& images, NVMatrix& target, int imgSize) {
    const int maps = maps_of(images, imgSize, "convReflectHorizontal");
    const Input in(images);
    Output out(target, images.getNumRows(), images.getNumCols());
    current_device().reflect_horizontal(in.data(), out.data(), maps, imgSize, images.getNumCols(), Scale{});
}

void convTICA(const NVMatrix& images, NVMatrix& target, int numFilters, int sizeX, float scaleTargets,
              float scaleOutput) {
    const NormShape shape = norm_shape(images, numFilters, sizeX, 0, 0, true, "convTICA");
    NVMatrix ticas(images.getNumRows(), images.getNumCols());
    const Input in(images);
    current_device().tica_forward(shape, in.data(), ticas.getDevData());
    target.add(ticas, scaleTargets, scaleOutput);
}

void convTICAGrad(const NVMatrix& images, const NVMatrix& ticas, NVMatrix& target, int numFilters, int sizeX,
                  float scaleTargets, float scaleOutput) {
    const NormShape shape = norm_shape(images, numFilters, sizeX, 0, 0, true, "convTICAGrad");
    require_same(images, ticas, "convTICAGrad");
    const Input in(images), sums(ticas);
    Output out(target, images.getNumRows(), images.getNumCols(), scaleTargets);
    current_device().tica_gradient(shape, in.data(), sums.data(), out.data(), 1, {scaleTargets, scaleOutput});
}

void normalizeLocalWeights(NVMatrix& weights, int numModules, float norm) {
    const int rows = rows_of_each(weights, numModules, "normalizeLocalWeights"), filters = weights.getNumCols();
    // The old content is read, whatever its scale.
    Output out(weights, weights.getNumRows(), filters, 1);
    current_device().normalize_local_weights(out.data(), numModules, rows, filters, norm);
}

namespace {

__device__ unsigned bits_of(float x) {
    unsigned bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

__device__ float float_of(unsigned bits) {
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

// The bits of the nearest IEEE half, ties to even.
__device__ unsigned half_of(float x) {
    const unsigned sign = bits_of(x) >> 16 & 0x8000u, bits = bits_of(x) & 0x7fffffffu;
    const float size = float_of(bits);
    if (size != size) return sign | 0x7e00u;
    if (size >= 65520) return sign | 0x7c00u;
    // Below 2^-14 a half counts steps of 2^-24; above, the lowest 13 bits go, and what is added carries where
    // they round up.
    if (size < 0x1p-14f) return sign | static_cast<unsigned>(rintf(size * 0x1p24f));
    return sign | (bits + 0xfffu + (bits >> 13 & 1u) - (112u << 23)) >> 13;
}

__device__ float float_of_half(unsigned half) {
    const unsigned sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu, mantissa = half & 0x3ffu;
    if (exponent == 31) return float_of(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0) return (sign ? -1 : 1) * static_cast<float>(mantissa) * 0x1p-24f;
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

// Word i of the target: elements 2i and 2i + 1, the lower half first; nothing after the last one is 0.
struct QuantizeBody {
    const float* source;
    ptrdiff_t count;
    unsigned* words;

    __device__ void operator()(ptrdiff_t, ptrdiff_t i) {
        const unsigned low = half_of(source[2 * i]), high = 2 * i + 1 < count ? half_of(source[2 * i + 1]) : 0;
        words[i] = low | high << 16;
    }
};

struct DequantizeBody {
    const unsigned* words;
    float* target;
    float scaleTargets, scaleOutput;

    __device__ void operator()(ptrdiff_t, ptrdiff_t i) {
        const float value = scaleOutput * float_of_half(words[i / 2] >> (i % 2 * 16) & 0xffffu);
        target[i] = scaleTargets == 0 ? value : scaleTargets * target[i] + value;
    }
};

}  // namespace

void convQuantizeHalf(const NVMatrix& source, NVMatrix& target) {
    CONVNET_PLATFORM_REQUIRE(&source != &target, "convQuantizeHalf: the target is the source");
    const int count = source.getNumElements(), words = DIVUP(count, 2);
    const Input in(source, convnet_platform::Order::any);
    target.resize(1, words);
    for_each(1, words, QuantizeBody{in.data(), count, reinterpret_cast<unsigned*>(target.getDevData())});
}

void convDequantizeHalf(const NVMatrix& source, NVMatrix& target, int numElements, float scaleTargets,
                        float scaleOutput) {
    CONVNET_PLATFORM_REQUIRE(&source != &target && numElements >= 0 && source.isContiguous() &&
                                 source.getNumElements() == DIVUP(numElements, 2),
                             "convDequantizeHalf: %d halves from a matrix of %d x %d", numElements, source.getNumRows(),
                             source.getNumCols());
    if (scaleTargets == 0) {
        target.resize(1, numElements);
        target.setTrans(false);
    }
    CONVNET_PLATFORM_REQUIRE(target.isContiguous() && target.getNumElements() == numElements,
                             "convDequantizeHalf: %d elements are added to a matrix of %d x %d", numElements,
                             target.getNumRows(), target.getNumCols());
    for_each(1, numElements,
             DequantizeBody{reinterpret_cast<const unsigned*>(source.getDevData()), target.getDevData(), scaleTargets,
                            scaleOutput});
}
