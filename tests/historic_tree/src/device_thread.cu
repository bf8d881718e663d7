// The thread of a logical device (spec 6.5 to 6.7).
#include <time.h>
#include <device_thread.cuh>
#include <kernels.cuh>
#include <layer.cuh>

DeviceThread::DeviceThread(int deviceID, Ints& allDevices, Ints& cpus, Queue<int>& done, ThreadSynchronizer& ready)
    : Thread(true, cpus), _allDevices(allDevices), _deviceID(deviceID), _done(done), _ready(ready) {
}

void DeviceThread::own(Layer& layer) {
    _layers[layer.name()] = &layer;
}

void DeviceThread::prepare() {
    NVMatrix::setDeviceID(_deviceID);
    preferCaches();
    for (int i = 0; i < _allDevices.size(); i++) {
        int other = _allDevices[i];
        if (other != _deviceID && NVMatrix::canAccessDevice(_deviceID, other)) {
            checkCudaErrors(cudaDeviceEnablePeerAccess(other, 0));
        }
    }
    NVMatrix::initCublas();
    NVMatrix::initRandom();
    srand(time(0));
    for (map<string, Layer*>::iterator it = _layers.begin(); it != _layers.end(); ++it) {
        it->second->attach(this);
    }
}

void DeviceThread::update(float progress, float gradFactor) {
    vector<Weights*> all;
    for (map<string, Layer*>::iterator it = _layers.begin(); it != _layers.end(); ++it) {
        vector<Weights*> some = it->second->weights();
        all.insert(all.end(), some.begin(), some.end());
    }
    for (int i = 0; i < all.size(); i++) {
        all[i]->step(progress, gradFactor);
    }
    for (int i = 0; i < all.size(); i++) {
        all[i]->apply();
    }
}

void DeviceThread::handle(Message* message) {
    switch (message->kind) {
    case LOAD: {
        InputMessage* load = (InputMessage*)message;
        load->link.to.load(load->link, *load->host, load->pass);
        break;
    }
    case FORWARD: {
        InputMessage* input = (InputMessage*)message;
        input->link.to.arrive(input->link, input->view, input->pass);
        break;
    }
    case BACKWARD: {
        GradMessage* all = (GradMessage*)message;
        all->layer->bprop(all->pass);
        break;
    }
    case GRADIENT: {
        GradMessage* share = (GradMessage*)message;
        share->link->from.takeGrad(*share->link, share->pass);
        break;
    }
    case UPDATE: {
        UpdateMessage* step = (UpdateMessage*)message;
        update(step->progress, step->gradFactor);
        break;
    }
    case UPLOAD:
    case DOWNLOAD:
    case RESET:
        forAllWeights(message->kind);
        break;
    case SYNC:
        cudaDeviceSynchronize();
        report();
        break;
    }
    delete message;
}

void DeviceThread::forAllWeights(MESSAGE_KIND kind) {
    for (map<string, Layer*>::iterator it = _layers.begin(); it != _layers.end(); ++it) {
        vector<Weights*> weights = it->second->weights();
        for (int i = 0; i < weights.size(); i++) {
            if (kind == UPLOAD) {
                weights[i]->upload();
            } else if (kind == DOWNLOAD) {
                weights[i]->download();
            } else {
                weights[i]->forgetGrad();
            }
        }
    }
}

void* DeviceThread::run() {
    prepare();
    _ready.sync();
    while (true) {
        handle(_inbox.dequeue());
    }
    return NULL;
}
