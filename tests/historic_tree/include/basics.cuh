// What every source of this tree starts from: the platform's headers, short names, and readers of layer dictionaries
// (spec 6.1, 6.5).
#ifndef BASICS_CUH
#define BASICS_CUH

#include <map>
#include <set>
#include <string>
#include <vector>
using namespace std;

#include <Python.h>
#include <arrayobject.h>
#include <cublas.h>
#include <cuda.h>
#include <helper_cuda.h>
#include <matrix.h>
#include <nvmatrix.cuh>

#define QUOTEME_(x) #x
#define QUOTEME(x) QUOTEME_(x)
#define EXP expf
#define LOG logf
#define INF 1e35f
#define randf (rand() / (RAND_MAX + 1.0f))
#ifndef DIVUP
#define DIVUP(x, y) (((x) + (y) - 1) / (y))
#endif

// Passes are flags, so that sets of them can be asked for.
#define PASS_TRAIN 1
#define PASS_TEST 2
#define PASS_GC 4
#define PASS_FEATURES 8
#define PASS_VIEW_FIRST 16
#define PASS_VIEW_NEXT 32
#define PASS_VIEW_LAST 64
#define HAS_FLAG(flag, set) (((set) & (flag)) != 0)
#define IS_MULTIVIEW(pass) HAS_FLAG((pass), PASS_VIEW_FIRST | PASS_VIEW_NEXT | PASS_VIEW_LAST)
#define IS_LAST_VIEW(pass) HAS_FLAG((pass), PASS_VIEW_LAST)

typedef vector<int> Ints;
typedef vector<float> Floats;
typedef vector<string> Strings;
typedef vector<Matrix*> Matrices;

int intField(PyObject* record, const char* key);
float floatField(PyObject* record, const char* key);
string stringField(PyObject* record, const char* key);
Ints* intsField(PyObject* record, const char* key);
Floats* floatsField(PyObject* record, const char* key);
Strings* stringsField(PyObject* record, const char* key);
Matrix* matrixField(PyObject* record, const char* key);
Matrices* matricesField(PyObject* record, const char* key);

Ints* toInts(PyObject* list);
Strings* toStrings(PyObject* list);
Matrices* toMatrices(PyObject* list);

#endif
