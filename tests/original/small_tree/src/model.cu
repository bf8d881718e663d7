// A small engine in the manner of 2012, written for these tests: the eight entry points in Python 2's C interface, a
// thread that does the work, and every way to fail, on request (the first value of the batch says which).
//
// It computes next to nothing: each cost is [sum of the first matrix, number of layers], each training batch adds
// progress to all weights and increments, a feature is the layer's place in sorted order plus the case's number.
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <Python.h>
#include <arrayobject.h>

#include <map>
#include <string>
#include <vector>

#include <matrix.h>
#include <queue.h>
#include <thread.h>

using namespace std;

enum Request { CRASH = 1, EXIT = 2, ASSERT = 3, HANG = 4, THROW = 5, CHATTER = 6 };

typedef vector<Matrix*> Matrices;

struct Job {
    Matrices data, targets;
    vector<int> places;
    double progress;
    bool train, check, result;
};

struct Result {
    map<string, vector<double> > costs;
    int cases;
};

static map<string, Matrices> weights;
static map<string, float> trained;
static vector<string> costNames;
static Queue<Job*> jobs;
static Queue<Result*> results;

class Manager : public Thread {
    void fail(int request) {
        switch (request) {
            case CRASH: raise(SIGSEGV); break;
            case EXIT: printf("the net is bad\n"); exit(3);
            case ASSERT: assert(request != ASSERT); break;
            case HANG: jobs.dequeue(); break;
            case THROW: throw string("thrown");
            case CHATTER:
                for (int i = 0; i < 5000; i++) printf("line %d of what the sources say\n", i);
        }
    }

    void* run() {
        while (true) {
            Job& job = *jobs.dequeue();
            Matrix& first = *job.data[0];
            fail((int)first(0, 0));
            if (job.check) {
                printf("weights of %s\n%s\n", weights.begin()->first.c_str(),
                       first(0, 0) < 0 ? "1/3 TESTS FAILED" : "ALL 3 TESTS PASSED");
                exit(0);
            }
            for (size_t i = 0; i < job.targets.size(); i++)
                for (long c = 0; c < job.targets[i]->getNumRows(); c++)
                    for (long o = 0; o < job.targets[i]->getNumCols(); o++)
                        (*job.targets[i])(c, o) = job.places[i] + c;
            if (job.train)
                for (map<string, Matrices>::iterator it = weights.begin(); it != weights.end(); ++it)
                    trained[it->first] += (float)job.progress;
            if (!job.result) continue;
            Result* result = new Result();
            for (size_t i = 0; i < costNames.size(); i++) {
                result->costs[costNames[i]].push_back(first.sum());
                result->costs[costNames[i]].push_back((double)weights.size());
            }
            result->cases = (int)first.getNumCols();
            results.enqueue(result);
        }
        return NULL;
    }

public:
    Manager() : Thread(false) {}
};

static Matrices getMatrices(PyObject* list) {
    Matrices matrices;
    for (int i = 0; i < PyList_GET_SIZE(list); i++)
        matrices.push_back(new Matrix((PyArrayObject*)PyList_GET_ITEM(list, i)));
    return matrices;
}

static PyObject* initModel(PyObject* self, PyObject* args) {
    PyDictObject* layers;
    PyListObject *devices, *cpus;
    int minibatch, frequency;
    if (!PyArg_ParseTuple(args, "O!O!O!ii", &PyDict_Type, &layers, &PyList_Type, &devices, &PyList_Type, &cpus,
                          &minibatch, &frequency))
        return NULL;
    PyObject *name, *layer;
    Py_ssize_t position = 0;
    while (PyDict_Next((PyObject*)layers, &position, &name, &layer)) {
        string type = PyString_AS_STRING(PyDict_GetItemString(layer, "type"));
        assert(string(PyString_AsString(name)) == PyString_AS_STRING(PyDict_GetItemString(layer, "name")));
        PyInt_AS_LONG(PyDict_GetItemString(layer, "gpu"));
        if (type.find("cost.") == 0) {
            PyFloat_AS_DOUBLE(PyDict_GetItemString(layer, "coeff"));
            costNames.push_back(PyString_AsString(name));
        }
        Matrices& own = weights[PyString_AsString(name)];
        if (PyObject* list = PyDict_GetItemString(layer, "weights")) {
            own = getMatrices(list);
            own.push_back(new Matrix((PyArrayObject*)PyDict_GetItemString(layer, "biases")));
        }
    }
    if (PyErr_Occurred()) return NULL;
    srand(time(0));
    printf("minibatch %d, update %d, device %ld, random %d\n", minibatch, frequency,
           PyInt_AsLong(PyList_GET_ITEM((PyObject*)devices, 0)), rand());
    (new Manager())->start();
    return Py_BuildValue("i", 0);
}

