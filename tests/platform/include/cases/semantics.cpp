// The numbered semantics of spec 6.3 that the historic sources rely on, each as "6.3.N: what".
#include "harness.h"

#include <cmath>
#include <thread>

#include "convnet_platform/devices.h"

namespace {

// rows x cols numbers from 0 on, in memory order.
NVMatrix& counting(int rows, int cols, bool trans = false) {
    Matrix host(rows, cols);
    host.setTrans(trans);
    for (long i = 0; i < host.getNumElements(); i++) host.getData()[i] = static_cast<float>(i);
    return *new NVMatrix(host);
}

float at(const NVMatrix& m, int row, int col) {
    Matrix host(m.getNumRows(), m.getNumCols());
    m.copyToHost(host);
    return host(row, col);
}

NVMatrix& nan_filled(int rows, int cols, bool trans = false) {
    NVMatrix& m = counting(rows, cols, trans);
    m.addScalar(NAN);
    return m;
}

std::vector<int> made;

std::unique_ptr<convnet::Device> make_and_note(int physical) {
    made.push_back(physical);
    return convnet::make_cpu_device(1);
}

}  // namespace

CASE("6.3.1: resize(like) takes the flag, equal counts keep memory", {
    std::unique_ptr<NVMatrix> m(&counting(2, 3)), like(&counting(3, 2, true));
    float* const memory = m->getDevData();
    EXPECT(!m->resize(*like) && m->isTrans() && m->isSameDims(*like) && m->getDevData() == memory);
    EXPECT(at(*m, 1, 0) == 1 && at(*m, 0, 1) == 3);
});
CASE("6.3.1: an unchanged size is a no-op on a view", {
    std::unique_ptr<NVMatrix> m(&counting(4, 5)), view(&m->slice(1, 3, 1, 4));
    EXPECT(!view->resize(2, 3) && view->isView() && view->getStride() == 5 && at(*view, 0, 0) == 6);
});
CASE("6.3.1: another size of a view is refused", {
    std::unique_ptr<NVMatrix> m(&counting(4, 5)), view(&m->slice(1, 3, 1, 4));
    view->resize(3, 3);
});
CASE("6.3.2: transpose() and transpose(bool) swap dimensions and flag, setTrans the flag alone", {
    std::unique_ptr<NVMatrix> m(&counting(2, 3));
    float* const memory = m->getDevData();
    m->transpose();
    EXPECT(m->getNumRows() == 3 && m->getNumCols() == 2 && m->isTrans() && at(*m, 2, 1) == 5 && at(*m, 1, 0) == 1);
    m->transpose(false);
    EXPECT(m->getNumRows() == 2 && !m->isTrans() && at(*m, 0, 1) == 1);
    m->setTrans(true);
    EXPECT(m->getNumRows() == 2 && at(*m, 1, 0) == 1 && at(*m, 0, 1) == 2 && m->getDevData() == memory);
});
CASE("6.3.2: transpose(target) keeps the source's flag, flipTrans changes it", {
    for (const bool trans : {false, true}) {
        std::unique_ptr<NVMatrix> m(&counting(2, 3, trans)), target(&counting(2, 3, !trans));
        m->transpose(*target);
        EXPECT(target->isTrans() == trans && target->getNumRows() == 3 && at(*target, 2, 1) == at(*m, 1, 2));
        std::unique_ptr<NVMatrix> flipped(&m->flipTrans());
        EXPECT(flipped->isTrans() == !trans && flipped->isSameDims(*m) && at(*flipped, 1, 2) == at(*m, 1, 2));
    }
});
CASE("6.3.3: add(b, 0, s) takes b's size and flag and reads nothing old", {
    for (const bool trans : {false, true}) {
        std::unique_ptr<NVMatrix> b(&counting(2, 3, trans)), other(&counting(7, 1)), same(&nan_filled(2, 3, !trans));
        NVMatrix empty;
        for (NVMatrix* m : {&empty, other.get()}) {
            m->add(*b, 0, 2);
            EXPECT(m->isSameDims(*b) && m->isTrans() == trans && at(*m, 1, 2) == 10);
        }
        same->add(*b, false, 2);
        EXPECT(at(*same, 1, 2) == 10 && at(*same, 0, 0) == 0);
    }
});
CASE("6.3.3: add(b, 1, s) to another size is refused", {
    std::unique_ptr<NVMatrix> b(&counting(2, 3)), other(&counting(3, 2));
    other->add(*b, 1, 2);
});
CASE("6.3.4: addSum keeps contents of an equal count, and the flag", {
    for (const bool trans : {false, true}) {
        std::unique_ptr<NVMatrix> gradient(&counting(2, 3, trans)), m(&counting(4, 6));
        float* const memory = gradient->getDevData();
        gradient->addSum(*m, 0, 1, 1);
        EXPECT(gradient->getNumRows() == 1 && gradient->getNumCols() == 6 && gradient->isTrans() == trans);
        // Column 2 of m: 2, 8, 14, 20; in memory order, element 2 was 2.
        EXPECT(gradient->getDevData() == memory && at(*gradient, 0, 2) == 46);
        gradient->reshape(2, 3);
        EXPECT(gradient->getDevData() == memory);
        m->sum(1, *gradient);
        EXPECT(gradient->getNumRows() == 4 && gradient->isTrans() == trans && at(*gradient, 1, 0) == 51);
    }
});
CASE("6.3.5: addProduct with scaleThis 0 resizes and reads nothing old", {
    std::unique_ptr<NVMatrix> a(&counting(2, 3)), b(&counting(3, 2, true)), same(&nan_filled(2, 2)),
        other(&counting(5, 1));
    other->addProduct(*a, *b, 0, 1);
    same->addProduct(*a, *b, 0, 1);
    EXPECT(at(*other, 1, 1) == 50 && at(*same, 1, 1) == 50 && at(*same, 0, 0) == 5);
    for (const bool trans : {false, true}) {
        NVMatrix target(trans);
        target.addProduct(*a, *b, 0, 1);
        EXPECT(target.isTrans() == trans && at(target, 0, 1) == 14);
    }
});
CASE("6.3.5: addProduct accepts views", {
    std::unique_ptr<NVMatrix> big(&counting(4, 5)), a(&big->slice(0, 2, 0, 3)), b(&big->slice(1, 4, 2, 4)),
        whole(&counting(4, 4)), target(&whole->slice(1, 3, 1, 3));
    target->addProduct(*a, *b, 0, 1);
    EXPECT(at(*target, 0, 0) == 0 * 7 + 1 * 12 + 2 * 17 && at(*whole, 1, 1) == 46 && at(*whole, 0, 0) == 0);
    EXPECT(at(*whole, 3, 3) == 15);
});
CASE("6.3.5: an empty or truncated matrix is contiguous", {
    std::unique_ptr<NVMatrix> m(&counting(2, 3));
    m->truncate();
    EXPECT(NVMatrix().isContiguous() && NVMatrix(true).isContiguous() && m->isContiguous());
});
CASE("6.3.6: copyToHost keeps the host's order, or takes the device's", {
    for (const bool trans : {false, true}) {
        std::unique_ptr<NVMatrix> m(&counting(2, 3, trans));
        Matrix same(2, 3);
        same.setTrans(!trans);
        m->copyToHost(same);
        EXPECT(same.isTrans() == !trans && same(1, 2) == 5 && same(0, 1) == at(*m, 0, 1));
        Matrix other(1, 1);
        other.setTrans(!trans);
        m->copyToHost(other, true);
        EXPECT(other.isTrans() == trans && other.getNumCols() == 3 && other.getData()[1] == 1);
    }
});
CASE("6.3.7: one matrix in two roles", {
    std::unique_ptr<NVMatrix> m(&counting(2, 2));
    m->eltwiseMult(*m);
    EXPECT(at(*m, 1, 1) == 9);
    m->add(*m, *m);
    EXPECT(at(*m, 1, 1) == 18);
    m->addProduct(*m, *m, 0, 1);  // (0 2; 8 18) squared
    EXPECT(at(*m, 0, 0) == 16 && at(*m, 1, 1) == 340);
    m->sum(0, *m);
    EXPECT(m->getNumRows() == 1 && at(*m, 0, 1) == 376);
    m->tile(2, 1, *m);
    EXPECT(m->getNumRows() == 2 && at(*m, 1, 1) == 376);
    std::unique_ptr<NVMatrix> square(&counting(2, 2)), transposed(&square->getTranspose());
    square->add(*transposed);
    EXPECT(at(*square, 0, 1) == 3 && at(*square, 1, 0) == 3);
    square->addProduct(*square, *transposed, 0, 1);  // (0 3; 3 6) squared
    EXPECT(at(*square, 0, 0) == 9 && at(*square, 0, 1) == 18 && at(*square, 1, 1) == 45);
    std::unique_ptr<NVMatrix> wide(&counting(2, 2));
    wide->getTranspose().copy(*wide);
    EXPECT(at(*wide, 0, 1) == 2 && at(*wide, 1, 0) == 1);
    NVMatrix targets;  // starts 0 x 0
    m->apply(NVMatrixOps::One(), targets);
    EXPECT(targets.isSameDims(*m));
});
CASE("6.3.8: returned references are heap objects; a clone is a view of its own dimensions and flag", {
    std::unique_ptr<NVMatrix> m(&counting(2, 3)), clone(&m->getClone()), sums(&m->sum(1)), copy(&m->copy());
    EXPECT(clone->isView() && clone->getDevData() == m->getDevData());
    clone->transpose();
    EXPECT(m->getNumRows() == 2 && !m->isTrans() && clone->getNumRows() == 3 && clone->isTrans());
    clone.reset();
    EXPECT(at(*m, 1, 2) == 5 && at(*sums, 1, 0) == 12 && !sums->isView() && !copy->isView());
});
CASE("6.3.9: any thread may copy, transpose and flip", {
    std::unique_ptr<NVMatrix> m(&counting(2, 3));
    float value = 0;
    std::thread([&] {
        std::unique_ptr<NVMatrix> copy(&m->copy()), transposed(&copy->getTranspose()), flipped(&copy->flipTrans());
        NVMatrix moved;
        transposed->transpose(moved);
        value = at(moved, 1, 2) + at(*flipped, 1, 2);
    }).join();
    EXPECT(value == 10 && NVMatrix::canAccessDevice(1, 1));
});
CASE("6.3.9: memory goes back to the device that owns it", {
    made.clear();
    convnet_platform::Settings settings;
    settings.make_device = make_and_note;
    settings.physical = {0, 1, 0, 1, 0};
    convnet_platform::configure(settings);
    NVMatrix::setDeviceID(2);
    std::unique_ptr<NVMatrix> first(&counting(2, 3)), second(&counting(2, 3));
    EXPECT(made == std::vector<int>{0});
    NVMatrix::setDeviceID(3);
    first->truncate();
    second.reset();
    EXPECT(made == std::vector<int>{0});  // device 3 was not needed
    first->resize(1, 2);
    EXPECT((made == std::vector<int>{0, 1}));
    NVMatrix::setDeviceID(0);
    convnet_platform::configure({});
});
CASE("6.3.10: getDeviceID follows cudaSetDevice, in each thread", {
    EXPECT(cudaSetDevice(1) == cudaSuccess && NVMatrix::getDeviceID() == 1);
    int raw = -1;
    EXPECT(cudaGetDevice(&raw) == cudaSuccess && raw == 1);
    int other = -1;
    std::thread([&] { other = NVMatrix::getDeviceID(); }).join();
    EXPECT(other == 0);
    EXPECT(cudaSetDevice(99) != cudaSuccess && NVMatrix::getDeviceID() == 1);
    EXPECT(cudaSetDevice(-1) != cudaSuccess && NVMatrix::getDeviceID() == 1);
    NVMatrix::setDeviceID(0);
    cudaGetLastError();
});
CASE("6.3.10: virtual ids of one physical device", {
    convnet_platform::Settings settings;
    settings.physical = {0, 0, 0, 1};
    convnet_platform::configure(settings);
    EXPECT(cudaSetDevice(2) == cudaSuccess && NVMatrix::getDeviceID() == 2);
    int physical = -1;
    EXPECT((cudaGetDevice)(&physical) == cudaSuccess && physical == 0);
    EXPECT(cudaDeviceEnablePeerAccess(1, 0) == cudaSuccess && cudaDeviceEnablePeerAccess(1, 0) == cudaSuccess);
    EXPECT(cudaDeviceEnablePeerAccess(3, 0) == cudaSuccess && cudaDeviceEnablePeerAccess(3, 0) == cudaSuccess);
    EXPECT(cudaGetLastError() == cudaSuccess && NVMatrix::canAccessDevice(0, 2));
    settings.peer_access = false;
    convnet_platform::configure(settings);
    EXPECT(!NVMatrix::canAccessDevice(0, 2) && NVMatrix::canAccessDevice(2, 2));
    NVMatrix::setDeviceID(0);
    convnet_platform::configure({});
});
CASE("6.3.10: a device that there is not is refused", NVMatrix::setDeviceID(99));
CASE("6.3.11: a HostNVMatrix is an NVMatrix in host memory", {
    std::unique_ptr<NVMatrix> m(&counting(2, 3, true));
    HostNVMatrix host;
    NVMatrix* base = &host;
    m->copy(*base);
    EXPECT(base->isTrans() && host.getDevData()[1] == 1 && host.getNumElements() == 6);
    base->truncate();
    EXPECT(host.getDevData() == nullptr);
    base->resize(2, 2);
    base->apply(NVMatrixOps::One());
    EXPECT(host.getDevData()[3] == 1);
});
CASE("seeds: a common seed, other draws for each device", {
    convnet_platform::Settings settings;
    settings.seed = 5;
    convnet_platform::configure(settings);
    float norms[3];
    for (int i = 0; i < 3; i++) {
        NVMatrix::setDeviceID(i % 2);
        NVMatrix::initRandom();
        NVMatrix m(3, 5);
        m.randomizeUniform();
        norms[i] = m.norm();
    }
    NVMatrix::setDeviceID(0);
    convnet_platform::configure({});
    EXPECT(norms[0] == norms[2] && norms[0] != norms[1]);
});
