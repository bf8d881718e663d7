// Elementwise loops over matrices of either storage order, for NVMatrix's apply family (spec 6.3).
#pragma once

#include "convnet_platform/loops.h"

namespace convnet_platform {

// Element (row, col) is data[row * row_step + col * col_step]; a step of 0 repeats a vector.
struct Strided {
    float* data;
    ptrdiff_t row_step, col_step;
};

// The same, seen along the lines of the target's memory. kUnit: neighbours in the loop are neighbours in memory,
// which the compiler must know in order to vectorise.
template <bool kUnit>
struct Lines {
    float* data;
    ptrdiff_t line_step, step;

    __device__ float& at(ptrdiff_t line, ptrdiff_t item) const {
        return data[line * line_step + (kUnit ? item : item * step)];
    }
};

// target = op(inputs...). The operator is called by its qualified name: some of the historic functors have a
// virtual one, whose table a device cannot read.
template <class Op, bool kUnit, int kInputs>
struct ElementwiseBody {
    Op op;
    Lines<kUnit> target;
    Lines<kUnit> in[kInputs];

    __device__ void operator()(ptrdiff_t line, ptrdiff_t item) {
        if constexpr (kInputs == 1)
            target.at(line, item) = op.Op::operator()(in[0].at(line, item));
        else if constexpr (kInputs == 2)
            target.at(line, item) = op.Op::operator()(in[0].at(line, item), in[1].at(line, item));
        else
            target.at(line, item) = op.Op::operator()(in[0].at(line, item), in[1].at(line, item), in[2].at(line, item));
    }
};

// The loop's shape: how many lines, how long, and each matrix along them (the target first).
struct LoopShape {
    ptrdiff_t lines, length;
    Lines<false> matrices[4];
    bool unit;  // every step is 1
};

LoopShape loop_shape(int rows, int cols, bool columns_are_lines, const Strided* matrices, int count);

template <bool kUnit, int kInputs, class Op>
void run_elementwise(Op op, const LoopShape& shape) {
    const auto lines = [&](int i) {
        const Lines<false>& m = shape.matrices[i];
        return Lines<kUnit>{m.data, m.line_step, m.step};
    };
    ElementwiseBody<Op, kUnit, kInputs> body = {op, lines(0), {}};
    for (int i = 0; i < kInputs; i++) body.in[i] = lines(i + 1);
    for_each(shape.lines, shape.length, body);
}

// matrices: the target, then kInputs inputs, all rows x cols. columns_are_lines: the target is transposed.
template <int kInputs, class Op>
void elementwise(Op op, int rows, int cols, bool columns_are_lines, const Strided (&matrices)[kInputs + 1]) {
    const LoopShape shape = loop_shape(rows, cols, columns_are_lines, matrices, kInputs + 1);
    if (shape.unit)
        run_elementwise<true, kInputs>(op, shape);
    else
        run_elementwise<false, kInputs>(op, shape);
}

}  // namespace convnet_platform
