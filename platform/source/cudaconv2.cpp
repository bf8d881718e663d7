// Convolution and locally connected layers of the convolution library, on the device (spec 6.4, 3.1).
#include "cudaconv2.cuh"

#include <vector>

#include "convnet_platform/devices.h"
#include "operands.h"

using convnet::ConvShape;
using convnet::Scale;
using convnet_platform::current_device;
using convnet_platform::Input;
using convnet_platform::Output;

namespace {

// The sides of a call's arguments that the historic signatures leave to the matrices' dimensions.
int other_side(int area, int side, const char* what) {
    CONVNET_PLATFORM_REQUIRE(side > 0 && area % side == 0, "%s: %d of them are not rows of %d", what, area, side);
    return area / side;
}

int square_side(int area, const char* what) {
    int side = 0;
    while (side * side < area) side++;
    CONVNET_PLATFORM_REQUIRE(side > 0 && side * side == area, "%s: %d pixels are not square", what, area);
    return side;
}

// What all calls say.
struct Call {
    const int* dColorIndices;
    int paddingStart, moduleStride, numImgColors, numFilterColors, numGroups;
    bool local;
};

// Null: dense groups.
Call make_call(bool local, const int* dColorIndices, int paddingStart, int moduleStride, int numImgColors,
               int numFilterColors, int numGroups) {
    CONVNET_PLATFORM_REQUIRE(
        paddingStart <= 0 && moduleStride > 0 && numImgColors > 0 && numFilterColors > 0 && numGroups > 0,
        "convolution: paddingStart %d, moduleStride %d, numImgColors %d, numFilterColors %d, "
        "numGroups %d",
        paddingStart, moduleStride, numImgColors, numFilterColors, numGroups);
    return {dColorIndices, paddingStart, moduleStride, numImgColors, numFilterColors, numGroups, local};
}

Call make_dense_call(bool local, int paddingStart, int moduleStride, int numImgColors, int numGroups) {
    CONVNET_PLATFORM_REQUIRE(numGroups > 0 && numImgColors % numGroups == 0, "convolution: %d channels in %d groups",
                             numImgColors, numGroups);
    return make_call(local, nullptr, paddingStart, moduleStride, numImgColors, numImgColors / numGroups, numGroups);
}

// The shape of a call, and the connections that it points to.
class Shape : public ConvShape {
public:
    Shape(const Call& call, int img_pixels, int img_size_y_, int filters_, int filter_size_, int modules_y_,
          int modules_x_, int cases_) {
        cases = cases_;
        channels = call.numImgColors;
        img_size_y = img_size_y_;
        img_size_x = other_side(img_pixels, img_size_y_, "image pixels");
        filters = filters_;
        filter_size = filter_size_;
        padding = -call.paddingStart;
        stride = call.moduleStride;
        modules_y = modules_y_;
        modules_x = modules_x_;
        groups = call.numGroups;
        filter_channels = call.numFilterColors;
        CONVNET_PLATFORM_REQUIRE(filters % groups == 0, "convolution: %d filters in %d groups", filters, groups);
        if (call.dColorIndices) read_connections(call.dColorIndices);
    }

private:
    // A copy of 4-byte words, whatever they mean.
    void read_connections(const int* device_indices) {
        CONVNET_PLATFORM_REQUIRE(groups * filter_channels % channels == 0,
                                 "convolution: %d groups of %d channels are no multiple of %d", groups, filter_channels,
                                 channels);
        connections_.resize(static_cast<size_t>(groups) * filter_channels);
        current_device().copy_to_host(reinterpret_cast<const float*>(device_indices),
                                      reinterpret_cast<float*>(connections_.data()), connections_.size());
        for (const int channel : connections_)
            CONVNET_PLATFORM_REQUIRE(channel >= 0 && channel < channels, "convolution: there is no channel %d of %d",
                                     channel, channels);
        connections = connections_.data();
    }

