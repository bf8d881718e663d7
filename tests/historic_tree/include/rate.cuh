// Learning rates over the progress of a run (spec 3.8): default, linear, exp.
#ifndef RATE_CUH
#define RATE_CUH

#include <basics.cuh>

class Rate {
protected:
    float _base, _noise;
    virtual double at(double progress);

public:
    Rate(float base, float noise);
    virtual ~Rate();
    float base() { return _base; }
    // Draws noise at each use.
    float now(float progress);
    static Rate* make(PyObject* schedule, float base);
};

class LinearRate : public Rate {
protected:
    float _factor;
    double at(double progress);

public:
    LinearRate(float base, float factor, float noise);
};

class ExpRate : public LinearRate {
protected:
    double at(double progress);

public:
    ExpRate(float base, float factor, float noise);
};

#endif
