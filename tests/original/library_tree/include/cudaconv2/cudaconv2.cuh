// The tree's own convolution library: a sum over all pixels stands for a convolution.
#ifndef OWN_CUDACONV2_CUH
#define OWN_CUDACONV2_CUH

#include "../nvmatrix/nvmatrix.cuh"

void convFilterActs(NVMatrix& images, NVMatrix& filters, NVMatrix& targets, int imgSizeY, int numModulesY,
                    int numModulesX, int paddingStart, int moduleStride, int numImgColors, int numGroups);

#endif
