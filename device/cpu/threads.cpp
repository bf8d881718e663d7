// Threads of the CPU device: see threads.h.
#include "device/cpu/threads.h"

#include <algorithm>

namespace convnet::cpu {

ThreadPool::ThreadPool(int threads) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
    stopping_ = true;
    loop_++;
    loop_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::work() {
    std::uint32_t seen = 0;
    while (!stopping_) {
        loop_.wait(seen);
        seen = loop_;
        take_pieces(seen);
    }
}

void ThreadPool::take_pieces(std::uint32_t loop) {
    std::uint64_t word = untaken_;
    while ((word >> 32) == loop && (word & 0xffffffffu) > 0)
        if (untaken_.compare_exchange_weak(word, word - 1)) {
            run_piece(static_cast<std::uint32_t>(word & 0xffffffffu) - 1);
            word = untaken_;
        }
}

void ThreadPool::run_piece(std::uint32_t piece) {
    try {
        const std::int64_t first = piece * piece_size_;
        (*body_)(first, std::min(count_, first + piece_size_));
    } catch (...) {
        const std::lock_guard<std::mutex> lock(error_lock_);
        if (!error_) error_ = std::current_exception();
    }
    if (unfinished_.fetch_sub(1) == 1) unfinished_.notify_one();
}

void ThreadPool::parallel_for(std::int64_t count, std::int64_t grain,
                              const std::function<void(std::int64_t first, std::int64_t last)>& body) {
    if (count <= 0) return;
    // Four pieces a thread even out what a busy core delays.
    const std::int64_t most = 4 * static_cast<std::int64_t>(workers_.size() + 1);
    const std::int64_t piece_size = std::max(grain, (count + most - 1) / most);
    const std::uint32_t pieces = static_cast<std::uint32_t>((count + piece_size - 1) / piece_size);
    // A second caller at the same time computes alone.
    std::unique_lock<std::mutex> lock(in_use_, std::defer_lock);
    if (workers_.empty() || pieces == 1 || !lock.try_lock()) return body(0, count);

    count_ = count;
    piece_size_ = piece_size;
    body_ = &body;
    error_ = nullptr;
    unfinished_ = pieces;
    const std::uint32_t loop = loop_ + 1;
    untaken_ = std::uint64_t{loop} << 32 | pieces;
    loop_ = loop;
    loop_.notify_all();
    take_pieces(loop);
    for (std::uint32_t left = unfinished_; left > 0; left = unfinished_) unfinished_.wait(left);
    if (error_) std::rethrow_exception(error_);
}

}  // namespace convnet::cpu
