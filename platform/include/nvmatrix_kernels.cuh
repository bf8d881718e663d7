// Older trees include it for the kernels behind NVMatrix (spec 6.1): here they are in nvmatrix.cuh's own headers.
#pragma once

#include "nvmatrix.cuh"
