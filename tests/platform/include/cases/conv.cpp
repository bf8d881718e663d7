// Every function of the convolution library (spec 6.4). Numbers are a call's own, in its order.
#include "harness.h"

#include "cudaconv2.cuh"

namespace {

// Device memory that holds channel indices: on the CPU, any.
struct Indices {
    int* device = nullptr;

    // From number `first` on.
    Indices(const Call& c, int first, int count) {
        std::vector<int> indices;
        for (int i = 0; i < count; i++) indices.push_back(c.i(first + i));
        cudaMalloc(reinterpret_cast<void**>(&device), indices.size() * sizeof(int));
        cudaMemcpy(device, indices.data(), indices.size() * sizeof(int), cudaMemcpyHostToDevice);
    }
    ~Indices() { cudaFree(device); }
};

// A tree's own pooler: the sum over the window.
struct SumPooler : AvgPooler {
    __device__ float output(float a, int) const { return a; }
};

}  // namespace

TARGET("convFilterActs", convFilterActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6)));
TARGET("convFilterActs, sT, sO",
       convFilterActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.f(7), c.f(8)));
TARGET("convFilterActsSparse", const Indices indices(c, 8, c.i(6) * c.i(7));
       convFilterActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                            c.i(7)));
TARGET("convFilterActsSparse, sT, sO", const Indices indices(c, 10, c.i(6) * c.i(7));
       convFilterActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                            c.i(7), c.f(8), c.f(9)));
TARGET("convImgActs", convImgActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6)));
TARGET("convImgActs, sT, sO",
       convImgActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.f(7), c.f(8)));
TARGET("convImgActsSparse", const Indices indices(c, 8, c.i(6) * c.i(7));
       convImgActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                         c.i(7)));
TARGET("convImgActsSparse, sT, sO", const Indices indices(c, 10, c.i(6) * c.i(7));
       convImgActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.i(7),
                         c.f(8), c.f(9)));
TARGET("convWeightActs",
       convWeightActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.i(7), c.i(8)));
TARGET("convWeightActs, sT, sO", convWeightActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                                                c.i(7), c.i(8), c.f(9), c.f(10)));
TARGET("convWeightActsSparse", const Indices indices(c, 10, c.i(7) * c.i(8));
       convWeightActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                            c.i(7), c.i(8), c.i(9)));
TARGET("convWeightActsSparse, sT, sO", const Indices indices(c, 12, c.i(7) * c.i(8));
       convWeightActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                            c.i(7), c.i(8), c.i(9), c.f(10), c.f(11)));
TARGET("localFilterActs", localFilterActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6)));
TARGET("localFilterActs, sT, sO",
       localFilterActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.f(7), c.f(8)));
TARGET("localFilterActsSparse", const Indices indices(c, 8, c.i(6) * c.i(7));
       localFilterActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                             c.i(7)));
TARGET("localFilterActsSparse, sT, sO", const Indices indices(c, 10, c.i(6) * c.i(7));
       localFilterActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                             c.i(7), c.f(8), c.f(9)));
TARGET("localImgActs", localImgActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6)));
TARGET("localImgActs, sT, sO",
       localImgActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.f(7), c.f(8)));
TARGET("localImgActsSparse", const Indices indices(c, 8, c.i(6) * c.i(7));
       localImgActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                          c.i(7)));
TARGET("localImgActsSparse, sT, sO", const Indices indices(c, 10, c.i(6) * c.i(7));
       localImgActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.i(7),
                          c.f(8), c.f(9)));
TARGET("localWeightActs",
       localWeightActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.i(7)));
TARGET("localWeightActs, sT, sO",
       localWeightActs(c[0], c[1], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6), c.i(7), c.f(8), c.f(9)));
TARGET("localWeightActsSparse", const Indices indices(c, 9, c.i(7) * c.i(8));
       localWeightActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                             c.i(7), c.i(8)));
TARGET("localWeightActsSparse, sT, sO", const Indices indices(c, 11, c.i(7) * c.i(8));
       localWeightActsSparse(c[0], c[1], t, indices.device, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.i(5), c.i(6),
                             c.i(7), c.i(8), c.f(9), c.f(10)));

TARGET("convLocalPool MaxPooler", convLocalPool(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), MaxPooler()));
TARGET("convLocalPool MaxAbsPooler", convLocalPool(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), MaxAbsPooler()));
TARGET("convLocalPool AvgPooler", convLocalPool(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), AvgPooler()));
TARGET("convLocalPool Pooler", convLocalPool(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), SumPooler()));
TARGET("convLocalRandomPool", NVMatrix::initRandom(c.i(5));
       convLocalRandomPool(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4)));
