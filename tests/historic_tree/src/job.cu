// Jobs for the manager thread (spec 6.5, 3.9, 3.10).
#include <stdio.h>
#include <job.cuh>

#define GC_LIMIT 0.02
#define GC_ROWS 4
#define GC_COLS 4

DataWorker::DataWorker(Data& data) : _data(&data) {
}

static void addCosts(Net& net, map<string, Sums>& costs) {
    for (int i = 0; i < net.costs().size(); i++) {
        Cost& cost = *net.costs()[i];
        Sums& sums = costs[cost.name()];
        sums.resize(cost.sums().size(), 0);
        for (int j = 0; j < sums.size(); j++) {
            sums[j] += cost.sums()[j];
        }
    }
}

/* ---- training and testing ---- */

BatchWorker::BatchWorker(Data& data, float progress, bool test)
    : DataWorker(data), _progress(progress), _test(test) {
}

void BatchWorker::run(Net& net) {
    map<string, Sums>* costs = new map<string, Sums>();
    long int cases = _data->getNumCases();
    int pass = _test ? PASS_TEST : PASS_TRAIN;
    for (int m = 0; m < net.minibatches(cases); m++) {
        Data& minibatch = net.minibatch(*_data, (long int)m * net.minibatchSize(), cases);
        net.forward(minibatch, pass);
        if (!_test) {
            net.backward(pass);
            net.update(minibatch.getNumCases(), _progress);
        }
        addCosts(net, *costs);
        delete &minibatch;
    }
    net.results().enqueue(new Result(costs, cases));
}

/* ---- multiview testing ---- */

ViewWorker::ViewWorker(Data& data, int numViews, Matrix* averages, string logreg)
    : DataWorker(data), _numViews(numViews), _averages(averages), _logreg(logreg) {
    assert(numViews > 1 && data.getNumCases() % numViews == 0);
}

void ViewWorker::run(Net& net) {
    map<string, Sums>* costs = new map<string, Sums>();
    long int cases = _data->getNumCases() / _numViews;
    for (int m = 0; m < net.minibatches(cases); m++) {
        long int from = (long int)m * net.minibatchSize(), to = min(from + net.minibatchSize(), cases);
        Matrix* slice = _averages == NULL ? NULL : &_averages->sliceRows(from, to);
        for (int i = 0; i < net.costs().size(); i++) {
            Cost& cost = *net.costs()[i];
            if (cost.type() == "cost.logreg") {
                ((LogregCost&)cost).expectViews(_numViews, cost.name() == _logreg ? slice : NULL);
            }
        }
        for (int view = 0; view < _numViews; view++) {
            int pass = view == 0 ? PASS_VIEW_FIRST : view < _numViews - 1 ? PASS_VIEW_NEXT : PASS_VIEW_LAST;
            Data& minibatch = _data->part(view * cases + from, view * cases + to);
            net.forward(minibatch, pass);
            delete &minibatch;
        }
        addCosts(net, *costs);
        delete slice;
    }
    net.results().enqueue(new Result(costs, cases));
}

/* ---- features ---- */

FeatureWorker::FeatureWorker(Data& data, Matrices* features, Strings* names)
    : DataWorker(data), _features(features), _names(names) {
    assert(features->size() == names->size());
}

// The slices are views of the caller's arrays.
void FeatureWorker::run(Net& net) {
    map<string, Sums>* costs = new map<string, Sums>();
    long int cases = _data->getNumCases();
    for (int m = 0; m < net.minibatches(cases); m++) {
        long int from = (long int)m * net.minibatchSize(), to = min(from + net.minibatchSize(), cases);
        Data& minibatch = net.minibatch(*_data, from, cases);
        net.forward(minibatch, PASS_FEATURES);
        addCosts(net, *costs);
        for (int i = 0; i < _names->size(); i++) {
            Layer& layer = net[_names->at(i)];
            cudaSetDevice(layer.thread()->deviceID());
            NVMatrix& acts = layer.acts().getClone();
            NVMatrix rows;
            acts.transpose(false);
            acts.transpose(rows);
            Matrix& target = _features->at(i)->sliceRows(from, to);
            assert(target.isView());
            rows.copyToHost(target);
            delete &target;
            delete &acts;
        }
        delete &minibatch;
    }
    net.results().enqueue(new Result(costs, cases));
}

