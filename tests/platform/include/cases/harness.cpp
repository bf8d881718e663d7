// The C interface to the cases (harness.h).
#include "harness.h"

#include <map>
#include <stdexcept>
#include <string>

namespace {

std::map<std::string, void (*)(Call&)>& cases() {
    static std::map<std::string, void (*)(Call&)> all;
    return all;
}

std::vector<Reported> reports;
std::string error;

[[noreturn]] void throw_line(const char* line) { throw std::runtime_error(line); }

}  // namespace

Registered::Registered(const char* name, void (*body)(Call&)) {
    if (!cases().emplace(name, body).second) throw std::logic_error(std::string("two cases ") + name);
}

Call::Call(int matrices, const Described* described, int numbers, const double* values)
    : described_(described, described + matrices), numbers_(values, values + numbers) {
    for (const Described& d : described_) {
        const bool trans = d.trans;
        const int margin = d.view ? 1 : 0;
        auto whole = std::make_unique<NVMatrix>(d.rows + 2 * margin, d.cols + 3 * margin, trans);
        whole->apply(NVMatrixOps::AddScalar(NAN));
        NVMatrix* part = &whole->slice(margin, margin + d.rows, 2 * margin, 2 * margin + d.cols);
        part->copyFromHost(Matrix(const_cast<float*>(d.values), d.rows, d.cols));
        if (!d.view) {
            delete part;
            part = whole.release();
        }
        wholes_.push_back(std::move(whole));
        device_.emplace_back(part);
        host_.push_back(nullptr);
    }
}

Matrix& Call::host(int i) {
    if (!host_.at(i)) {
        const Described& d = described_[i];
        host_[i] = std::make_unique<Matrix>(d.rows, d.cols);
        host_[i]->setTrans(d.trans);
        for (long row = 0; row < d.rows; row++)
            for (long col = 0; col < d.cols; col++) (*host_[i])(row, col) = d.values[row * d.cols + col];
    }
    return *host_[i];
}

void Call::report(const NVMatrix& matrix) {
    Matrix host(matrix.getNumRows(), matrix.getNumCols());
    matrix.copyToHost(host);
    report(host);
    reports.back().trans = matrix.isTrans();
}

void Call::report(const Matrix& matrix) {
    Reported reported = {
        static_cast<int>(matrix.getNumRows()), static_cast<int>(matrix.getNumCols()), matrix.isTrans(), {}};
    for (long row = 0; row < reported.rows; row++)
        for (long col = 0; col < reported.cols; col++) reported.values.push_back(matrix(row, col));
    reports.push_back(std::move(reported));
}

void Call::report(double number) { reports.push_back({1, 1, 0, {static_cast<float>(number)}}); }

extern "C" {

const char* case_name(int index) {
    for (const auto& [name, body] : cases())
        if (index-- == 0) return name.c_str();
    return nullptr;
}

// How many matrices the case reports; -1: it failed, see failure().
int run_case(const char* name, int matrices, const Described* described, int numbers, const double* values) {
    // Two, for what has to do with more than one.
    convnet_emulation::set_device_count(2);
    const convnet_platform::FailureHook before = convnet_platform::set_failure_hook(throw_line);
    int count = -1;
    try {
        Call call(matrices, described, numbers, values);
        cases().at(name)(call);
        reports = std::move(call.reports);
        count = static_cast<int>(reports.size());
    } catch (const std::exception& exception) {
        error = exception.what();
    }
    convnet_platform::set_failure_hook(before);
    return count;
}

const char* failure() { return error.c_str(); }

void describe_report(int index, int* dims) {
    const Reported& r = reports.at(index);
    dims[0] = r.rows;
    dims[1] = r.cols;
    dims[2] = r.trans;
}

const float* report_values(int index) { return reports.at(index).values.data(); }

}  // extern "C"
