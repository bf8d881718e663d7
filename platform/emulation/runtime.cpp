// Runs launches: blocks on a pool of OS threads, the threads of a block in a loop or, once one of them waits at a
// barrier, on fibers (spec 6.6). See runtime.h.
#include "runtime.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "fiber.h"
#include "streams.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

__thread uint3 threadIdx{0, 0, 0};
__thread uint3 blockIdx{0, 0, 0};
__thread dim3 blockDim{1, 1, 1};
__thread dim3 gridDim{1, 1, 1};

namespace convnet_emulation {
namespace {

std::string text(Place place) { return std::string(place.file) + ":" + std::to_string(place.line); }

std::string text(uint3 index) {
    return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

std::uint64_t volume(dim3 size) { return std::uint64_t(size.x) * size.y * size.z; }

// The index of element `number` of a box, x fastest.
uint3 index_in(dim3 box, std::uint64_t number) {
    const std::uint64_t row = number / box.x;
    return uint3{static_cast<unsigned int>(number % box.x), static_cast<unsigned int>(row % box.y),
                 static_cast<unsigned int>(row / box.y)};
}

// In which order the threads of a block run between two barriers, and the blocks of a launch are taken.
enum class Order { forward, reverse, shuffled };

Order emulation_order() {
    static const Order order =
        static_cast<Order>(choice_from_environment("CONVNET_EMULATION_ORDER", {"forward", "reverse", "shuffled"}));
    return order;
}

// 0 to count - 1 in that order. `seed` makes a shuffled one; the same seed gives the same one.
template <class Number>
void put_in_order(std::vector<Number>& numbers, std::size_t count, Order order, std::uint64_t seed) {
    numbers.resize(count);
    std::iota(numbers.begin(), numbers.end(), Number(0));
    if (order == Order::reverse) std::reverse(numbers.begin(), numbers.end());
    if (order == Order::shuffled) {
        std::minstd_rand generator(static_cast<std::uint32_t>(seed));
        generator.discard(4);  // neighbouring seeds start out alike
        std::shuffle(numbers.begin(), numbers.end(), generator);
    }
}

struct Config {
    dim3 grid, block;
    std::size_t shared;
    cudaStream_t stream;
    Place place;
};

// A stack, because a launch's arguments may contain another launch.
thread_local std::vector<Config> configs;

// Dynamic shared memory, at one address for each OS thread as long as it lives.
class SharedMemory {
public:
    void* get() { return memory_; }
    std::size_t bytes() const { return bytes_; }

    // Bytes beyond are out of bounds for AddressSanitizer.
    void set_bytes(std::size_t bytes) {
        bytes_ = bytes;
#ifdef __SANITIZE_ADDRESS__
        __asan_unpoison_memory_region(memory_, max_dynamic_shared);
        __asan_poison_memory_region(memory_ + bytes, max_dynamic_shared - bytes);
#endif
    }
    ~SharedMemory() { set_bytes(max_dynamic_shared); }

private:
    alignas(128) char memory_[max_dynamic_shared];
    std::size_t bytes_ = 0;
};

SharedMemory& shared_memory() {
    thread_local const std::unique_ptr<SharedMemory> memory(new SharedMemory());  // zeros
    return *memory;
}

// One launch: its blocks are taken in order, by any number of OS threads. A block's turn is its place in that order.
class Launch {
public:
    Launch(const Config& config, const char* kernel, const void* body, void (*call)(const void*))
        : config(config), kernel_(kernel), body_(body), call_(call), blocks_(volume(config.grid)) {
        if (emulation_order() == Order::shuffled) put_in_order(shuffled_, blocks_, Order::shuffled, blocks_);
    }

    const Config config;

    void call() const { call_(body_); }
    std::uint64_t blocks() const { return blocks_; }

    // The turn of the next block to run. False where there is none, or where an earlier block has failed.
    bool take(std::uint64_t& turn) {
        turn = next_.fetch_add(1);
        return turn < std::min(blocks_, failed_turn_.load());
    }

    uint3 block_index(std::uint64_t turn) const {
        if (emulation_order() == Order::shuffled) turn = shuffled_[turn];
        if (emulation_order() == Order::reverse) turn = blocks_ - 1 - turn;
        return index_in(config.grid, turn);
    }

    void add_output(std::uint64_t turn, std::string text) {
        std::lock_guard<std::mutex> lock(mutex_);
        output_[turn] = std::move(text);
    }

    // The error of the first block that has one stands: blocks before it all run.
    void fail(std::uint64_t turn, const std::string& message) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (turn >= failed_turn_) return;
        failed_turn_ = turn;
        error_ = message + "; kernel '" + kernel_ + "', launched at " + text(config.place) + ", block " +
                 text(block_index(turn));
    }

    // After all blocks.
    void finish() {
        for (const auto& [turn, text] : output_)
            if (turn <= failed_turn_) std::fwrite(text.data(), 1, text.size(), stdout);
        if (!error_.empty()) throw Error(error_);
    }

private:
    const char* kernel_;
    const void* body_;
    void (*call_)(const void*);
    const std::uint64_t blocks_;
    std::vector<std::uint64_t> shuffled_;  // the blocks by turn, where their order is a shuffled one
    std::atomic<std::uint64_t> next_{0};
    std::atomic<std::uint64_t> failed_turn_{UINT64_MAX};
    std::mutex mutex_;
    std::map<std::uint64_t, std::string> output_;
    std::string error_;
};

struct Barrier {
    Place place;
    bool warp;
    unsigned int mask;  // of a warp barrier
    int predicate;      // of a block barrier
    Vote vote;
};

// Thrown into the threads that wait when another one of their block has failed, to unwind them.
struct Cancelled {};

// Runs blocks of one launch after the other, on one OS thread.
class Runner {
public:
    void run(Launch& launch);
    // From within a thread of a block: waits, and returns the vote.
    int wait(const Barrier& barrier);

