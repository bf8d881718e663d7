// Pooling, normalization and image operations of the convolution library (spec 6.4, formulas: spec 3.2 to 3.4, 3.7).
//
// A batch matrix is (values, cases), of either storage order; image rows are (channel * size + y) * size + x, square.
// target = scaleTargets * target + scaleOutput * result; with scaleTargets 0, and where there is none, the target is
// resized and its old content not read. addScale is the norms' scale, already divided by the window's size.
#pragma once

#include "nvmatrix.cuh"

// operator() takes an element into the window's value, output() ends it; regionSize is the clipped window's area.
struct MaxPooler {
    __host__ __device__ float operator()(float a, float b) const { return b > a ? b : a; }
    __host__ __device__ float getBaseValue() const { return -2e38f; }
    __host__ __device__ float output(float a, int) const { return a; }
};
struct MaxAbsPooler {
    __host__ __device__ float operator()(float a, float b) const { return fabsf(a) > fabsf(b) ? a : b; }
    __host__ __device__ float getBaseValue() const { return 0; }
    __host__ __device__ float output(float a, int) const { return a; }
};
struct AvgPooler {
    __host__ __device__ float operator()(float a, float b) const { return a + b; }
    __host__ __device__ float getBaseValue() const { return 0; }
    __host__ __device__ float output(float a, int regionSize) const { return a / regionSize; }
};

namespace convnet_platform {

// The geometry of one pooling call, and row-major copies of matrices that are not so already.
struct PoolGeometry {
    int cases, channels, img_size, size, start, stride, outputs;
};
PoolGeometry pool_geometry(const NVMatrix& images, int numFilters, int subsX, int startX, int strideX, int outputsX);

// One output pixel of one case.
template <class Pooler>
struct PoolBody {
    Pooler pooler;
    PoolGeometry geometry;
    Strided images, target;

    __device__ void operator()(ptrdiff_t row, ptrdiff_t n) {
        const PoolGeometry& g = geometry;
        const int outputs = g.outputs * g.outputs, channel = static_cast<int>(row) / outputs;
        const int top = g.start + static_cast<int>(row) % outputs / g.outputs * g.stride,
                  left = g.start + static_cast<int>(row) % g.outputs * g.stride;
        float value = pooler.Pooler::getBaseValue();
        int area = 0;
        for (int y = top < 0 ? 0 : top; y < top + g.size && y < g.img_size; y++)
            for (int x = left < 0 ? 0 : left; x < left + g.size && x < g.img_size; x++, area++) {
                const ptrdiff_t pixel = (static_cast<ptrdiff_t>(channel) * g.img_size + y) * g.img_size + x;
                value = pooler.Pooler::operator()(value, images.data[pixel * images.row_step + n * images.col_step]);
            }
        target.data[row * target.row_step + n * target.col_step] = pooler.Pooler::output(value, area);
    }
};

}  // namespace convnet_platform

// A tree's own pooler; those above have overloads, which the device computes.
template <class Pooler>
void convLocalPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                   int outputsX, Pooler pooler) {
    const convnet_platform::PoolGeometry geometry =
        convnet_platform::pool_geometry(images, numFilters, subsX, startX, strideX, outputsX);
    target.resize(numFilters * outputsX * outputsX, images.getNumCols());
    convnet_platform::for_each(
        target.getNumRows(), target.getNumCols(),
        convnet_platform::PoolBody<Pooler>{pooler, geometry, images.strided(), target.strided()});
}
void convLocalPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                   int outputsX, MaxPooler pooler);
void convLocalPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                   int outputsX, MaxAbsPooler pooler);
void convLocalPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                   int outputsX, AvgPooler pooler);
void convLocalRandomPool(const NVMatrix& images, NVMatrix& target, int numFilters, int subsX, int startX, int strideX,
                         int outputsX);
void convLocalMaxUndo(const NVMatrix& images, const NVMatrix& maxGrads, const NVMatrix& maxActs, NVMatrix& target,
                      int subsX, int startX, int strideX, int outputsX, float scaleTargets = 0, float scaleOutput = 1);
