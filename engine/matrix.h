// A batch matrix, or a weight matrix, in a device's memory.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <utility>

#include "device/device.h"

namespace convnet {

// rows x cols floats, row-major. Memory grows when asked for more and is kept when asked for less.
class Matrix {
public:
    explicit Matrix(Device& device, int rows = 0, int cols = 0) : device_(&device) { resize(rows, cols); }
    ~Matrix() {
        if (data_) device_->release(data_);
    }
    Matrix(Matrix&& other) noexcept { *this = std::move(other); }
    Matrix& operator=(Matrix&& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(data_, other.data_);
        std::swap(capacity_, other.capacity_);
        std::swap(rows_, other.rows_);
        std::swap(cols_, other.cols_);
        return *this;
    }
    Matrix(const Matrix&) = delete;
    Matrix& operator=(const Matrix&) = delete;

    // Contents are undefined afterwards, unless the size stays.
    void resize(int rows, int cols) {
        const std::size_t count = static_cast<std::size_t>(rows) * cols;
        if (count > capacity_) {
            float* grown = device_->allocate(count);
            if (data_) device_->release(data_);
            data_ = grown;
            capacity_ = count;
        }
        rows_ = rows;
        cols_ = cols;
    }

    Device& device() const { return *device_; }
    int rows() const { return rows_; }
    int cols() const { return cols_; }
    std::size_t size() const { return static_cast<std::size_t>(rows_) * cols_; }
    float* data() { return data_; }
    const float* data() const { return data_; }
    // From row `first` on.
    float* row(int first) { return data_ + static_cast<std::size_t>(first) * cols_; }
    const float* row(int first) const { return data_ + static_cast<std::size_t>(first) * cols_; }

private:
    Device* device_ = nullptr;
    float* data_ = nullptr;
    std::size_t capacity_ = 0;
    int rows_ = 0, cols_ = 0;
};

}  // namespace convnet