    void print(const char* text, std::size_t size) { output_.append(text, size); }
    std::size_t shared_bytes() const { return launch_->config.shared; }
    // Poisons a shared variable where no thread of this block has come to it yet.
    void start_shared(void* variable, std::size_t bytes);

private:
    struct Waiter {
        Fiber* fiber = nullptr;  // null: this thread does not wait
        Barrier barrier{};
    };

    bool begin_block();
    void begin_phase();
    void run_threads();
    void run_thread(unsigned int thread);
    void resume_fresh_fiber();
    void resume(unsigned int thread);
    void run_waiting();
    std::vector<unsigned int> release();
    bool block_complete() const;
    bool warp_complete(unsigned int thread) const;
    void cast_vote();
    void report_divergence();
    void fail(const std::string& message);
    void cancel_waiting();

    Launch* launch_ = nullptr;
    unsigned int threads_ = 0;  // of a block
    std::uint64_t turn_ = 0;    // of the block
    unsigned int phase_ = 0;    // barriers that the block has passed
    unsigned int next_ = 0;     // where in order_ the next thread to start is
    unsigned int current_ = 0;  // the thread that runs
    Fiber* fiber_ = nullptr;    // the fiber that runs
    bool plain_ = true;         // no thread of this block has waited yet
    bool failed_ = false;
    bool cancelled_ = false;
    unsigned int waiting_ = 0;
    int vote_ = 0;
    std::string output_;
    std::vector<unsigned int> order_;     // the threads of the block, in the order of this phase
    std::vector<const void*> variables_;  // those that start_shared has poisoned
    std::vector<Waiter> waiters_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> idle_;
};

// The runner whose kernel this OS thread is in.
__thread Runner* active = nullptr;

void Runner::run(Launch& launch) {
    launch_ = &launch;
    blockDim = launch.config.block;
    gridDim = launch.config.grid;
    threads_ = static_cast<unsigned int>(volume(blockDim));
    next_ = threads_;
    waiters_.assign(threads_, {});
    put_in_order(order_, threads_, emulation_order(), 0);
    shared_memory().set_bytes(launch.config.shared);
    active = this;
    for (;;) {
        plain_ = true;
        resume_fresh_fiber();
        if (plain_) break;  // that fiber found no further block
        run_waiting();
    }
    active = nullptr;
}

// On a fiber: finishes the last block and takes the next one.
bool Runner::begin_block() {
    if (!output_.empty()) launch_->add_output(turn_, std::exchange(output_, {}));
    if (!launch_->take(turn_)) return false;
    blockIdx = launch_->block_index(turn_);
    next_ = phase_ = 0;
    failed_ = false;
    begin_phase();
    if (emulation_poisons()) {
        variables_.clear();
        std::memset(shared_memory().get(), poison, launch_->config.shared);
    }
    return true;
}

// Another order for each block and each phase.
void Runner::begin_phase() {
    if (emulation_order() == Order::shuffled)
        put_in_order(order_, threads_, Order::shuffled, turn_ * 1009 + phase_ + 1);
    phase_++;
}

void Runner::start_shared(void* variable, std::size_t bytes) {
    if (!emulation_poisons()) return;
    if (std::find(variables_.begin(), variables_.end(), variable) != variables_.end()) return;
    variables_.push_back(variable);
    std::memset(variable, poison, bytes);
}

// The body of every fiber: starts the threads of the block one after the other and, as long as none has had to wait,
// those of the following blocks. A thread that waits takes the fiber with it; another fiber goes on.
void Runner::run_threads() {
    for (;;) {
        while (next_ < threads_ && !failed_) run_thread(order_[next_++]);
        if (!plain_ || !begin_block()) break;
    }
    idle_.push_back(fiber_);
}

void Runner::run_thread(unsigned int thread) {
    current_ = thread;
    threadIdx = index_in(blockDim, thread);
    try {
        launch_->call();
    } catch (const Cancelled&) {
    } catch (const Error& error) {
        fail(error.what());
    } catch (const std::exception& error) {
        fail(text(launch_->config.place) + ": an exception left a kernel: " + error.what());
    }
}

void Runner::resume_fresh_fiber() {
    if (idle_.empty()) {
        fibers_.emplace_back(new Fiber([this] { run_threads(); }));
        idle_.push_back(fibers_.back().get());
    }
    fiber_ = idle_.back();
    idle_.pop_back();
    fiber_->resume();
}

void Runner::resume(unsigned int thread) {
    Waiter& waiter = waiters_[thread];
    fiber_ = std::exchange(waiter.fiber, nullptr);
    waiting_--;
    current_ = thread;
    threadIdx = index_in(blockDim, thread);
    fiber_->resume();
}

int Runner::wait(const Barrier& barrier) {
    if (cancelled_) throw Cancelled();
    plain_ = false;
    waiters_[current_] = {fiber_, barrier};
    waiting_++;
    fiber_->suspend();
    if (cancelled_) throw Cancelled();
    return vote_;
}

// Ends a block in which a thread waits.
void Runner::run_waiting() {
    while (next_ < threads_ && !failed_) resume_fresh_fiber();
    while (waiting_ > 0 && !failed_) {
        const std::vector<unsigned int> ready = release();
        if (ready.empty()) report_divergence();
        for (unsigned int thread : ready) {
            if (failed_) break;
            resume(thread);
        }
    }
    if (failed_) cancel_waiting();
}

// The threads that need wait no longer.
std::vector<unsigned int> Runner::release() {
    std::vector<unsigned int> ready;
    const bool all = block_complete();
    if (all) cast_vote();
    begin_phase();
    for (unsigned int thread : order_)
        if (waiters_[thread].fiber && (all || warp_complete(thread))) ready.push_back(thread);
    return ready;
}

bool Runner::block_complete() const {
    if (waiting_ < threads_) return false;
    const Barrier& first = waiters_[0].barrier;
    return std::all_of(waiters_.begin(), waiters_.end(), [&first](const Waiter& waiter) {
        const Barrier& barrier = waiter.barrier;
        return !barrier.warp && barrier.place.line == first.place.line &&
               std::strcmp(barrier.place.file, first.place.file) == 0;
    });
}

bool Runner::warp_complete(unsigned int thread) const {
    const Barrier& barrier = waiters_[thread].barrier;
    if (!barrier.warp) return false;
    const unsigned int first = thread / warpSize * warpSize;
    for (unsigned int lane = 0; lane < unsigned(warpSize) && first + lane < threads_; lane++) {
        if (!(barrier.mask >> lane & 1u)) continue;
        const Waiter& other = waiters_[first + lane];
        if (other.fiber && !(other.barrier.warp && other.barrier.mask == barrier.mask)) return false;
    }
    return true;
}

void Runner::cast_vote() {
    const auto count = std::count_if(waiters_.begin(), waiters_.end(),
                                     [](const Waiter& waiter) { return waiter.barrier.predicate != 0; });
    switch (waiters_[0].barrier.vote) {
        case Vote::count:
            vote_ = static_cast<int>(count);
            break;
        case Vote::all:
            vote_ = count == threads_;
            break;
        case Vote::any:
            vote_ = count > 0;
            break;
    }
}

// Names a barrier that threads wait at, of the block if there is one, and a thread that is elsewhere.
void Runner::report_divergence() {
    const auto waits_for_block = [](const Waiter& waiter) { return waiter.fiber && !waiter.barrier.warp; };
    auto first = std::find_if(waiters_.begin(), waiters_.end(), waits_for_block);
    if (first == waiters_.end())
        first = std::find_if(waiters_.begin(), waiters_.end(), [](const Waiter& waiter) { return waiter.fiber; });
    const std::string place = text(first->barrier.place);
    const auto is_here = [&place](const Waiter& waiter) { return waiter.fiber && text(waiter.barrier.place) == place; };
    const auto here = std::count_if(waiters_.begin(), waiters_.end(), is_here);
    const auto other = std::find_if_not(waiters_.begin(), waiters_.end(), is_here);
    fail(place + ": only " + std::to_string(here) + " of " + std::to_string(threads_) +
         " threads of the block reach this barrier; thread " + text(index_in(blockDim, other - waiters_.begin())) +
         (other->fiber ? " waits at " + text(other->barrier.place) : " has ended"));
}

void Runner::fail(const std::string& message) {
    if (failed_) return;
    failed_ = true;
    launch_->fail(turn_, message);
}

void Runner::cancel_waiting() {
    cancelled_ = true;
    for (unsigned int thread = 0; thread < threads_; thread++)
        if (waiters_[thread].fiber) resume(thread);
    cancelled_ = false;
    next_ = threads_;
}

// Ends the process where there is no memory for stacks: fibers that wait could not be unwound.
void run_blocks(Launch& launch) noexcept {
    thread_local Runner runner;
    runner.run(launch);
}

// OS threads that help with launches. Never destroyed: they may run until the process ends.
class Pool {
public:
    static Pool& the() {
        static Pool* pool = new Pool(emulation_threads() - 1);
        return *pool;
    }

