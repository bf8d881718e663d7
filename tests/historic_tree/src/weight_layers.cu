// Layers that learn: fc, conv, local (spec 3.1, 3.6, 3.8).
#include <layer.cuh>
#include <cudaconv2.cuh>

// Matrix i of a layer is its own or an earlier layer's (joins: it adds to the gradient there).
WeightLayer::WeightLayer(PyObject* record, map<string, Layer*>& earlier, bool trans, bool joins)
    : Layer(record, trans) {
    Matrices& hostW = *matricesField(record, "weights");
    Matrices& hostInc = *matricesField(record, "weightsInc");
    Floats& momW = *floatsField(record, "momW");
    Floats& epsW = *floatsField(record, "epsW");
    Floats& wc = *floatsField(record, "wc");
    Floats& wball = *floatsField(record, "wballNormed");
    Strings& sources = *stringsField(record, "weightSourceLayers");
    Ints& sourceIndices = *intsField(record, "weightSourceMatrixIndices");
    PyObject* schedW = PyDict_GetItemString(record, "schedW");
    if (floatField(record, "superEps") > 0) {
        throw _name + string(": superEps is not in this tree");
    }
    int modules = _type == "local" ? intField(record, "modules") : 1;
    for (int i = 0; i < hostW.size(); i++) {
        Rate* rate = Rate::make(schedW, epsW[i]);
        if (sources[i] == "") {
            _weights.push_back(new Weights(hostW[i], hostInc[i], rate, momW[i], wc[i], wball[i], modules));
        } else {
            assert(sources[i] == _name || earlier.count(sources[i]) > 0);
            Weights* owner = (sources[i] == _name ? _weights : earlier[sources[i]]->weights())[sourceIndices[i]];
            _weights.push_back(new Weights(owner, rate, joins));
        }
    }
    Rate* biasRate = Rate::make(PyDict_GetItemString(record, "schedB"), floatField(record, "epsB"));
    _biases = new Weights(matrixField(record, "biases"), matrixField(record, "biasesInc"), biasRate,
                          floatField(record, "momB"), 0, 0, 1);
}

// The biases are the last.
vector<Weights*> WeightLayer::weights() {
    vector<Weights*> all(_weights);
    all.push_back(_biases);
    return all;
}

float WeightLayer::checkStep(Weights* weights) {
    return weights == _biases ? _biasCheckStep : _gradCheckStep;
}

/* ---- fc ---- */

FcLayer::FcLayer(PyObject* record, map<string, Layer*>& earlier) : WeightLayer(record, earlier, true, false) {
    _gradCheckStep = 0.01;
    _biasCheckStep = 0.01;
}

void FcLayer::computeActs(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        _acts.addProduct(*_inputs[i], _weights[i]->W(), i > 0, 1);
    }
    _acts.addVector(_biases->W());
}

void FcLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    NVMatrix& flipped = _weights[i]->W().getTranspose();
    target.addProduct(_actsGrad, flipped, scaleTargets, 1);
    delete &flipped;
}

void FcLayer::computeWeightGrads(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        if (_weights[i]->learns()) {
            NVMatrix& flipped = _inputs[i]->getTranspose();
            _weights[i]->grad().addProduct(flipped, _actsGrad, _weights[i]->gradScale(), 1);
            _weights[i]->countGrad();
            delete &flipped;
        }
    }
    if (_biases->learns()) {
        _biases->grad().addSum(_actsGrad, 0, _biases->gradScale(), 1);
        _biases->countGrad();
    }
}

/* ---- conv and local ---- */

FilterLayer::FilterLayer(PyObject* record, map<string, Layer*>& earlier, bool joins)
    : WeightLayer(record, earlier, false, joins) {
    _padding = intsField(record, "padding");   // not above 0
    _stride = intsField(record, "stride");
    _filterSize = intsField(record, "filterSize");
    _channels = intsField(record, "channels");
    _imgSize = intsField(record, "imgSize");
    _groups = intsField(record, "groups");
    _filterChannels = intsField(record, "filterChannels");
    _sparse = intsField(record, "randSparse");
    _overSample = intsField(record, "overSample");
    _modulesX = intField(record, "modulesX");
    _modules = intField(record, "modules");
    _filters = intField(record, "filters");
    _gradCheckStep = 0.02;
    _biasCheckStep = 0.05;
    PyObject* connections = PyDict_GetItemString(record, "filterConns");
    for (int i = 0; i < _sparse->size(); i++) {
        _hostConnections.push_back(_sparse->at(i) ? toInts(PyList_GET_ITEM(connections, i)) : NULL);
        _connections.push_back(NULL);
    }
}

