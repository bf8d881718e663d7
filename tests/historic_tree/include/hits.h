// Counting on the host how often the label is among the k most probable classes (spec 3.7). No CUDA in here.
#ifndef HITS_H
#define HITS_H

#include <matrix.h>
#include <thread.h>

// labels: 1 x cases; probs: cases x classes. Ties share the places that they compete for.
double countHits(Matrix& labels, Matrix& probs, int k);

#endif