void convLocalAvgUndo(const NVMatrix& avgGrads, NVMatrix& target, int subsX, int startX, int strideX, int outputsX,
                      int imgSize, float scaleTargets = 0, float scaleOutput = 1);

// denoms and meanDiffs are resized and written forward, read backward.
void convResponseNorm(const NVMatrix& images, NVMatrix& denoms, NVMatrix& target, int numFilters, int sizeX,
                      float addScale, float powScale);
void convResponseNormUndo(const NVMatrix& outGrads, const NVMatrix& denoms, const NVMatrix& inputs,
                          const NVMatrix& acts, NVMatrix& target, int numFilters, int sizeX, float addScale,
                          float powScale, float scaleTargets, float scaleOutput);
void convContrastNorm(const NVMatrix& images, NVMatrix& meanDiffs, NVMatrix& denoms, NVMatrix& target, int numFilters,
                      int sizeX, float addScale, float powScale);
void convContrastNormUndo(const NVMatrix& outGrads, const NVMatrix& denoms, const NVMatrix& meanDiffs,
                          const NVMatrix& acts, NVMatrix& target, int numFilters, int sizeX, float addScale,
                          float powScale, float scaleTargets, float scaleOutput);
void convResponseNormCrossMap(const NVMatrix& images, NVMatrix& denoms, NVMatrix& target, int numFilters, int sizeF,
                              float addScale, float powScale, float minDiv, bool blocked);
void convResponseNormCrossMap(const NVMatrix& images, NVMatrix& denoms, NVMatrix& target, int numFilters, int sizeF,
                              float addScale, float powScale, bool blocked);
void convResponseNormCrossMapUndo(const NVMatrix& outGrads, const NVMatrix& denoms, const NVMatrix& inputs,
                                  const NVMatrix& acts, NVMatrix& target, int numFilters, int sizeF, float addScale,
                                  float powScale, bool blocked, float scaleTargets, float scaleOutput);

// filter: (1, 2 radius + 1). One direction a call; images may be the target.
void convGaussianBlur(const NVMatrix& images, const NVMatrix& filter, NVMatrix& target, bool horiz, int numChannels,
                      float scaleTargets, float scaleOutput);
void convBedOfNails(const NVMatrix& images, NVMatrix& target, int numChannels, int imgSize, int startX, int strideX,
                    float scaleTargets, float scaleOutput);
void convBedOfNailsUndo(const NVMatrix& actsGrad, NVMatrix& target, int numChannels, int imgSize, int startX,
                        int strideX, float scaleTargets, float scaleOutput);
void convResizeBilinear(const NVMatrix& images, NVMatrix& target, int imgSize, int tgtSize, float scale);
void convRGBToYUV(const NVMatrix& images, NVMatrix& target);
void convRGBToLAB(const NVMatrix& images, NVMatrix& target, bool center);
void convCrop(const NVMatrix& images, NVMatrix& target, int imgSize, int tgtSize, int startY, int startX);
void convReflectHorizontal(const NVMatrix& images, NVMatrix& target, int imgSize);
void convTICA(const NVMatrix& images, NVMatrix& target, int numFilters, int sizeX, float scaleTargets,
              float scaleOutput);
void convTICAGrad(const NVMatrix& images, const NVMatrix& ticas, NVMatrix& target, int numFilters, int sizeX,
                  float scaleTargets, float scaleOutput);

// weights: (modules * filterChannels * filterPixels, filters); each (module, filter) column longer than norm gets it.
void normalizeLocalWeights(NVMatrix& weights, int numModules, float norm);

// target (1, n / 2 rounded up) holds the n elements of source, in memory order, as IEEE halves, two to a float.
void convQuantizeHalf(const NVMatrix& source, NVMatrix& target);
// target, in memory order; with scaleTargets 0 it becomes (1, numElements), not transposed.
void convDequantizeHalf(const NVMatrix& source, NVMatrix& target, int numElements, float scaleTargets,
                        float scaleOutput);