    std::vector<int> connections_;
};

void require_dims(const NVMatrix& matrix, int rows, int cols, const char* what) {
    CONVNET_PLATFORM_REQUIRE(matrix.getNumRows() == rows && matrix.getNumCols() == cols,
                             "convolution: %s of %d x %d where %d x %d is needed", what, matrix.getNumRows(),
                             matrix.getNumCols(), rows, cols);
}

int weight_rows(const ConvShape& shape, bool local) { return shape.filter_rows() * (local ? shape.modules() : 1); }

int filter_size_of(const NVMatrix& filters, const Call& call, int modules) {
    const int rows = call.local ? other_side(filters.getNumRows(), modules, "local filter rows") : filters.getNumRows();
    return square_side(other_side(rows, call.numFilterColors, "filter rows"), "filter");
}

int image_pixels(const NVMatrix& images, const Call& call) {
    return other_side(images.getNumRows(), call.numImgColors, "image rows");
}

void forward(const Call& call, const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, int imgSizeY,
             int numModulesY, int numModulesX, Scale scale) {
    const Shape shape(call, image_pixels(images, call), imgSizeY, filters.getNumCols(),
                      filter_size_of(filters, call, numModulesY * numModulesX), numModulesY, numModulesX,
                      images.getNumCols());
    require_dims(filters, weight_rows(shape, call.local), shape.filters, "filters");
    const Input in(images), weights(filters);
    Output out(targets, shape.filters * shape.modules(), shape.cases, scale.targets);
    if (call.local)
        current_device().local_forward(shape, in.data(), weights.data(), out.data(), scale);
    else
        current_device().conv_forward(shape, in.data(), weights.data(), out.data(), scale);
}

void image_gradient(const Call& call, const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, int imgSizeY,
                    int imgSizeX, int numModulesY, Scale scale) {
    const int modules = other_side(hidActs.getNumRows(), filters.getNumCols(), "rows of hidActs");
    const Shape shape(call, imgSizeY * imgSizeX, imgSizeY, filters.getNumCols(), filter_size_of(filters, call, modules),
                      numModulesY, other_side(modules, numModulesY, "modules"), hidActs.getNumCols());
    require_dims(filters, weight_rows(shape, call.local), shape.filters, "filters");
    const int rounds = call.dColorIndices ? shape.over_sample() : 1;
    const Input gradients(hidActs), weights(filters);
    Output out(targets, rounds * shape.channels * shape.pixels(), shape.cases, scale.targets);
    if (call.local)
        current_device().local_image_gradient(shape, gradients.data(), weights.data(), out.data(), scale);
    else
        current_device().conv_image_gradient(shape, gradients.data(), weights.data(), out.data(), scale);
}

void weight_gradient(const Call& call, const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, int imgSizeY,
                     int numModulesY, int numModulesX, int filterSize, int partialSum, Scale scale) {
    const int modules = numModulesY * numModulesX;
    const Shape shape(call, image_pixels(images, call), imgSizeY,
                      other_side(hidActs.getNumRows(), modules, "rows of hidActs"), filterSize, numModulesY,
                      numModulesX, images.getNumCols());
    require_dims(hidActs, shape.filters * modules, shape.cases, "hidActs");
    CONVNET_PLATFORM_REQUIRE(partialSum >= 0 && (partialSum == 0 || modules % partialSum == 0),
                             "convolution: partialSum %d does not divide %d modules", partialSum, modules);
    const Input in(images), gradients(hidActs);
    const int chunks = partialSum > 0 ? modules / partialSum : 1;
    Output out(targets, chunks * weight_rows(shape, call.local), shape.filters, scale.targets);
    if (call.local)
        current_device().local_weight_gradient(shape, in.data(), gradients.data(), out.data(), scale);
    else
        current_device().conv_weight_gradient(shape, in.data(), gradients.data(), out.data(), partialSum, scale);
}

}  // namespace

void convFilterActs(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int numModulesY,
                    int numModulesX, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                    float scaleTargets, float scaleOutput) {
    forward(make_dense_call(false, paddingStart, moduleStride, numImgColors, numGroups), images, filters, targets,
            imgSizeY, numModulesY, numModulesX, {scaleTargets, scaleOutput});
}

void convImgActs(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int imgSizeX,
                 int numModulesY, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                 float scaleTargets, float scaleOutput) {
    image_gradient(make_dense_call(false, paddingStart, moduleStride, numImgColors, numGroups), hidActs, filters,
                   targets, imgSizeY, imgSizeX, numModulesY, {scaleTargets, scaleOutput});
}

void convWeightActs(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, int imgSizeY, int numModulesY,
                    int numModulesX, int filterSize, int paddingStart, int moduleStride, int numImgColors,
                    int numGroups, int partialSum, float scaleTargets, float scaleOutput) {
    weight_gradient(make_dense_call(false, paddingStart, moduleStride, numImgColors, numGroups), images, hidActs,
                    targets, imgSizeY, numModulesY, numModulesX, filterSize, partialSum, {scaleTargets, scaleOutput});
}