    // Runs all blocks, here and on those threads that are free.
    void run(Launch& launch) {
        if (launch.blocks() == 1 || threads_ == 0) return run_blocks(launch);
        Job job{&launch, 0};
        std::unique_lock<std::mutex> lock(mutex_);
        const auto position = jobs_.insert(jobs_.end(), &job);
        lock.unlock();
        work_.notify_all();
        run_blocks(launch);
        lock.lock();
        jobs_.erase(position);
        left_.wait(lock, [&job] { return job.helpers == 0; });
    }

private:
    struct Job {
        Launch* launch;
        int helpers;
        bool exhausted = false;
    };

    explicit Pool(int threads) : threads_(threads) {
        for (int i = 0; i < threads; i++) std::thread([this] { help(); }).detach();
    }

    Job* open_job() {
        const auto open = std::find_if(jobs_.begin(), jobs_.end(), [](const Job* job) { return !job->exhausted; });
        return open == jobs_.end() ? nullptr : *open;
    }

    void help() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            Job* job = nullptr;
            work_.wait(lock, [&] { return (job = open_job()) != nullptr; });
            job->helpers++;
            lock.unlock();
            run_blocks(*job->launch);
            lock.lock();
            job->exhausted = true;
            if (--job->helpers == 0) left_.notify_all();
        }
    }

