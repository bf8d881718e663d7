// A module in Python 2's C interface that says what it got, for test_python2.py.
#include <Python.h>
#include <arrayobject.h>

static PyObject* text_of(PyObject* self, PyObject* args) {
    PyObject* object;
    if (!PyArg_ParseTuple(args, "O", &object)) return NULL;
    char* text = PyString_AsString(object);
    return text ? PyString_FromString(text) : NULL;
}

static PyObject* int_of(PyObject* self, PyObject* args) {
    PyObject* object;
    if (!PyArg_ParseTuple(args, "O", &object)) return NULL;
    long value = PyInt_AS_LONG(object);
    return PyErr_Occurred() ? NULL : PyInt_FromLong(value);
}

static PyObject* float_of(PyObject* self, PyObject* args) {
    PyObject* object;
    if (!PyArg_ParseTuple(args, "O", &object)) return NULL;
    double value = PyFloat_AS_DOUBLE(object);
    return PyErr_Occurred() ? NULL : PyFloat_FromDouble(value);
}

static PyObject* is_array(PyObject* self, PyObject* args) {
    PyArrayObject* array;
    if (!PyArg_ParseTuple(args, "O!", &PyArray_Type, &array)) return NULL;
    return Py_BuildValue("ii", (int)PyArray_DIM(array, 0), (int)PyArray_STRIDE(array, 0));
}

static PyMethodDef methods[] = {{"text_of", text_of, METH_VARARGS, ""},
                                {"int_of", int_of, METH_VARARGS, ""},
                                {"float_of", float_of, METH_VARARGS, ""},
                                {"is_array", is_array, METH_VARARGS, ""},
                                {NULL, NULL}};

#ifndef INITIALISER
#define INITIALISER PyMODINIT_FUNC INITNAME()
#endif

INITIALISER {
#ifndef MAKES_NONE
    Py_InitModule("_ConvNet", methods);
    import_array();
#endif
#ifdef FAILS
    PyErr_SetString(PyExc_RuntimeError, "no luck");
#endif
}