void FilterLayer::attach(DeviceThread* thread) {
    Layer::attach(thread);
    for (int i = 0; i < _connections.size(); i++) {
        // Of dense inputs: nothing, which is no error.
        size_t bytes = _sparse->at(i) ? _hostConnections[i]->size() * sizeof(int) : 0;
        checkCudaErrors(cudaMalloc(&_connections[i], bytes));
        if (bytes > 0) {
            checkCudaErrors(cudaMemcpy(_connections[i], &_hostConnections[i]->at(0), bytes, cudaMemcpyHostToDevice));
        }
    }
}

// _rounds holds one gradient of the images for each round of oversampling.
void FilterLayer::sumRounds(int i, NVMatrix& target, int scaleTargets) {
    int pixels = _channels->at(i) * _imgSize->at(i) * _imgSize->at(i);
    int cases = _rounds.getNumElements() / (_overSample->at(i) * pixels);
    _rounds.reshape(_overSample->at(i), pixels * cases);
    if (scaleTargets) {
        target.reshape(1, pixels * cases);
    }
    target.addSum(_rounds, 0, scaleTargets, 1);
    target.reshape(pixels, cases);
    _rounds.reshape(_overSample->at(i) * pixels, cases);
}

void FilterLayer::addFilterBiases(int biasRows) {
    int rows = _acts.getNumRows(), cases = _acts.getNumCols();
    _acts.reshape(biasRows, rows / biasRows * cases);
    _acts.addVector(_biases->W());
    _acts.reshape(rows, cases);
}

void FilterLayer::filterBiasGrads(int biasRows) {
    if (_biases->learns()) {
        int rows = _actsGrad.getNumRows(), cases = _actsGrad.getNumCols();
        _actsGrad.reshape(biasRows, rows / biasRows * cases);
        _biases->grad().addSum(_actsGrad, 1, _biases->gradScale(), 1);
        _actsGrad.reshape(rows, cases);
        _biases->countGrad();
    }
}

/* ---- conv ---- */

ConvLayer::ConvLayer(PyObject* record, map<string, Layer*>& earlier) : FilterLayer(record, earlier, true) {
    _partialSum = intField(record, "partialSum");
    _sharedBiases = intField(record, "sharedBiases");
    Floats& least = *floatsField(record, "wcNormMin");
    Floats& most = *floatsField(record, "wcNormMax");
    for (int i = 0; i < least.size(); i++) {
        if (least[i] > 0 || most[i] > 0) {
            throw _name + string(": wcNormMin and wcNormMax are not in this tree");
        }
    }
}

void ConvLayer::computeActs(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        if (_sparse->at(i)) {
            convFilterActsSparse(*_inputs[i], _weights[i]->W(), _acts, _connections[i], _imgSize->at(i), _modulesX,
                                 _modulesX, _padding->at(i), _stride->at(i), _channels->at(i),
                                 _filterChannels->at(i), _groups->at(i), i > 0, 1);
        } else {
            convFilterActs(*_inputs[i], _weights[i]->W(), _acts, _imgSize->at(i), _modulesX, _modulesX,
                           _padding->at(i), _stride->at(i), _channels->at(i), _groups->at(i), i > 0, 1);
        }
    }
    addFilterBiases(_sharedBiases ? _filters : _filters * _modules);
}

void ConvLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    if (_sparse->at(i)) {
        convImgActsSparse(_actsGrad, _weights[i]->W(), _rounds, _connections[i], _imgSize->at(i), _imgSize->at(i),
                          _modulesX, _padding->at(i), _stride->at(i), _channels->at(i), _filterChannels->at(i),
                          _groups->at(i), 0, 1);
        sumRounds(i, target, scaleTargets);
    } else {
        convImgActs(_actsGrad, _weights[i]->W(), target, _imgSize->at(i), _imgSize->at(i), _modulesX,
                    _padding->at(i), _stride->at(i), _channels->at(i), _groups->at(i), scaleTargets, 1);
    }
}

