// CHECK for the test programs: a condition that does not hold is printed, and the program ends with status 1.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CHECK(...)                                                          \
    do {                                                                    \
        if (!(__VA_ARGS__)) {                                               \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #__VA_ARGS__); \
            std::exit(1);                                                   \
        }                                                                   \
    } while (0)
