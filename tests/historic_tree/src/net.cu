// The net and its manager thread (spec 6.5).
#include <algorithm>
#include <stdlib.h>
#include <job.cuh>
#include <net.cuh>

Net::Net(PyObject* records, Ints& deviceIDs, vector<Ints*>& cpus, int minibatchSize, int updateFreq)
    : Thread(true), _deviceIDs(deviceIDs), _ready(deviceIDs.size() + 1), _minibatchSize(minibatchSize),
      _updateFreq(updateFreq), _minibatchesDone(0), _backwardSteps(0) {
    // Layers find their thread by the id of its device.
    assert(set<int>(deviceIDs.begin(), deviceIDs.end()).size() == deviceIDs.size());
    for (int i = 0; i < deviceIDs.size(); i++) {
        _devices.push_back(new DeviceThread(deviceIDs[i], _deviceIDs, *cpus[i], _done, _ready));
    }
    build(records);
}

// Layers are made and linked in the order of their names.
void Net::build(PyObject* records) {
    map<string, PyObject*> sorted;
    PyObject *key, *record;
    Py_ssize_t position = 0;
    while (PyDict_Next(records, &position, &key, &record)) {
        sorted[string(PyString_AS_STRING(key))] = record;
    }
    for (map<string, PyObject*>::iterator it = sorted.begin(); it != sorted.end(); ++it) {
        Layer* layer = Layer::make(it->second, _layers);
        Strings* inputs = stringsField(it->second, "inputs");
        for (int i = 0; inputs != NULL && i < inputs->size(); i++) {
            if (_layers.count(inputs->at(i)) == 0) {
                fprintf(stderr, "%s: there is no layer %s below\n", it->first.c_str(), inputs->at(i).c_str());
                exit(1);
            }
            layer->link(*_layers[inputs->at(i)]);
        }
        delete inputs;
        _layers[it->first] = layer;
        if (layer->type() == "data") {
            _dataLayers.push_back((DataLayer*)layer);
        } else {
            assert(layer->gpu() >= 0 && layer->gpu() < _devices.size());
            _devices[layer->gpu()]->own(*layer);
        }
        if (layer->type().find("cost.") == 0) {
            _costs.push_back((Cost*)layer);
        }
    }
    for (map<string, Layer*>::reverse_iterator it = _layers.rbegin(); it != _layers.rend(); ++it) {
        it->second->settle();
        _backwardSteps += it->second->givesGrad();
    }
}

// There must be such a layer.
Layer& Net::operator[](const string& name) {
    return *_layers[name];
}

Data& Net::minibatch(Data& data, long int from, long int upTo) {
    return data.part(from, min(from + _minibatchSize, upTo));
}

void Net::await(int reports) {
    for (int i = 0; i < reports; i++) {
        _done.dequeue();
    }
}

void Net::tellAll(MESSAGE_KIND kind) {
    for (int i = 0; i < _devices.size(); i++) {
        _devices[i]->send(new Message(kind));
    }
    if (kind != SYNC) {
        tellAll(SYNC);
    } else {
        await(_devices.size());
    }
}

void Net::forward(Data& minibatch, int pass) {
    for (int i = 0; i < _dataLayers.size(); i++) {
        _dataLayers[i]->feed(minibatch, pass);
    }
    await(_costs.size());
    tellAll(SYNC);
}

void Net::backward(int pass) {
    for (int i = 0; i < _costs.size(); i++) {
        if (_costs[i]->givesGrad()) {
            _costs[i]->thread()->send(new GradMessage(*_costs[i], pass));
        }
    }
    await(_backwardSteps);
    for (map<string, Layer*>::iterator it = _layers.begin(); it != _layers.end(); ++it) {
        it->second->conserve();
    }
    tellAll(SYNC);
}

void Net::update(long int cases, float progress) {
    if (++_minibatchesDone % _updateFreq == 0) {
        float gradFactor = 1.0f / (_updateFreq == 1 ? cases : (long int)_updateFreq * _minibatchSize);
        for (int i = 0; i < _devices.size(); i++) {
            _devices[i]->send(new UpdateMessage(progress, gradFactor));
        }
        tellAll(SYNC);
    }
}

double Net::objective() {
    double sum = 0;
    for (int i = 0; i < _costs.size(); i++) {
        sum += _costs[i]->coeff() * _costs[i]->sums()[0];
    }
    return sum;
}

void* Net::run() {
    for (int i = 0; i < _devices.size(); i++) {
        _devices[i]->start();
    }
    _ready.sync();
    tellAll(UPLOAD);
    while (true) {
        Worker* job = _jobs.dequeue();
        job->run(*this);
        delete job;   // but not its batch
    }
    return NULL;
}