    const int threads_;
    std::mutex mutex_;
    std::condition_variable work_, left_;
    std::list<Job*> jobs_;
};

cudaError_t check(const Config& config) {
    const auto within = [](dim3 size, dim3 limit) {
        return size.x >= 1 && size.y >= 1 && size.z >= 1 && size.x <= limit.x && size.y <= limit.y && size.z <= limit.z;
    };
    if (!within(config.grid, max_grid) || !within(config.block, max_block) ||
        volume(config.block) > max_threads_per_block)
        return cudaErrorInvalidConfiguration;
    return config.shared > max_dynamic_shared ? cudaErrorInvalidValue : cudaSuccess;
}

Runner& running(Place place, const char* what) {
    if (!active) throw Error(text(place) + ": " + what + " outside a kernel");
    return *active;
}

}  // namespace

void configure(dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream, const char* file, int line) {
    configs.push_back({grid, block, shared, stream, {file, line}});
}

void run_grid(const char* kernel, const void* body, const BodyCalls& calls, Place kernel_place) {
    if (configs.empty())
        throw Error(text(kernel_place) + ": kernel '" + kernel + "' is called without <<<grid, block>>>");
    const Config config = configs.back();
    configs.pop_back();
    if (active)
        throw Error(text(config.place) + ": kernel '" + kernel + "' is launched by a kernel, which is not supported");
    if (set_last_error(check(config)) != cudaSuccess) return;
    emulation_poisons();  // throws here, not in the midst of a block, where the environment is wrong
    const auto launch = [=](const void* body) {
        Launch launch(config, kernel, body, calls.run);
        Pool::the().run(launch);
        launch.finish();
    };
    if (!streams_put_off()) return launch(body);
    const std::shared_ptr<const void> kept(calls.copy(body), calls.destroy);
    enqueue(config.stream, [=] { launch(kept.get()); });
}

