// Layers that see images: pool, the norms, nailbed, blur, href, resize, colour (spec 3.2 to 3.4).
#include <layer.cuh>
#include <cudaconv2.cuh>
#include <kernels.cuh>

/* ---- pool ---- */

PoolLayer::PoolLayer(PyObject* record) : Layer(record, false) {
    _channels = intField(record, "channels");
    _sizeX = intField(record, "sizeX");
    _start = intField(record, "start");
    _stride = intField(record, "stride");
    _outputsX = intField(record, "outputsX");
    _imgSize = intField(record, "imgSize");
    _pool = stringField(record, "pool");
    _doMax = _pool == "rand" && intField(record, "doMax");
}

void PoolLayer::computeActs(int pass) {
    NVMatrix& images = *_inputs[0];
    if (_pool == "max" || _doMax) {
        convLocalPool(images, _acts, _channels, _sizeX, _start, _stride, _outputsX, MaxPooler());
    } else if (_pool == "maxabs") {
        convLocalPool(images, _acts, _channels, _sizeX, _start, _stride, _outputsX, MaxAbsPooler());
    } else if (_pool == "avg") {
        convLocalPool(images, _acts, _channels, _sizeX, _start, _stride, _outputsX, AvgPooler());
    } else if (_pool == "rand") {
        convLocalRandomPool(images, _acts, _channels, _sizeX, _start, _stride, _outputsX);
    } else {
        throw string("No such pool: ") + _pool;
    }
}

void PoolLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    if (_pool == "avg") {
        convLocalAvgUndo(_actsGrad, target, _sizeX, _start, _stride, _outputsX, _imgSize, scaleTargets, 1);
    } else {
        convLocalMaxUndo(*_inputs[i], _actsGrad, _acts, target, _sizeX, _start, _stride, _outputsX, scaleTargets, 1);
    }
}

/* ---- cmrnorm, rnorm, cnorm ---- */

NormLayer::NormLayer(PyObject* record) : Layer(record, false) {
    _channels = intField(record, "channels");
    _size = intField(record, "size");
    _scale = floatField(record, "scale");
    _pow = floatField(record, "pow");
    if (_type == "cmrnorm") {
        _minDiv = floatField(record, "minDiv");
        _blocked = intField(record, "blocked");
    }
}

void NormLayer::computeActs(int pass) {
    if (_type == "cmrnorm") {
        convResponseNormCrossMap(*_inputs[0], _denoms, _acts, _channels, _size, _scale, _pow, _minDiv, _blocked);
    } else if (_type == "rnorm") {
        convResponseNorm(*_inputs[0], _denoms, _acts, _channels, _size, _scale, _pow);
    } else {
        convContrastNorm(*_inputs[0], _meanDiffs, _denoms, _acts, _channels, _size, _scale, _pow);
    }
}

void NormLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    if (_type == "cmrnorm") {
        convResponseNormCrossMapUndo(_actsGrad, _denoms, *_inputs[i], _acts, target, _channels, _size, _scale, _pow,
                                     _blocked, scaleTargets, 1);
    } else if (_type == "rnorm") {
        convResponseNormUndo(_actsGrad, _denoms, *_inputs[i], _acts, target, _channels, _size, _scale, _pow,
                             scaleTargets, 1);
    } else {
        convContrastNormUndo(_actsGrad, _denoms, _meanDiffs, _acts, target, _channels, _size, _scale, _pow,
                             scaleTargets, 1);
    }
}

/* ---- nailbed ---- */

NailbedLayer::NailbedLayer(PyObject* record) : Layer(record, false), _table(NULL) {
    _channels = intField(record, "channels");
    _start = intField(record, "start");
    _stride = intField(record, "stride");
    _outputsX = intField(record, "outputsX");
    _imgSize = intField(record, "imgSize");
}

NailbedLayer::~NailbedLayer() {
    cudaFreeHost(_table);
}

void NailbedLayer::attach(DeviceThread* thread) {
    Layer::attach(thread);
    checkCudaErrors(cudaHostAlloc(&_table, _outputsX * _outputsX * sizeof(ushort2), cudaHostAllocPortable));
    for (int i = 0; i < _outputsX * _outputsX; i++) {
        _table[i].x = _start + i % _outputsX * _stride;
        _table[i].y = _start + i / _outputsX * _stride;
    }
}