void convFilterActsSparse(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                          int imgSizeY, int numModulesY, int numModulesX, int paddingStart, int moduleStride,
                          int numImgColors, int numFilterColors, int numGroups, float scaleTargets, float scaleOutput) {
    forward(make_call(false, dColorIndices, paddingStart, moduleStride, numImgColors, numFilterColors, numGroups),
            images, filters, targets, imgSizeY, numModulesY, numModulesX, {scaleTargets, scaleOutput});
}

void convImgActsSparse(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                       int imgSizeY, int imgSizeX, int numModulesY, int paddingStart, int moduleStride,
                       int numImgColors, int numFilterColors, int numGroups, float scaleTargets, float scaleOutput) {
    image_gradient(
        make_call(false, dColorIndices, paddingStart, moduleStride, numImgColors, numFilterColors, numGroups), hidActs,
        filters, targets, imgSizeY, imgSizeX, numModulesY, {scaleTargets, scaleOutput});
}

void convWeightActsSparse(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, const int* dColorIndices,
                          int imgSizeY, int numModulesY, int numModulesX, int filterSize, int paddingStart,
                          int moduleStride, int numImgColors, int numFilterColors, int numGroups, int partialSum,
                          float scaleTargets, float scaleOutput) {
    weight_gradient(
        make_call(false, dColorIndices, paddingStart, moduleStride, numImgColors, numFilterColors, numGroups), images,
        hidActs, targets, imgSizeY, numModulesY, numModulesX, filterSize, partialSum, {scaleTargets, scaleOutput});
}

void localFilterActs(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int numModulesY,
                     int numModulesX, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                     float scaleTargets, float scaleOutput) {
    forward(make_dense_call(true, paddingStart, moduleStride, numImgColors, numGroups), images, filters, targets,
            imgSizeY, numModulesY, numModulesX, {scaleTargets, scaleOutput});
}

void localImgActs(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, int imgSizeY, int imgSizeX,
                  int numModulesY, int paddingStart, int moduleStride, int numImgColors, int numGroups,
                  float scaleTargets, float scaleOutput) {
    image_gradient(make_dense_call(true, paddingStart, moduleStride, numImgColors, numGroups), hidActs, filters,
                   targets, imgSizeY, imgSizeX, numModulesY, {scaleTargets, scaleOutput});
}

void localWeightActs(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, int imgSizeY, int numModulesY,
                     int numModulesX, int filterSize, int paddingStart, int moduleStride, int numImgColors,
                     int numGroups, float scaleTargets, float scaleOutput) {
    weight_gradient(make_dense_call(true, paddingStart, moduleStride, numImgColors, numGroups), images, hidActs,
                    targets, imgSizeY, numModulesY, numModulesX, filterSize, 0, {scaleTargets, scaleOutput});
}

void localFilterActsSparse(const NVMatrix& images, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                           int imgSizeY, int numModulesY, int numModulesX, int paddingStart, int moduleStride,
                           int numImgColors, int numFilterColors, int numGroups, float scaleTargets,
                           float scaleOutput) {
    forward(make_call(true, dColorIndices, paddingStart, moduleStride, numImgColors, numFilterColors, numGroups),
            images, filters, targets, imgSizeY, numModulesY, numModulesX, {scaleTargets, scaleOutput});
}

void localImgActsSparse(const NVMatrix& hidActs, const NVMatrix& filters, NVMatrix& targets, const int* dColorIndices,
                        int imgSizeY, int imgSizeX, int numModulesY, int paddingStart, int moduleStride,
                        int numImgColors, int numFilterColors, int numGroups, float scaleTargets, float scaleOutput) {
    image_gradient(make_call(true, dColorIndices, paddingStart, moduleStride, numImgColors, numFilterColors, numGroups),
                   hidActs, filters, targets, imgSizeY, imgSizeX, numModulesY, {scaleTargets, scaleOutput});
}

void localWeightActsSparse(const NVMatrix& images, const NVMatrix& hidActs, NVMatrix& targets, const int* dColorIndices,
                           int imgSizeY, int numModulesY, int numModulesX, int filterSize, int paddingStart,
                           int moduleStride, int numImgColors, int numFilterColors, int numGroups, float scaleTargets,
                           float scaleOutput) {
    weight_gradient(
        make_call(true, dColorIndices, paddingStart, moduleStride, numImgColors, numFilterColors, numGroups), images,
        hidActs, targets, imgSizeY, numModulesY, numModulesX, filterSize, 0, {scaleTargets, scaleOutput});
}