/* ---- gradient check ---- */

GradCheckWorker::GradCheckWorker(Data& data) : DataWorker(data), _tests(0), _failures(0) {
}

// With the shares of those that use the same matrix.
void GradCheckWorker::copyGrad(Net& net, Weights& weights, Matrix& grad) {
    weights.grad().copyToHost(grad, true);
    for (map<string, Layer*>::iterator it = net.layers().begin(); it != net.layers().end(); ++it) {
        vector<Weights*> others = it->second->weights();
        for (int i = 0; i < others.size(); i++) {
            if (others[i]->addsTo(weights)) {
                Matrix share;
                others[i]->grad().copyToHost(share, true);
                grad.add(share);
            }
        }
    }
}

// Forward differences, one element at a time, against the gradient of the pass before.
void GradCheckWorker::checkMatrix(Net& net, Data& minibatch, WeightLayer& layer, Weights& weights, int index,
                                  double base) {
    int device = layer.thread()->deviceID();
    float step = layer.checkStep(&weights);
    Matrix numeric(weights.W().getNumRows(), weights.W().getNumCols()), analytic, probe;
    NVMatrix::setDeviceID(device);
    weights.W().copyToHost(probe, true);
    copyGrad(net, weights, analytic);
    analytic.scale(-1.0f / minibatch.getNumCases());

    for (long int i = 0; i < numeric.getNumRows(); i++) {
        for (long int j = 0; j < numeric.getNumCols(); j++) {
            float original = probe(i, j);
            probe(i, j) = original + step;
            weights.W().copyFromHost(probe);
            cudaDeviceSynchronize();
            net.forward(minibatch, PASS_GC);
            numeric(i, j) = (net.objective() - base) / (minibatch.getNumCases() * step);
            probe(i, j) = original;
        }
    }
    weights.W().copyFromHost(probe);
    cudaDeviceSynchronize();

    Matrix difference;
    analytic.subtract(numeric, difference);
    float error = difference.norm() / analytic.norm();
    if (isnan(error)) {
        printf("%s[%d]: not a number\n", layer.name().c_str(), index);
        exit(1);
    }
    bool failed = error >= GC_LIMIT;
    printf("%s[%d]: %s\n", layer.name().c_str(), index, failed ? "FAIL" : "PASS");
    printf("analytic:\n");
    analytic.print(0, GC_ROWS, 0, GC_COLS);
    printf("numeric:\n");
    numeric.print(0, GC_ROWS, 0, GC_COLS);
    printf("norms %e, %e; relative error %e\n", analytic.norm(), numeric.norm(), error);
    _tests++;
    _failures += failed;
}

// Ends the process, in success also where tests have failed.
void GradCheckWorker::run(Net& net) {
    Data& minibatch = net.minibatch(*_data, 0, _data->getNumCases());
    net.tellAll(RESET);
    net.forward(minibatch, PASS_GC);
    double base = net.objective();
    net.backward(PASS_GC);
    for (map<string, Layer*>::iterator it = net.layers().begin(); it != net.layers().end(); ++it) {
        vector<Weights*> weights = it->second->weights();
        for (int i = 0; i < weights.size(); i++) {
            if (weights[i]->isOwner() && weights[i]->learns()) {
                checkMatrix(net, minibatch, (WeightLayer&)*it->second, *weights[i], i, base);
            }
        }
    }
    if (_failures == 0) {
        printf("ALL %d TESTS PASSED\n", _tests);
    } else {
        printf("%d/%d TESTS FAILED\n", _failures, _tests);
    }
    exit(0);
}

/* ---- weights for the host ---- */

void SyncWorker::run(Net& net) {
    net.tellAll(DOWNLOAD);
    net.results().enqueue(new Result(NULL, 0));
}
