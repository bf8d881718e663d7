// From a module initialiser of Python 2 to one of Python 3 (spec 6.5). Compiled with the tree's own MODELNAME and
// INITNAME, and linked into its extension.
#include <Python.h>

#include <cstring>

#define CONVNET_JOINED(a, b) a##b
#define CONVNET_JOIN(a, b) CONVNET_JOINED(a, b)

namespace convnet_python2 {
namespace {

PyObject* made = nullptr;

}  // namespace

PyObject* make_module(const char* name, PyMethodDef* methods, const char* doc) {
    // Python keeps the definition for as long as the module lives.
    PyModuleDef* definition =
        new PyModuleDef{PyModuleDef_HEAD_INIT, name, doc, -1, methods, nullptr, nullptr, nullptr, nullptr};
    Py_XDECREF(made);
    made = PyModule_Create(definition);
    return made;
}

const char* as_text(PyObject* object) {
    Py_ssize_t length = 0;
    const char* text = object ? PyUnicode_AsUTF8AndSize(object, &length) : nullptr;
    if (!object && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a text is missing");
    if (text && std::strlen(text) != static_cast<size_t>(length)) {
        PyErr_SetString(PyExc_ValueError, "a text holds a NUL character");
        return nullptr;
    }
    return text;
}

}  // namespace convnet_python2

extern "C" __attribute__((visibility("default"))) PyObject* CONVNET_JOIN(PyInit_, MODELNAME)() {
    using convnet_python2::made;
    made = nullptr;
    INITNAME();
    PyObject* module = made;
    made = nullptr;
    if (PyErr_Occurred()) {
        Py_XDECREF(module);
        return nullptr;
    }
    if (!module) PyErr_SetString(PyExc_ImportError, "the initialiser of the sources makes no module");
    return module;
}