TARGET("convLocalMaxUndo", convLocalMaxUndo(c[0], c[1], c[2], t, c.i(0), c.i(1), c.i(2), c.i(3)));
TARGET("convLocalMaxUndo, sT, sO",
       convLocalMaxUndo(c[0], c[1], c[2], t, c.i(0), c.i(1), c.i(2), c.i(3), c.f(4), c.f(5)));
TARGET("convLocalAvgUndo", convLocalAvgUndo(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4)));
TARGET("convLocalAvgUndo, sT, sO", convLocalAvgUndo(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.i(4), c.f(5), c.f(6)));

// What is written beside the target starts without elements.
TARGET("convResponseNorm", NVMatrix denoms; convResponseNorm(c[0], denoms, t, c.i(0), c.i(1), c.f(2), c.f(3));
       c.report(denoms));
TARGET("convResponseNormUndo",
       convResponseNormUndo(c[0], c[1], c[2], c[3], t, c.i(0), c.i(1), c.f(2), c.f(3), c.f(4), c.f(5)));
TARGET("convContrastNorm", NVMatrix meanDiffs(true); NVMatrix denoms;
       convContrastNorm(c[0], meanDiffs, denoms, t, c.i(0), c.i(1), c.f(2), c.f(3)); c.report(meanDiffs);
       c.report(denoms));
TARGET("convContrastNormUndo",
       convContrastNormUndo(c[0], c[1], c[2], c[3], t, c.i(0), c.i(1), c.f(2), c.f(3), c.f(4), c.f(5)));
TARGET("convResponseNormCrossMap minDiv", NVMatrix denoms;
       convResponseNormCrossMap(c[0], denoms, t, c.i(0), c.i(1), c.f(2), c.f(3), c.f(4), c.i(5) != 0);
       c.report(denoms));
TARGET("convResponseNormCrossMap", NVMatrix denoms;
       convResponseNormCrossMap(c[0], denoms, t, c.i(0), c.i(1), c.f(2), c.f(3), c.i(4) != 0); c.report(denoms));
TARGET("convResponseNormCrossMapUndo", convResponseNormCrossMapUndo(c[0], c[1], c[2], c[3], t, c.i(0), c.i(1), c.f(2),
                                                                    c.f(3), c.i(4) != 0, c.f(5), c.f(6)));

TARGET("convGaussianBlur", convGaussianBlur(c[0], c[1], t, c.i(0) != 0, c.i(1), c.f(2), c.f(3)));
CASE("convGaussianBlur in place", {
    convGaussianBlur(c[0], c[1], c[0], c.i(0) != 0, c.i(1), 0, 1);
    c.report(c[0]);
});
TARGET("convBedOfNails", convBedOfNails(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.f(4), c.f(5)));
TARGET("convBedOfNailsUndo", convBedOfNailsUndo(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3), c.f(4), c.f(5)));
TARGET("convResizeBilinear", convResizeBilinear(c[0], t, c.i(0), c.i(1), c.f(2)));
TARGET("convRGBToYUV", convRGBToYUV(c[0], t));
TARGET("convRGBToLAB", convRGBToLAB(c[0], t, c.i(0) != 0));
TARGET("convCrop", convCrop(c[0], t, c.i(0), c.i(1), c.i(2), c.i(3)));
TARGET("convReflectHorizontal", convReflectHorizontal(c[0], t, c.i(0)));
TARGET("convTICA", convTICA(c[0], t, c.i(0), c.i(1), c.f(2), c.f(3)));
TARGET("convTICAGrad", convTICAGrad(c[0], c[1], t, c.i(0), c.i(1), c.f(2), c.f(3)));
IN_PLACE("normalizeLocalWeights", normalizeLocalWeights(c[0], c.i(0), c.f(1)));

// The packed halves are reported as numbers of 16 bits.
CASE("convQuantizeHalf", {
    NVMatrix packed(2, 5, true);
    convQuantizeHalf(c[0], packed);
    Matrix words(1, 1);
    packed.copyToHost(words, true);
    Matrix halves(1, 2 * words.getNumElements());
    for (long i = 0; i < halves.getNumElements(); i++)
        halves(0, i) = reinterpret_cast<unsigned short*>(words.getData())[i];
    c.report(halves);
});
CASE("convDequantizeHalf", {
    NVMatrix packed;
    convQuantizeHalf(c[0], packed);
    NVMatrix& t = c.target();
    convDequantizeHalf(packed, t, c[0].getNumElements(), c.f(0), c.f(1));
    c.report(t);
});