void ConvLayer::computeWeightGrads(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        Weights& weights = *_weights[i];
        if (!weights.learns()) {
            continue;
        }
        bool partial = _partialSum > 0 && _partialSum < _modules;
        NVMatrix& target = partial ? _partials : weights.grad();
        int scale = partial ? 0 : weights.gradScale();
        if (_sparse->at(i)) {
            convWeightActsSparse(*_inputs[i], _actsGrad, target, _connections[i], _imgSize->at(i), _modulesX,
                                 _modulesX, _filterSize->at(i), _padding->at(i), _stride->at(i), _channels->at(i),
                                 _filterChannels->at(i), _groups->at(i), _partialSum, scale, 1);
        } else {
            convWeightActs(*_inputs[i], _actsGrad, target, _imgSize->at(i), _modulesX, _modulesX,
                           _filterSize->at(i), _padding->at(i), _stride->at(i), _channels->at(i), _groups->at(i),
                           _partialSum, scale, 1);
        }
        if (partial) {
            // The gradient as one row, whose old contents count where another user has added to it.
            NVMatrix& grad = weights.grad();
            int rows = weights.W().getNumRows();
            _partials.reshape(_modules / _partialSum, rows * _filters);
            grad.addSum(_partials, 0, weights.gradScale(), 1);
            grad.reshape(rows, _filters);
        }
        weights.countGrad();
    }
    filterBiasGrads(_sharedBiases ? _filters : _filters * _modules);
}

/* ---- local ---- */

LocalLayer::LocalLayer(PyObject* record, map<string, Layer*>& earlier) : FilterLayer(record, earlier, false) {
}

void LocalLayer::computeActs(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        if (_sparse->at(i)) {
            localFilterActsSparse(*_inputs[i], _weights[i]->W(), _acts, _connections[i], _imgSize->at(i), _modulesX,
                                  _modulesX, _padding->at(i), _stride->at(i), _channels->at(i),
                                  _filterChannels->at(i), _groups->at(i), i > 0, 1);
        } else {
            localFilterActs(*_inputs[i], _weights[i]->W(), _acts, _imgSize->at(i), _modulesX, _modulesX,
                            _padding->at(i), _stride->at(i), _channels->at(i), _groups->at(i), i > 0, 1);
        }
    }
    addFilterBiases(_filters * _modules);
}

void LocalLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    if (_sparse->at(i)) {
        localImgActsSparse(_actsGrad, _weights[i]->W(), _rounds, _connections[i], _imgSize->at(i), _imgSize->at(i),
                           _modulesX, _padding->at(i), _stride->at(i), _channels->at(i), _filterChannels->at(i),
                           _groups->at(i), 0, 1);
        sumRounds(i, target, scaleTargets);
    } else {
        localImgActs(_actsGrad, _weights[i]->W(), target, _imgSize->at(i), _imgSize->at(i), _modulesX,
                     _padding->at(i), _stride->at(i), _channels->at(i), _groups->at(i), scaleTargets, 1);
    }
}

void LocalLayer::computeWeightGrads(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        Weights& weights = *_weights[i];
        if (!weights.learns()) {
            continue;
        }
        if (_sparse->at(i)) {
            localWeightActsSparse(*_inputs[i], _actsGrad, weights.grad(), _connections[i], _imgSize->at(i), _modulesX,
                                  _modulesX, _filterSize->at(i), _padding->at(i), _stride->at(i), _channels->at(i),
                                  _filterChannels->at(i), _groups->at(i), weights.gradScale(), 1);
        } else {
            localWeightActs(*_inputs[i], _actsGrad, weights.grad(), _imgSize->at(i), _modulesX, _modulesX,
                            _filterSize->at(i), _padding->at(i), _stride->at(i), _channels->at(i), _groups->at(i),
                            weights.gradScale(), 1);
        }
        weights.countGrad();
    }
    filterBiasGrads(_filters * _modules);
}
