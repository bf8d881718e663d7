// What all layers share: links, the order of forward and backward, copies between devices (spec 3.10, 3.11).
#include <layer.cuh>
#include <cost.cuh>
#include <cudaconv2.cuh>

Layer::Layer(PyObject* record, bool trans)
    : _trans(trans), _arrivedInputs(0), _arrivedGrads(0), _thread(NULL), _givesGrad(false) {
    _name = stringField(record, "name");
    _type = stringField(record, "type");
    _gpu = intField(record, "gpu");
    _outputs = intField(record, "outputs");
    _wantsGrad = intField(record, "gradConsumer");
    _conserves = intField(record, "conserveMem");
    _halfForward = stringField(PyDict_GetItemString(record, "quantF"), "type") == "half";
    _halfBackward = stringField(PyDict_GetItemString(record, "quantB"), "type") == "half";
}

Layer::~Layer() {
}

void Layer::link(Layer& from) {
    Link* link = new Link(from, *this, _prev.size());
    _prev.push_back(link);
    from._next.push_back(link);
    _inputs.push_back(isFarFrom(from) ? &link->arrived : &from._acts);
}

// A layer gives gradients down where one of its users does.
void Layer::settle() {
    for (int i = 0; i < _next.size(); i++) {
        _givesGrad |= _next[i]->to._givesGrad;
    }
    _givesGrad = _givesGrad && _wantsGrad;
}

void Layer::attach(DeviceThread* thread) {
    _thread = thread;
}

vector<Weights*> Layer::weights() {
    return vector<Weights*>();
}

void Layer::computeWeightGrads(int pass) {
}

void Layer::load(Link& link, Matrix& host, int pass) {
    link.arrived.copyFromHost(host, true);
    if (link.arrived.isTrans()) {
        // The cases must lie next to each other.
        NVMatrix& flipped = link.arrived.flipTrans();
        link.arrived.setTrans(false);
        flipped.copy(link.arrived);
        delete &flipped;
    }
    arrive(link, NULL, pass);
}

// view: the outputs as they are on another device that this one can read. A target must have the storage order that is
// coming before it is copied to: one of the same size would keep its own.
void Layer::arrive(Link& link, NVMatrix* view, int pass) {
    if (view != NULL) {
        assert(view->isView());
        link.arrived.transpose(view->isTrans());
        view->copy(link.arrived);
        delete view;
    } else if (link.elements > 0) {
        if (link.from._halfForward) {
            convDequantizeHalf(link.staging, link.arrived, link.elements, 0, 1);
            link.arrived.setTrans(false);
            link.arrived.reshape(link.from._outputs, link.elements / link.from._outputs);
        } else {
            link.arrived.transpose(link.staging.isTrans());
            link.staging.copy(link.arrived);
        }
    }
    if (++_arrivedInputs == _prev.size()) {
        _arrivedInputs = 0;
        fprop(pass);
    }
}

void Layer::fprop(int pass) {
    for (int i = 0; i < _inputs.size(); i++) {
        _inputs[i]->transpose(_trans);
    }
    _acts.transpose(_trans);
    computeActs(pass);
    for (int i = 0; i < _next.size(); i++) {
        sendForward(*_next[i], pass);
    }
}

// As halves, a matrix goes in raw order: cases fastest.
void Layer::quantizeInto(NVMatrix& source, Link& link) {
    NVMatrix halves;
    NVMatrix& rows = source.getClone();
    rows.transpose(false);
    convQuantizeHalf(rows, halves);
    halves.copy(link.staging);
    cudaDeviceSynchronize();
    delete &rows;
}

void Layer::sendForward(Link& link, int pass) {
    NVMatrix* view = NULL;
    if (isFarFrom(link.to)) {
        if (NVMatrix::canAccessDevice(link.to._thread->deviceID(), _thread->deviceID())) {
            view = &_acts.getClone();
            cudaDeviceSynchronize();
        } else {
            link.elements = _acts.getNumElements();
            if (_halfForward) {
                quantizeInto(_acts, link);
            } else {
                link.staging.transpose(_acts.isTrans());
                _acts.copy(link.staging);
                cudaDeviceSynchronize();
            }
        }
    }
    link.to._thread->send(new InputMessage(FORWARD, link, NULL, view, pass));
}

void Layer::countGrad(int pass) {
    int expected = 0;
    for (int i = 0; i < _next.size(); i++) {
        expected += _next[i]->to._givesGrad;
    }
    if (++_arrivedGrads == expected) {
        _thread->send(new GradMessage(*this, pass));
    }
}

