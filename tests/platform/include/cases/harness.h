// Named cases that the tests call through a C interface: each runs one overload of spec 6.1 to 6.4 on matrices that
// Python describes, and reports matrices and numbers back.
#pragma once

#include <memory>
#include <vector>

#include "nvmatrix.cuh"

// How an input lies in memory. Values are given in C order.
struct Described {
    const float* values;
    int rows, cols;
    int trans;
    int view;  // a slice of a larger matrix
};

struct Reported {
    int rows, cols, trans;
    std::vector<float> values;  // in C order
};

class Call {
public:
    Call(int matrices, const Described* described, int numbers, const double* values);

    NVMatrix& operator[](int i) { return *device_.at(i); }
    // The last one: where the result goes.
    NVMatrix& target() { return *device_.back(); }
    Matrix& host(int i);
    float f(int i) const { return static_cast<float>(numbers_.at(i)); }
    int i(int i) const { return static_cast<int>(numbers_.at(i)); }
    int count() const { return static_cast<int>(device_.size()); }

    void report(const NVMatrix& matrix);
    void report(const Matrix& matrix);
    void report(double number);
    // Reports a matrix that the caller was given, and deletes it.
    template <class M>
    void take(M& matrix) {
        report(matrix);
        delete &matrix;
    }

    std::vector<Reported> reports;

private:
    std::vector<Described> described_;
    std::vector<double> numbers_;
    std::vector<std::unique_ptr<NVMatrix>> wholes_, device_;
    std::vector<std::unique_ptr<Matrix>> host_;
};

struct Registered {
    Registered(const char* name, void (*body)(Call&));
};

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define CASE(name, ...) \
    static const Registered JOIN(registered_, __COUNTER__)(name, []([[maybe_unused]] Call& c) { __VA_ARGS__; })
// Changes its first matrix; writes its last one.
#define IN_PLACE(name, ...) CASE(name, __VA_ARGS__; c.report(c[0]))
#define TARGET(name, ...) CASE(name, NVMatrix& t = c.target(); __VA_ARGS__; c.report(t))
#define HOST_IN_PLACE(name, ...) CASE(name, Matrix& h = c.host(0); __VA_ARGS__; c.report(h))
#define HOST_TARGET(name, ...) \
    CASE(name, Matrix& h = c.host(0); Matrix& t = c.host(c.count() - 1); __VA_ARGS__; c.report(t))

// Fails the case, saying which condition did not hold.
#define EXPECT(...) CONVNET_PLATFORM_REQUIRE((__VA_ARGS__), "%s:%d: not so: %s", __FILE__, __LINE__, #__VA_ARGS__)
