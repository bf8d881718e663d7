// NumPy's C interface by the name that the historic sources include, without a folder (spec 6.5).
#pragma once

#include <Python.h>

#include <numpy/arrayobject.h>

// NumPy's own returns a value, which an initialiser of Python 2 cannot; a failure stays as Python's exception.
#undef import_array
#define import_array() import_array1()
