// Jobs for the manager thread: what the entry points of the Python side ask for (spec 6.5, 3.9, 3.10).
#ifndef JOB_CUH
#define JOB_CUH

#include <net.cuh>

// Deleted through this class, which has no virtual destructor.
class Worker {
public:
    virtual void run(Net& net) = 0;
};

class DataWorker : public Worker {
protected:
    Data* _data;

public:
    DataWorker(Data& data);
};

class BatchWorker : public DataWorker {
private:
    float _progress;
    bool _test;

public:
    BatchWorker(Data& data, float progress, bool test);
    void run(Net& net);
};

class ViewWorker : public DataWorker {
private:
    int _numViews;
    Matrix* _averages;
    string _logreg;

public:
    ViewWorker(Data& data, int numViews, Matrix* averages, string logreg);
    void run(Net& net);
};

class FeatureWorker : public DataWorker {
private:
    Matrices* _features;
    Strings* _names;

public:
    FeatureWorker(Data& data, Matrices* features, Strings* names);
    void run(Net& net);
};

class GradCheckWorker : public DataWorker {
private:
    int _tests, _failures;

    void copyGrad(Net& net, Weights& weights, Matrix& grad);
    void checkMatrix(Net& net, Data& minibatch, WeightLayer& layer, Weights& weights, int index, double base);

public:
    GradCheckWorker(Data& data);
    void run(Net& net);
};

class SyncWorker : public Worker {
public:
    void run(Net& net);
};

#endif
