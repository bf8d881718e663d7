// The net: its layers, its device threads, and the manager thread that works off the jobs of the Python side
// (spec 6.5).
#ifndef NET_CUH
#define NET_CUH

#include <cost.cuh>

class Worker;

// What a job has to tell: sums of the costs, or (costs NULL) that it is done.
class Result {
public:
    map<string, Sums>* costs;
    int cases;
    Result(map<string, Sums>* costs, int cases) : costs(costs), cases(cases) {
    }
};

class Net : public Thread {
private:
    map<string, Layer*> _layers;
    vector<DataLayer*> _dataLayers;
    vector<Cost*> _costs;
    vector<DeviceThread*> _devices;
    Queue<int> _done;
    Queue<Worker*> _jobs;
    Queue<Result*> _results;
    ThreadSynchronizer _ready;
    Ints _deviceIDs;
    int _minibatchSize, _updateFreq, _minibatchesDone, _backwardSteps;

    void build(PyObject* records);
    void await(int reports);

protected:
    void* run();

public:
    Net(PyObject* records, Ints& deviceIDs, vector<Ints*>& cpus, int minibatchSize, int updateFreq);

    Queue<Worker*>& jobs() { return _jobs; }
    Queue<Result*>& results() { return _results; }
    map<string, Layer*>& layers() { return _layers; }
    Layer& operator[](const string& name);
    vector<Cost*>& costs() { return _costs; }
    int minibatchSize() { return _minibatchSize; }
    int minibatches(long int cases) { return DIVUP(cases, _minibatchSize); }
    Data& minibatch(Data& data, long int from, long int upTo);

    // The following on the manager's thread; each returns when all devices are done.
    void forward(Data& minibatch, int pass);
    void backward(int pass);
    void update(long int cases, float progress);
    void tellAll(MESSAGE_KIND kind);
    double objective();
};

#endif
