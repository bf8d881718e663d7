// Threads of the CPU device.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace convnet::cpu {

// A few threads that share out the pieces of one loop at a time. They sleep between loops, and the
// caller works too: on a machine whose cores are busy with something else, a loop then takes as long as
// the cores it gets, where threads that wait actively would take their time slices from each other.
class ThreadPool {
public:
    explicit ThreadPool(int threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // Runs body(first, last) over pieces of [0, count) that hold at least `grain` items. Which thread gets
    // a piece, and where pieces begin, is left open: results must not depend on it. Throws what body throws.
    void parallel_for(std::int64_t count, std::int64_t grain,
                      const std::function<void(std::int64_t first, std::int64_t last)>& body);

private:
    void work();
    void take_pieces(std::uint32_t loop);
    void run_piece(std::uint32_t piece);

    std::vector<std::thread> workers_;
    std::mutex in_use_;
    // The loop's number in the upper half, its pieces that nobody took yet in the lower: one word, so that
    // a thread that wakes late cannot take a piece of a loop that it does not know.
    std::atomic<std::uint64_t> untaken_{0};
    std::atomic<std::uint32_t> loop_{0}, unfinished_{0};
    std::atomic<bool> stopping_{false};
    std::int64_t count_ = 0, piece_size_ = 0;
    const std::function<void(std::int64_t, std::int64_t)>* body_ = nullptr;
    std::mutex error_lock_;
    std::exception_ptr error_;
};

}  // namespace convnet::cpu
