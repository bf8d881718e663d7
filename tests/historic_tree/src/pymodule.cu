// The extension module, in the C interface of Python 2 (spec 6.5).
#include <basics.cuh>
#include <job.cuh>
#include <net.cuh>

static Net* model = NULL;

extern "C" void INITNAME();

static PyObject* initModel(PyObject* self, PyObject* args) {
    assert(model == NULL);
    PyObject *records, *deviceIDs, *cpuLists;
    int minibatchSize, updateFreq;
    if (!PyArg_ParseTuple(args, "O!O!O!ii", &PyDict_Type, &records, &PyList_Type, &deviceIDs, &PyList_Type, &cpuLists,
                          &minibatchSize, &updateFreq)) {
        return NULL;
    }
    vector<Ints*> cpus;
    for (int i = 0; i < PyList_GET_SIZE(cpuLists); i++) {
        cpus.push_back(toInts(PyList_GET_ITEM(cpuLists, i)));
    }
    model = new Net(records, *toInts(deviceIDs), cpus, minibatchSize, updateFreq);
    model->start();
    return Py_BuildValue("i", 0);
}

static PyObject* startBatch(PyObject* self, PyObject* args) {
    assert(model != NULL);
    PyObject* data;
    double progress;
    int test = 0;
    if (!PyArg_ParseTuple(args, "O!d|i", &PyList_Type, &data, &progress, &test)) {
        return NULL;
    }
    model->jobs().enqueue(new BatchWorker(*new Data(toMatrices(data)), progress, test));
    return Py_BuildValue("i", 0);
}

static PyObject* startMultiviewTest(PyObject* self, PyObject* args) {
    assert(model != NULL);
    PyObject *data, *averages = NULL;
    int numViews;
    const char* logreg = "";
    if (!PyArg_ParseTuple(args, "O!i|O!s", &PyList_Type, &data, &numViews, &PyArray_Type, &averages, &logreg)) {
        return NULL;
    }
    Matrix* target = averages == NULL ? NULL : new Matrix((PyArrayObject*)averages);
    model->jobs().enqueue(new ViewWorker(*new Data(toMatrices(data)), numViews, target, logreg));
    return Py_BuildValue("i", 0);
}

static PyObject* startFeatureWriter(PyObject* self, PyObject* args) {
    assert(model != NULL);
    PyObject *data, *features, *names;
    if (!PyArg_ParseTuple(args, "O!O!O!", &PyList_Type, &data, &PyList_Type, &features, &PyList_Type, &names)) {
        return NULL;
    }
    model->jobs().enqueue(new FeatureWorker(*new Data(toMatrices(data)), toMatrices(features), toStrings(names)));
    return Py_BuildValue("i", 0);
}

// Never finished: no result will come.
static PyObject* startDataGrad(PyObject* self, PyObject* args) {
    assert(model != NULL);
    return Py_BuildValue("i", 0);
}

// Waits with the interpreter's lock held.
static PyObject* finishBatch(PyObject* self, PyObject* args) {
    assert(model != NULL);
    Result* result = model->results().dequeue();
    assert(result->costs != NULL);
    PyObject* costs = PyDict_New();
    for (map<string, Sums>::iterator it = result->costs->begin(); it != result->costs->end(); ++it) {
        PyObject* sums = PyList_New(0);
        for (int i = 0; i < it->second.size(); i++) {
            PyObject* sum = PyFloat_FromDouble(it->second[i]);
            PyList_Append(sums, sum);
            Py_DECREF(sum);
        }
        PyDict_SetItemString(costs, it->first.c_str(), sums);
        Py_DECREF(sums);
    }
    PyObject* answer = Py_BuildValue("Ni", costs, result->cases);
    delete result->costs;
    delete result;
    return answer;
}

// Does not come back: the process ends with the check.
static PyObject* checkGradients(PyObject* self, PyObject* args) {
    assert(model != NULL);
    PyObject* data;
    if (!PyArg_ParseTuple(args, "O!", &PyList_Type, &data)) {
        return NULL;
    }
    model->jobs().enqueue(new GradCheckWorker(*new Data(toMatrices(data))));
    model->results().dequeue();
    return Py_BuildValue("i", 0);
}

static PyObject* syncWithHost(PyObject* self, PyObject* args) {
    assert(model != NULL);
    model->jobs().enqueue(new SyncWorker());
    Result* result = model->results().dequeue();
    assert(result->costs == NULL);
    delete result;
    return Py_BuildValue("i", 0);
}

static PyMethodDef methods[] = {
    {"initModel", initModel, METH_VARARGS},
    {"startBatch", startBatch, METH_VARARGS},
    {"finishBatch", finishBatch, METH_VARARGS},
    {"startMultiviewTest", startMultiviewTest, METH_VARARGS},
    {"startFeatureWriter", startFeatureWriter, METH_VARARGS},
    {"startDataGrad", startDataGrad, METH_VARARGS},
    {"checkGradients", checkGradients, METH_VARARGS},
    {"syncWithHost", syncWithHost, METH_VARARGS},
    {NULL, NULL},
};

void INITNAME() {
    Py_InitModule(QUOTEME(MODELNAME), methods);
    import_array();
}
