// Older trees include it for Matrix's own products (spec 6.1); Matrix here computes them itself, and nothing of it
// is used.
#pragma once
