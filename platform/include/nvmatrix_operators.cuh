// The functors of NVMatrix's apply family and of its aggregations (spec 6.3). They may be nested in other
// functors, are taken by value, and compute with the accurate functions of math.h on both devices.
#pragma once

#include <math.h>

#include <cuda_runtime.h>

#define CONVNET_PLATFORM_OP __host__ __device__ float operator()

class NVMatrixOps {
public:
    struct Exp {
        CONVNET_PLATFORM_OP(float x) const { return expf(x); }
    };
    struct Logistic {
        CONVNET_PLATFORM_OP(float x) const { return 1 / (1 + expf(-x)); }
    };
    struct Log {
        CONVNET_PLATFORM_OP(float x) const { return logf(x); }
    };
    struct Square {
        CONVNET_PLATFORM_OP(float x) const { return x * x; }
    };
    struct Sqrt {
        CONVNET_PLATFORM_OP(float x) const { return sqrtf(x); }
    };
    struct Reciprocal {
        CONVNET_PLATFORM_OP(float x) const { return 1 / x; }
    };
    struct Abs {
        CONVNET_PLATFORM_OP(float x) const { return fabsf(x); }
    };
    struct Sign {
        CONVNET_PLATFORM_OP(float x) const { return static_cast<float>((x > 0) - (x < 0)); }
    };
    struct Identity {
        CONVNET_PLATFORM_OP(float x) const { return x; }
    };
    // Zero and One ignore their argument: NaN does not get through.
    struct Zero {
        CONVNET_PLATFORM_OP(float) const { return 0; }
    };
    struct One {
        CONVNET_PLATFORM_OP(float) const { return 1; }
    };
    struct Pow {
        Pow(float exponent) : exponent_(exponent) {}
        CONVNET_PLATFORM_OP(float x) const { return powf(x, exponent_); }

    private:
        float exponent_;
    };
    struct AddScalar {
        AddScalar(float scalar) : scalar_(scalar) {}
        CONVNET_PLATFORM_OP(float x) const { return x + scalar_; }

    private:
        float scalar_;
    };
    struct WeightedAddScalar {
        WeightedAddScalar(float weight, float scalar) : weight_(weight), scalar_(scalar) {}
        CONVNET_PLATFORM_OP(float x) const { return weight_ * x + scalar_; }

    private:
        float weight_, scalar_;
    };
    struct MultByScalar {
        MultByScalar(float scalar) : scalar_(scalar) {}
        CONVNET_PLATFORM_OP(float x) const { return x * scalar_; }

    private:
        float scalar_;
    };
    struct BiggerThanScalar {
        BiggerThanScalar(float scalar) : scalar_(scalar) {}
        CONVNET_PLATFORM_OP(float x) const { return x > scalar_; }

    private:
        float scalar_;
    };
    struct SmallerThanScalar {
        SmallerThanScalar(float scalar) : scalar_(scalar) {}
        CONVNET_PLATFORM_OP(float x) const { return x < scalar_; }

    private:
        float scalar_;
    };
    struct MinWithScalar {
        MinWithScalar(float scalar) : scalar_(scalar) {}
        CONVNET_PLATFORM_OP(float x) const { return x > scalar_ ? scalar_ : x; }

    private:
        float scalar_;
    };
    struct MaxWithScalar {
        MaxWithScalar(float scalar) : scalar_(scalar) {}
        CONVNET_PLATFORM_OP(float x) const { return x < scalar_ ? scalar_ : x; }

    private:
        float scalar_;
    };
    // 1 within [lower, upper], exclusive: within (lower, upper).
    template <bool exclusive>
    struct InRange {
        InRange(float lower, float upper) : lower_(lower), upper_(upper) {}
        CONVNET_PLATFORM_OP(float x) const { return exclusive ? x > lower_ && x < upper_ : x >= lower_ && x <= upper_; }

    private:
        float lower_, upper_;
    };
};

class NVMatrixBinaryOps {
public:
    struct Equals {
        CONVNET_PLATFORM_OP(float a, float b) const { return a == b; }
    };
    struct BiggerThan {
        CONVNET_PLATFORM_OP(float a, float b) const { return a > b; }
    };
    struct Divide {
        CONVNET_PLATFORM_OP(float a, float b) const { return a / b; }
    };
    struct Multiply {
        CONVNET_PLATFORM_OP(float a, float b) const { return a * b; }
    };
    struct SquaredDiff {
        CONVNET_PLATFORM_OP(float a, float b) const { return (a - b) * (a - b); }
    };
    struct WeightedAdd {
        WeightedAdd(float scale_a, float scale_b) : scale_a_(scale_a), scale_b_(scale_b) {}
        CONVNET_PLATFORM_OP(float a, float b) const { return scale_a_ * a + scale_b_ * b; }

    private:
        float scale_a_, scale_b_;
    };
    struct Add {
        CONVNET_PLATFORM_OP(float a, float b) const { return a + b; }
    };
};

// getBaseValue() is what an aggregation over nothing gives.
class NVMatrixAggs {
public:
    struct Sum {
        CONVNET_PLATFORM_OP(float a, float b) const { return a + b; }
        __host__ __device__ float getBaseValue() const { return 0; }
    };
    struct Max {
        CONVNET_PLATFORM_OP(float a, float b) const { return a > b ? a : b; }
        __host__ __device__ float getBaseValue() const { return -INFINITY; }
    };
    struct Min {
        CONVNET_PLATFORM_OP(float a, float b) const { return a < b ? a : b; }
        __host__ __device__ float getBaseValue() const { return INFINITY; }
    };
    // The argument for which op is largest, the first of equals. No argument is NaN, and NaN loses to any other.
    template <class UnaryOp>
    struct ArgMax {
        ArgMax(UnaryOp op = UnaryOp()) : op_(op) {}
        CONVNET_PLATFORM_OP(float a, float b) const {
            return a != a || op_.UnaryOp::operator()(b) > op_.UnaryOp::operator()(a) ? b : a;
        }
        __host__ __device__ float getBaseValue() const { return NAN; }

    private:
        UnaryOp op_;
    };
};

#undef CONVNET_PLATFORM_OP
