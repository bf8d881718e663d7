// Readers of Python objects (spec 6.5). A missing key is not looked for: whoever calls this engine checks its net.
#include <basics.cuh>

int intField(PyObject* record, const char* key) {
    return PyInt_AS_LONG(PyDict_GetItemString(record, key));
}

float floatField(PyObject* record, const char* key) {
    return PyFloat_AS_DOUBLE(PyDict_GetItemString(record, key));
}

string stringField(PyObject* record, const char* key) {
    return string(PyString_AsString(PyDict_GetItemString(record, key)));
}

Ints* toInts(PyObject* list) {
    if (list == NULL) {
        return NULL;
    }
    Ints* ints = new Ints();
    for (int i = 0; i < PyList_GET_SIZE(list); i++) {
        ints->push_back(PyInt_AS_LONG(PyList_GET_ITEM(list, i)));
    }
    return ints;
}

Strings* toStrings(PyObject* list) {
    if (list == NULL) {
        return NULL;
    }
    Strings* strings = new Strings();
    for (int i = 0; i < PyList_GET_SIZE(list); i++) {
        strings->push_back(string(PyString_AS_STRING(PyList_GET_ITEM(list, i))));
    }
    return strings;
}

Matrices* toMatrices(PyObject* list) {
    if (list == NULL) {
        return NULL;
    }
    Matrices* matrices = new Matrices();
    for (int i = 0; i < PyList_GET_SIZE(list); i++) {
        matrices->push_back(new Matrix((PyArrayObject*)PyList_GET_ITEM(list, i)));
    }
    return matrices;
}

Ints* intsField(PyObject* record, const char* key) {
    return toInts(PyDict_GetItemString(record, key));
}

Floats* floatsField(PyObject* record, const char* key) {
    PyObject* list = PyDict_GetItemString(record, key);
    if (list == NULL) {
        return NULL;
    }
    Floats* floats = new Floats();
    for (int i = 0; i < PyList_GET_SIZE(list); i++) {
        floats->push_back(PyFloat_AS_DOUBLE(PyList_GET_ITEM(list, i)));
    }
    return floats;
}

Strings* stringsField(PyObject* record, const char* key) {
    return toStrings(PyDict_GetItemString(record, key));
}

Matrix* matrixField(PyObject* record, const char* key) {
    return new Matrix((PyArrayObject*)PyDict_GetItemString(record, key));
}

Matrices* matricesField(PyObject* record, const char* key) {
    return toMatrices(PyDict_GetItemString(record, key));
}
