// Layers and the links between them (spec 3.1 to 3.6; dictionary keys: 6.5).
#ifndef LAYER_CUH
#define LAYER_CUH

#include <device_thread.cuh>
#include <neuron.cuh>
#include <param.cuh>

// From a layer to one of the inputs of another. Between devices it has buffers on the user's side.
class Link {
public:
    Layer& from;
    Layer& to;
    int slot;
    NVMatrix arrived, grad;
    HostNVMatrix staging;   // where devices cannot read each other's memory
    int elements;           // in staging

    Link(Layer& from, Layer& to, int slot) : from(from), to(to), slot(slot), elements(0) {
    }
};

// What each layer overrides.
#define COMPUTES                   \
protected:                         \
    void computeActs(int pass);    \
    void computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass);

class Layer {
private:
    int _arrivedInputs, _arrivedGrads;
    bool _conserves, _halfForward, _halfBackward;

    void sendForward(Link& link, int pass);
    void giveGrad(Link& link, int pass);
    void quantizeInto(NVMatrix& source, Link& link);

protected:
    string _name, _type;
    int _gpu, _outputs;
    bool _trans, _wantsGrad, _givesGrad;
    vector<Link*> _prev, _next;
    vector<NVMatrix*> _inputs;
    NVMatrix _acts, _actsGrad;
    DeviceThread* _thread;

    // Overwrites _acts.
    virtual void computeActs(int pass) = 0;
    // target = scaleTargets * target + the gradient at input i.
    virtual void computeInputGrad(int i, NVMatrix& target, int scaleTargets, int pass) = 0;
    virtual void computeWeightGrads(int pass);

public:
    Layer(PyObject* record, bool trans);
    virtual ~Layer();

    string& name() { return _name; }
    string& type() { return _type; }
    int gpu() { return _gpu; }
    bool givesGrad() { return _givesGrad; }
    NVMatrix& acts() { return _acts; }
    DeviceThread* thread() { return _thread; }
    bool isFarFrom(Layer& other) { return _gpu != other._gpu; }

    void link(Layer& from);
    // After linking, from the last layer to the first.
    virtual void settle();
    // On the device's thread, before anything runs.
    virtual void attach(DeviceThread* thread);
    virtual vector<Weights*> weights();

    // On the device's thread.
    void load(Link& link, Matrix& host, int pass);
    void arrive(Link& link, NVMatrix* view, int pass);
    void takeGrad(Link& link, int pass);
    void countGrad(int pass);
    virtual void fprop(int pass);
    void bprop(int pass);
    // By the manager, whatever device is current: memory of the outputs and gradients that need not be kept.
    void conserve();

    static Layer* make(PyObject* record, map<string, Layer*>& earlier);
};

// On no device: the manager sends its matrix to the users.
class DataLayer : public Layer {
private:
    int _dataIdx;
    COMPUTES

public:
    DataLayer(PyObject* record);
    void feed(Data& data, int pass);
};

class WeightLayer : public Layer {
protected:
    vector<Weights*> _weights;
    Weights* _biases;
    float _gradCheckStep, _biasCheckStep;

public:
    WeightLayer(PyObject* record, map<string, Layer*>& earlier, bool trans, bool joins);
    vector<Weights*> weights();
    float checkStep(Weights* weights);
};

class FcLayer : public WeightLayer {
    COMPUTES
    void computeWeightGrads(int pass);

public:
    FcLayer(PyObject* record, map<string, Layer*>& earlier);
};

// What conv and local layers have in common.
class FilterLayer : public WeightLayer {
protected:
    Ints *_padding, *_stride, *_filterSize, *_channels, *_imgSize, *_groups, *_filterChannels, *_sparse, *_overSample;
    vector<int*> _connections;   // on the device; NULL: dense
    vector<Ints*> _hostConnections;
    int _modulesX, _modules, _filters;
    NVMatrix _rounds;

    void sumRounds(int i, NVMatrix& target, int scaleTargets);
    void addFilterBiases(int biasRows);
    void filterBiasGrads(int biasRows);

public:
    FilterLayer(PyObject* record, map<string, Layer*>& earlier, bool joins);
    void attach(DeviceThread* thread);
};

class ConvLayer : public FilterLayer {
private:
    int _partialSum;
    bool _sharedBiases;
    NVMatrix _partials;
    COMPUTES
    void computeWeightGrads(int pass);

public:
    ConvLayer(PyObject* record, map<string, Layer*>& earlier);
};

class LocalLayer : public FilterLayer {
    COMPUTES
    void computeWeightGrads(int pass);

public:
    LocalLayer(PyObject* record, map<string, Layer*>& earlier);
};

class PoolLayer : public Layer {
private:
    int _channels, _sizeX, _start, _stride, _outputsX, _imgSize, _doMax;
    string _pool;
    COMPUTES

public:
    PoolLayer(PyObject* record);
};

// cmrnorm, rnorm, cnorm.
class NormLayer : public Layer {
private:
    int _channels, _size;
    float _scale, _pow, _minDiv;
    bool _blocked;
    NVMatrix _denoms, _meanDiffs;
    COMPUTES

public:
    NormLayer(PyObject* record);
};

class NeuronLayer : public Layer {
private:
    Neuron* _neuron;
    COMPUTES

public:
    NeuronLayer(PyObject* record);
};

class SoftmaxLayer : public Layer {
private:
    bool _fused;   // the cost above gives the gradient at the input
    COMPUTES

public:
    SoftmaxLayer(PyObject* record);
    void settle();
    bool isFused() { return _fused; }
};

class EltSumLayer : public Layer {
private:
    Floats* _coeffs;
    COMPUTES

public:
    EltSumLayer(PyObject* record);
};

class EltMaxLayer : public Layer {
    COMPUTES

public:
    EltMaxLayer(PyObject* record);
};

class ConcatLayer : public Layer {
private:
    Ints* _offsets;
    COMPUTES

public:
    ConcatLayer(PyObject* record);
};

class DropoutLayer : public Layer {
private:
    bool _enable;
    float _keep;
    NVMatrix _mask;
    COMPUTES

public:
    DropoutLayer(PyObject* record);
};

// Gathers through a table of pixels in pinned memory.
class NailbedLayer : public Layer {
private:
    int _channels, _start, _stride, _outputsX, _imgSize;
    ushort2* _table;
    COMPUTES

public:
    NailbedLayer(PyObject* record);
    ~NailbedLayer();
    void attach(DeviceThread* thread);
};

class BlurLayer : public Layer {
private:
    int _channels;
    Matrix* _hostFilter;
    NVMatrix _filter;
    COMPUTES

public:
    BlurLayer(PyObject* record);
    void attach(DeviceThread* thread);
};

class MirrorLayer : public Layer {
private:
    int _imgSize;
    NVMatrix _mirrored;
    COMPUTES

public:
    MirrorLayer(PyObject* record);
};

// In training of a random size and place, otherwise the middle. Below everything that learns.
class RandomScaleLayer : public Layer {
private:
    int _channels, _imgSize, _tgtSize, _least;
    NVMatrix _resized;
    COMPUTES

public:
    RandomScaleLayer(PyObject* record);
};

// resize, rgb2yuv, rgb2lab: below everything that learns.
class PrepareLayer : public Layer {
private:
    int _imgSize, _tgtSize, _center;
    float _scale;
    COMPUTES

public:
    PrepareLayer(PyObject* record);
};

#endif