static Job* newJob(PyObject* data) {
    Job* job = new Job();
    job->data = getMatrices(data);
    job->progress = 0;
    job->train = job->check = false;
    job->result = true;
    return job;
}

static PyObject* startBatch(PyObject* self, PyObject* args) {
    PyListObject* data;
    double progress;
    int test = 0;
    if (!PyArg_ParseTuple(args, "O!d|i", &PyList_Type, &data, &progress, &test)) return NULL;
    Job* job = newJob((PyObject*)data);
    job->progress = progress;
    job->train = !test;
    jobs.enqueue(job);
    return Py_BuildValue("i", 0);
}

static PyObject* startMultiviewTest(PyObject* self, PyObject* args) {
    PyListObject* data;
    int views;
    PyArrayObject* probs = NULL;
    char* logreg = NULL;
    if (!PyArg_ParseTuple(args, "O!i|O!s", &PyList_Type, &data, &views, &PyArray_Type, &probs, &logreg)) return NULL;
    Job* job = newJob((PyObject*)data);
    if (probs) {
        job->targets.push_back(new Matrix(probs));
        job->places.push_back(100 * views);
    }
    jobs.enqueue(job);
    return Py_BuildValue("i", 0);
}

static PyObject* startFeatureWriter(PyObject* self, PyObject* args) {
    PyListObject *data, *targets, *names;
    if (!PyArg_ParseTuple(args, "O!O!O!", &PyList_Type, &data, &PyList_Type, &targets, &PyList_Type, &names))
        return NULL;
    Job* job = newJob((PyObject*)data);
    job->targets = getMatrices((PyObject*)targets);
    for (int i = 0; i < PyList_GET_SIZE((PyObject*)names); i++) {
        map<string, Matrices>::iterator it = weights.find(PyString_AsString(PyList_GET_ITEM((PyObject*)names, i)));
        job->places.push_back(distance(weights.begin(), it));
    }
    jobs.enqueue(job);
    return Py_BuildValue("i", 0);
}

static PyObject* startDataGrad(PyObject* self, PyObject* args) { return Py_BuildValue("i", 0); }

static PyObject* finishBatch(PyObject* self, PyObject* args) {
    Result* result = results.dequeue();
    PyObject* costs = PyDict_New();
    for (map<string, vector<double> >::iterator it = result->costs.begin(); it != result->costs.end(); ++it) {
        PyObject* values = PyList_New(0);
        for (size_t i = 0; i < it->second.size(); i++) PyList_Append(values, PyFloat_FromDouble(it->second[i]));
        PyDict_SetItemString(costs, it->first.c_str(), values);
    }
    return Py_BuildValue("Ni", costs, result->cases);
}

static PyObject* checkGradients(PyObject* self, PyObject* args) {
    PyListObject* data;
    if (!PyArg_ParseTuple(args, "O!", &PyList_Type, &data)) return NULL;
    Job* job = newJob((PyObject*)data);
    job->check = true;
    jobs.enqueue(job);
    results.dequeue();
    return Py_BuildValue("i", 0);
}

static PyObject* syncWithHost(PyObject* self, PyObject* args) {
    for (map<string, Matrices>::iterator it = weights.begin(); it != weights.end(); ++it) {
        for (size_t i = 0; i < it->second.size(); i++) it->second[i]->addScalar(trained[it->first]);
        trained[it->first] = 0;
    }
    return Py_BuildValue("i", 0);
}

static PyMethodDef methods[] = {{"initModel", initModel, METH_VARARGS, "Builds the net"},
                                {"startBatch", startBatch, METH_VARARGS, "Starts a batch"},
                                {"finishBatch", finishBatch, METH_VARARGS, "Waits for it"},
                                {"startMultiviewTest", startMultiviewTest, METH_VARARGS, "Tests on several views"},
                                {"startFeatureWriter", startFeatureWriter, METH_VARARGS, "Writes features"},
                                {"startDataGrad", startDataGrad, METH_VARARGS, "Does nothing"},
                                {"checkGradients", checkGradients, METH_VARARGS, "Checks and ends"},
                                {"syncWithHost", syncWithHost, METH_VARARGS, "Writes weights back"},
                                {NULL, NULL}};

#define QUOTE(x) #x
#define QUOTED(x) QUOTE(x)

void INITNAME() {
    Py_InitModule(QUOTED(MODELNAME), methods);
    import_array();
}
