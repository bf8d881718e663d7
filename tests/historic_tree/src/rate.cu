// Learning rates over the progress of a run (spec 3.8).
#include <rate.cuh>

Rate::Rate(float base, float noise) : _noise(noise), _base(base) {
}

Rate::~Rate() {
}

double Rate::at(double progress) {
    return _base;
}

float Rate::now(float progress) {
    float rate = at(progress);
    if (_noise > 0) {
        float radius = sqrtf(-2 * LOG(1 - randf));
        rate *= 1 + fabs(radius * cosf(2 * 3.14159265f * randf)) * _noise;
    }
    return rate;
}

LinearRate::LinearRate(float base, float factor, float noise) : Rate(base, noise), _factor(factor) {
}

double LinearRate::at(double progress) {
    return _base * (1 - progress) + (_base / _factor) * progress;
}

ExpRate::ExpRate(float base, float factor, float noise) : LinearRate(base, factor, noise) {
}

double ExpRate::at(double progress) {
    if (_base == 0 || _base == 1) {
        return _base;
    }
    double bend = log((double)_base / _factor) / log((double)_base) - 1;
    return pow((double)_base, 1 + progress * bend);
}

Rate* Rate::make(PyObject* schedule, float base) {
    string type = stringField(schedule, "type");
    if (type == "default") {
        return new Rate(base, 0);
    }
    PyObject* params = PyDict_GetItemString(schedule, "params");
    float factor = floatField(params, "tgtFactor"), noise = floatField(params, "noiseStdev");
    if (type == "linear") {
        return new LinearRate(base, factor, noise);
    }
    if (type == "exp") {
        return new ExpRate(base, factor, noise);
    }
    throw string("No such schedule: ") + type;
}