int block_barrier(int predicate, Vote vote, Place place) {
    return running(place, "__syncthreads").wait({place, false, 0, predicate, vote});
}

void warp_barrier(unsigned int mask, Place place) {
    running(place, "__syncwarp").wait({place, true, mask, 0, Vote::any});
}

void* DynamicShared::memory() { return shared_memory().get(); }

void start_shared(void* variable, std::size_t bytes) {
    if (active) active->start_shared(variable, bytes);
}

std::size_t dynamic_shared_bytes() { return active ? active->shared_bytes() : 0; }

void index_error(const char* array, int dimension, long long index, long long extent, Place place) {
    throw Error(text(place) + ": index " + std::to_string(index) + " is outside dimension " +
                std::to_string(dimension) + " of the shared array '" + array + "', whose extent is " +
                std::to_string(extent) + "; thread " + text(threadIdx));
}

}  // namespace convnet_emulation

int convnet_emulation_printf(const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    int size;
    if (convnet_emulation::active) {
        std::va_list again;
        va_copy(again, arguments);
        size = std::vsnprintf(nullptr, 0, format, arguments);
        if (size > 0) {
            std::string text(static_cast<std::size_t>(size) + 1, '\0');
            std::vsnprintf(&text[0], text.size(), format, again);
            convnet_emulation::active->print(text.data(), static_cast<std::size_t>(size));
        }
        va_end(again);
    } else {
        size = std::vprintf(format, arguments);
    }
    va_end(arguments);
    return size;
}
