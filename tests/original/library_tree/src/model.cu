// A model whose costs are the libraries' answers: the sum of twice the batch's first matrix, and of its convolution by
// one filter of ones. It includes the libraries' headers by name and by path, as trees do.
#include <Python.h>
#include <arrayobject.h>

#include <string>

#include "../include/nvmatrix/nvmatrix.cuh"
#include <cudaconv2.cuh>

#define QUOTE_(x) #x
#define QUOTE(x) QUOTE_(x)

static std::string costName;
static double doubled, convolved;
static int cases;

static PyObject* initModel(PyObject* self, PyObject* args) {
    PyObject *layers = PyTuple_GET_ITEM(args, 0), *name, *layer;
    Py_ssize_t position = 0;
    while (PyDict_Next(layers, &position, &name, &layer)) {
        std::string type = PyString_AsString(PyDict_GetItemString(layer, "type"));
        if (type.find("cost.") == 0) {
            costName = PyString_AsString(name);
        }
    }
    return Py_BuildValue("i", 0);
}

// The first matrix: images of one row of three pixels.
static PyObject* startBatch(PyObject* self, PyObject* args) {
    Matrix host((PyArrayObject*)PyList_GET_ITEM(PyTuple_GET_ITEM(args, 0), 0));
    NVMatrix images, ones, filtered;
    images.copyFromHost(host, true);
    Matrix one(1, 1);
    one(0, 0) = 1;
    ones.copyFromHost(one, true);
    convFilterActs(images, ones, filtered, 1, 1, 3, 0, 1, 1, 1);
    convolved = filtered.sum();
    images.scale(2);
    doubled = images.sum();
    cases = host.getNumCols();
    return Py_BuildValue("i", 0);
}

static PyObject* finishBatch(PyObject* self, PyObject* args) {
    return Py_BuildValue("{s[dd]}i", costName.c_str(), doubled, convolved, cases);
}

static PyMethodDef methods[] = {
    {"initModel", initModel, METH_VARARGS},
    {"startBatch", startBatch, METH_VARARGS},
    {"finishBatch", finishBatch, METH_VARARGS},
    {NULL, NULL},
};

void INITNAME() {
    Py_InitModule(QUOTE(MODELNAME), methods);
    import_array();
}
