// Older trees include it for the functions behind Matrix::apply (spec 6.1): here they are inside matrix.cpp.
#pragma once

#include "matrix.h"
