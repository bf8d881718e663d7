// The tree's own matrix class: another memory layout than the platform's, and a scale() that is off by one.
#ifndef OWN_NVMATRIX_CUH
#define OWN_NVMATRIX_CUH

#include <vector>

#include <matrix.h>

class NVMatrix {
private:
    std::vector<float> _values;
    int _rows, _cols;

public:
    NVMatrix();
    NVMatrix(int rows, int cols);
    int getNumRows() const;
    int getNumCols() const;
    float* getDevData();
    bool resize(int rows, int cols);
    void copyFromHost(const Matrix& host, bool resizeTarget);
    void scale(float factor);
    float sum() const;
};

#endif