void NailbedLayer::computeActs(int pass) {
    launchGather(*_inputs[0], _acts, _table, _channels, _imgSize, _outputsX * _outputsX);
}

void NailbedLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    convBedOfNailsUndo(_actsGrad, target, _channels, _imgSize, _start, _stride, scaleTargets, 1);
}

/* ---- blur ---- */

BlurLayer::BlurLayer(PyObject* record) : Layer(record, false) {
    _channels = intField(record, "channels");
    _hostFilter = matrixField(record, "filter");
}

void BlurLayer::attach(DeviceThread* thread) {
    Layer::attach(thread);
    _filter.copyFromHost(*_hostFilter, true);
}

// The second direction in place.
void BlurLayer::computeActs(int pass) {
    convGaussianBlur(*_inputs[0], _filter, _acts, true, _channels, 0, 1);
    convGaussianBlur(_acts, _filter, _acts, false, _channels, 0, 1);
}

void BlurLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    convGaussianBlur(_actsGrad, _filter, _actsGrad, true, _channels, 0, 1);
    convGaussianBlur(_actsGrad, _filter, target, false, _channels, scaleTargets, 1);
}

/* ---- href ---- */

MirrorLayer::MirrorLayer(PyObject* record) : Layer(record, false) {
    _imgSize = intField(record, "imgSize");
}

void MirrorLayer::computeActs(int pass) {
    convReflectHorizontal(*_inputs[0], _acts, _imgSize);
}

void MirrorLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    convReflectHorizontal(_actsGrad, _mirrored, _imgSize);
    target.add(_mirrored, scaleTargets, 1);
}

/* ---- rscale ---- */

RandomScaleLayer::RandomScaleLayer(PyObject* record) : Layer(record, false) {
    _channels = intField(record, "channels");
    _imgSize = intField(record, "imgSize");
    _tgtSize = intField(record, "tgtSize");
    _least = _imgSize / floatField(record, "maxScale");
}

void RandomScaleLayer::computeActs(int pass) {
    NVMatrix* source = _inputs[0];
    int size = _imgSize, top = (_imgSize - _tgtSize) / 2, left = top;
    if (IS_MULTIVIEW(pass)) {
        source->copy(_acts);
        return;
    }
    if (pass == PASS_TRAIN) {
        // The s-th size with a probability that grows as (s + 1)^2.
        int sizes = _imgSize - _least + 1;
        double total = sizes * (sizes + 1.0) * (2 * sizes + 1) / 6, drawn = randf * total;
        int s = 0;
        for (double sum = 1; sum <= drawn && s < sizes - 1; sum += (s + 1.0) * (s + 1)) {
            s++;
        }
        size = _tgtSize + s;
        if (size != _imgSize) {
            float low = max(1.0f, _imgSize / (size + 1.0f)), high = _imgSize / (float)size;
            convResizeBilinear(*source, _resized, _imgSize, size, low + randf * (high - low));
            source = &_resized;
        }
        top = randf * (size - _tgtSize + 1);
        left = randf * (size - _tgtSize + 1);
    }
    convCrop(*source, _acts, size, _tgtSize, top, left);
}

void RandomScaleLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    assert(false);
}

/* ---- resize, rgb2yuv, rgb2lab ---- */

PrepareLayer::PrepareLayer(PyObject* record) : Layer(record, false) {
    if (_type == "resize") {
        _imgSize = intField(record, "imgSize");
        _tgtSize = intField(record, "tgtSize");
        _scale = floatField(record, "scale");
    } else if (_type == "rgb2lab") {
        _center = intField(record, "center");
    }
}

void PrepareLayer::computeActs(int pass) {
    if (_type == "resize") {
        convResizeBilinear(*_inputs[0], _acts, _imgSize, _tgtSize, _scale);
    } else if (_type == "rgb2yuv") {
        convRGBToYUV(*_inputs[0], _acts);
    } else {
        convRGBToLAB(*_inputs[0], _acts, _center);
    }
}

void PrepareLayer::computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) {
    assert(false);
}
