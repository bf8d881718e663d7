// Matrices as the device's operations take them: contiguous memory (spec 6.3), of a storage order that they know.
#pragma once

#include "nvmatrix.cuh"

namespace convnet_platform {

enum class Order { row_major, any };

// Reads a matrix: itself where its memory is as asked for, else a copy.
class Input {
public:
    explicit Input(const NVMatrix& matrix, Order order = Order::row_major)
        : direct_(matrix.isContiguous() && (order == Order::any || !matrix.isTrans())),
          matrix_(matrix),
          copy_(order == Order::any && matrix.isTrans()) {
        if (direct_) return;
        copy_.resize(matrix.getNumRows(), matrix.getNumCols());
        matrix.copy(copy_);
    }

    const float* data() const { return direct_ ? matrix_.getDevData() : copy_.getDevData(); }

private:
    const bool direct_;
    const NVMatrix& matrix_;
    NVMatrix copy_;
};

// Writes a target of rows x cols, and on destruction moves what was computed elsewhere into it. With scale_targets 0
// it is resized and its old content not read; otherwise it must have these dimensions.
class Output {
public:
    Output(NVMatrix& target, int rows, int cols, float scale_targets = 0, Order order = Order::row_major)
        : target_(target) {
        if (scale_targets == 0) target.resize(rows, cols);
        CONVNET_PLATFORM_REQUIRE(target.getNumRows() == rows && target.getNumCols() == cols,
                                 "a result of %d x %d is added to %d x %d", rows, cols, target.getNumRows(),
                                 target.getNumCols());
        direct_ = target.isContiguous() && (order == Order::any || !target.isTrans());
        if (direct_) return;
        computed_.setTrans(order == Order::any && target.isTrans());
        computed_.resize(rows, cols);
        if (scale_targets != 0) target.copy(computed_);
    }
    ~Output() {
        if (!direct_) computed_.copy(target_);
    }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    float* data() { return direct_ ? target_.getDevData() : computed_.getDevData(); }

private:
    NVMatrix& target_;
    NVMatrix computed_;
    bool direct_;
};

}  // namespace convnet_platform
