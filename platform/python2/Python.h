// The Python header of the historic sources: Python 3's, and the names of Python 2's C interface that they call
// (spec 6.5). Texts are `str`, numbers are `int`; a module is made by a `void` function (module.cpp).
#pragma once

#include_next <Python.h>

namespace convnet_python2 {

// The module that the initialiser made, for module.cpp to hand to Python 3.
PyObject* make_module(const char* name, PyMethodDef* methods, const char* doc);

// What is no text, or holds a NUL character, sets TypeError or ValueError and gives null.
const char* as_text(PyObject* object);

}  // namespace convnet_python2

// Initialisers return nothing in Python 2. Declared here, so that one written without `extern "C"` gets that linkage.
#undef PyMODINIT_FUNC
#define PyMODINIT_FUNC extern "C" __attribute__((visibility("default"))) void
#ifdef INITNAME
PyMODINIT_FUNC INITNAME();
#endif
#define Py_InitModule(name, methods) convnet_python2::make_module((name), (methods), nullptr)
#define Py_InitModule3(name, methods, doc) convnet_python2::make_module((name), (methods), (doc))

#define PyString_Check(object) PyUnicode_Check(object)
#define PyString_FromString(text) PyUnicode_FromString(text)
#define PyString_AsString(object) const_cast<char*>(convnet_python2::as_text(reinterpret_cast<PyObject*>(object)))
#define PyString_AS_STRING(object) PyString_AsString(object)

#define PyInt_Check(object) PyLong_Check(object)
#define PyInt_FromLong(value) PyLong_FromLong(value)
#define PyInt_AsLong(object) PyLong_AsLong(reinterpret_cast<PyObject*>(object))
#define PyInt_AS_LONG(object) PyInt_AsLong(object)

// Python's macro reads any object as a float's memory; the function asks what it is.
#undef PyFloat_AS_DOUBLE
#define PyFloat_AS_DOUBLE(object) PyFloat_AsDouble(reinterpret_cast<PyObject*>(object))
