// Counting hits among the k most probable classes, by two threads on the host (spec 3.7).
#include <vector>
#include <hits.h>
using namespace std;

#define HIT_THREADS 2

class HitCounter : public Thread {
private:
    Matrix &_labels, &_probs;
    int _k;
    long int _from, _to;
    double _hits;

    double hit(long int n) {
        float mine = _probs(n, (long int)_labels(0, n));
        int larger = 0, ties = 0;
        for (long int j = 0; j < _probs.getNumCols(); j++) {
            larger += _probs(n, j) > mine;
            ties += _probs(n, j) == mine;
        }
        int places = _k - larger;
        return places <= 0 ? 0 : ties <= places ? 1 : (double)places / ties;
    }

protected:
    void* run() {
        for (long int n = _from; n < _to; n++) {
            _hits += hit(n);
        }
        return NULL;
    }

public:
    HitCounter(Matrix& labels, Matrix& probs, int k, long int from, long int to)
        : Thread(true), _labels(labels), _probs(probs), _k(k), _from(from), _to(to), _hits(0) {
    }
    double hits() {
        return _hits;
    }
};

double countHits(Matrix& labels, Matrix& probs, int k) {
    assert(labels.getNumCols() == probs.getNumRows() && k <= probs.getNumCols());
    vector<HitCounter*> counters;
    long int cases = probs.getNumRows();
    for (int t = 0; t < HIT_THREADS; t++) {
        counters.push_back(new HitCounter(labels, probs, k, cases * t / HIT_THREADS, cases * (t + 1) / HIT_THREADS));
        counters[t]->start();
    }
    double hits = 0;
    for (int t = 0; t < HIT_THREADS; t++) {
        counters[t]->join();
        hits += counters[t]->hits();
        delete counters[t];
    }
    return hits;
}
