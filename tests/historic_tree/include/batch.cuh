// Data: the matrices of a batch (rows x cases each), or of a part of one.
#ifndef BATCH_CUH
#define BATCH_CUH

#include <basics.cuh>

class Data {
private:
    Matrices* _matrices;

public:
    // Takes the matrices over.
    Data(Matrices* matrices) : _matrices(matrices) {
        assert(matrices->size() > 0);
        for (int i = 1; i < matrices->size(); i++) {
            assert(matrices->at(i)->isTrans() == matrices->at(0)->isTrans());
            assert(matrices->at(i)->getNumCols() == matrices->at(0)->getNumCols());
        }
    }

    ~Data() {
        for (int i = 0; i < _matrices->size(); i++) {
            delete _matrices->at(i);
        }
        delete _matrices;
    }

    Matrix& operator[](int i) {
        return *_matrices->at(i);
    }

    long int getNumCases() {
        return _matrices->at(0)->getNumCols();
    }

    // A view where the matrices are transposed, otherwise a copy.
    Data& part(long int from, long int to) {
        Matrices* parts = new Matrices();
        for (int i = 0; i < _matrices->size(); i++) {
            parts->push_back(&_matrices->at(i)->sliceCols(from, to));
        }
        return *new Data(parts);
    }
};

#endif