// The share of a user on another device.
void Layer::takeGrad(Link& link, int pass) {
    bool first = _arrivedGrads == 0;
    if (NVMatrix::canAccessDevice(_thread->deviceID(), link.to._thread->deviceID())) {
        NVMatrix& view = link.grad.getClone();
        view.transpose(_trans);
        _actsGrad.transpose(_trans);
        _actsGrad.add(view, !first, 1);
        delete &view;
    } else if (_halfBackward) {
        _actsGrad.transpose(false);
        convDequantizeHalf(link.staging, _actsGrad, link.elements, !first, 1);
        _actsGrad.setTrans(false);
        _actsGrad.reshape(_outputs, link.elements / _outputs);
    } else {
        link.staging.transpose(_trans);
        _actsGrad.transpose(_trans);
        _actsGrad.add(link.staging, !first, 1);
    }
    countGrad(pass);
}

void Layer::giveGrad(Link& link, int pass) {
    Layer& below = link.from;
    if (!isFarFrom(below)) {
        below._actsGrad.transpose(_trans);
        computeInputGrad(link.slot, below._actsGrad, below._arrivedGrads > 0, pass);
        below.countGrad(pass);
        return;
    }
    link.grad.transpose(_trans);
    computeInputGrad(link.slot, link.grad, 0, pass);
    if (!NVMatrix::canAccessDevice(below._thread->deviceID(), _thread->deviceID())) {
        link.elements = link.grad.getNumElements();
        if (below._halfBackward) {
            quantizeInto(link.grad, link);
        } else {
            link.staging.transpose(_trans);
            link.grad.copy(link.staging);
        }
    }
    cudaDeviceSynchronize();
    below._thread->send(new GradMessage(link, pass));
}

void Layer::bprop(int pass) {
    _arrivedGrads = 0;
    for (int i = 0; i < _inputs.size(); i++) {
        _inputs[i]->transpose(_trans);
    }
    _acts.transpose(_trans);
    _actsGrad.transpose(_trans);
    // Before the gradients below: a norm's overwrites the outputs here, and inputs may be given away.
    computeWeightGrads(pass);
    for (int i = 0; i < _prev.size(); i++) {
        if (_prev[i]->from._givesGrad) {
            giveGrad(*_prev[i], pass);
        }
    }
    _thread->report();
}

void Layer::conserve() {
    if (_conserves) {
        _acts.truncate();
        _actsGrad.truncate();
        assert(_acts.isContiguous());
    }
}

Layer* Layer::make(PyObject* record, map<string, Layer*>& earlier) {
    string type = stringField(record, "type");
    if (type == "data") {
        return new DataLayer(record);
    } else if (type == "conv") {
        return new ConvLayer(record, earlier);
    } else if (type == "local") {
        return new LocalLayer(record, earlier);
    } else if (type == "fc") {
        return new FcLayer(record, earlier);
    } else if (type == "pool") {
        return new PoolLayer(record);
    } else if (type == "cmrnorm" || type == "rnorm" || type == "cnorm") {
        return new NormLayer(record);
    } else if (type == "neuron") {
        return new NeuronLayer(record);
    } else if (type == "softmax") {
        return new SoftmaxLayer(record);
    } else if (type == "eltsum") {
        return new EltSumLayer(record);
    } else if (type == "eltmax") {
        return new EltMaxLayer(record);
    } else if (type == "hs") {
        return new DropoutLayer(record);
    } else if (type == "nailbed") {
        return new NailbedLayer(record);
    } else if (type == "concat") {
        return new ConcatLayer(record);
    } else if (type == "blur") {
        return new BlurLayer(record);
    } else if (type == "href") {
        return new MirrorLayer(record);
    } else if (type == "rscale") {
        return new RandomScaleLayer(record);
    } else if (type == "resize" || type == "rgb2yuv" || type == "rgb2lab") {
        return new PrepareLayer(record);
    } else if (type == "cost.tica") {
        return new TicaCost(record);
    } else if (type == "cost.logreg") {
        return new LogregCost(record);
    }
    throw string("No such layer: ") + type;
}

/* ---- data ---- */

DataLayer::DataLayer(PyObject* record) : Layer(record, false) {
    _dataIdx = intField(record, "dataIdx");
}

void DataLayer::computeActs(int pass) {
    assert(false);
}

void DataLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    assert(false);
}

void DataLayer::feed(Data& data, int pass) {
    for (int i = 0; i < _next.size(); i++) {
        _next[i]->to.thread()->send(new InputMessage(LOAD, *_next[i], &data[_dataIdx], NULL, pass));
    }
}
