// ThreadSynchronizer, a barrier that can be used again and again (spec 6.1).
#pragma once

#include <condition_variable>
#include <mutex>

class ThreadSynchronizer {
public:
    explicit ThreadSynchronizer(int numThreads) : numThreads_(numThreads) {}
    ThreadSynchronizer(const ThreadSynchronizer&) = delete;
    ThreadSynchronizer& operator=(const ThreadSynchronizer&) = delete;

    // Returns once numThreads threads have called it.
    void sync() {
        std::unique_lock<std::mutex> lock(mutex_);
        const unsigned long round = round_;
        if (++arrived_ == numThreads_) {
            arrived_ = 0;
            round_++;
            complete_.notify_all();
            return;
        }
        complete_.wait(lock, [&] { return round_ != round; });
    }

private:
    const int numThreads_;
    int arrived_ = 0;
    unsigned long round_ = 0;
    std::mutex mutex_;
    std::condition_variable complete_;
};
