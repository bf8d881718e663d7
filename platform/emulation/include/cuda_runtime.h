// The CUDA runtime header for builds without CUDA: qualifiers, built-in types and variables, device functions
// and runtime calls, all on the CPU (spec 6.1, 6.6). Kernels and launches need translate.py before the compiler.
#pragma once

// First, so that <cmath> and <math.h> are complete before names of theirs become macros (device_functions.h).
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <math.h>

#include "emulation/qualifiers.h"
#include "emulation/vector_types.h"
#include "emulation/api.h"
#include "../runtime.h"
#include "emulation/device_functions.h"
#include "emulation/atomics.h"
