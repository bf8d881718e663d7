// Queue, Thread, ThreadSynchronizer and the helper headers (spec 6.1).
#include "harness.h"

#include <atomic>

#include "cblas.h"
#include "cublas.h"
#include "cutil_inline.h"
#include "helper_cuda.h"
#include "helper_timer.h"
#include "matrix_funcs.h"
#include "nvmatrix_kernels.cuh"
#include "queue.h"
#include "sync.h"
#include "thread.h"

namespace {

struct Letter {
    int number;
};
struct Postcard : Letter {};

template <class Body>
class Running : public Thread {
public:
    Running(Body body) : Thread(true), body_(body) {}
    Running(Body body, std::vector<int>& cpus) : Thread(true, cpus), body_(body) {}

protected:
    void* run() override {
        body_();
        return nullptr;
    }

private:
    Body body_;
};

// The processors that the calling thread runs on.
std::vector<int> own_cpus() {
    cpu_set_t set;
    pthread_getaffinity_np(pthread_self(), sizeof(set), &set);
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

}  // namespace

CASE("Queue: first in, first out", {
    Queue<Letter*> queue;
    EXPECT(queue.isEmpty());
    Letter first = {1};
    Postcard second;
    second.number = 2;
    queue.enqueue(&first);
    queue.enqueue(&second);
    EXPECT(queue.getNumElements() == 2 && !queue.isEmpty());
    EXPECT(queue.dequeue() == &first && queue.dequeue()->number == 2 && queue.getNumElements() == 0);
});
CASE("Queue: many producers, a consumer that waits", {
    Queue<int> queue;
    long sum = 0;
    Running consumer([&] {
        for (int i = 0; i < 400; i++) sum += queue.dequeue();
    });
    consumer.start();
    const auto produce = [&] {
        for (int i = 1; i <= 100; i++) queue.enqueue(i);
    };
    std::vector<std::unique_ptr<Running<decltype(produce)>>> producers;
    for (int i = 0; i < 4; i++) producers.push_back(std::make_unique<Running<decltype(produce)>>(produce));
    for (auto& producer : producers) producer->start();
    for (auto& producer : producers) producer->join();
    consumer.join();
    EXPECT(sum == 4 * 5050 && queue.isEmpty());
});
// Called with the interpreter's lock: the element comes from a thread that needs it.
CASE("Queue: dequeue gives up the interpreter's lock", {
    Queue<int> queue;
    Running python([&] {
        const PyGILState_STATE state = PyGILState_Ensure();
        queue.enqueue(3);
        PyGILState_Release(state);
    });
    python.start();
    EXPECT(PyGILState_Check() && queue.dequeue() == 3 && PyGILState_Check());
    Py_BEGIN_ALLOW_THREADS python.join();
    Py_END_ALLOW_THREADS
});
CASE("Thread(joinable)", {
    bool ran = false;
    Running thread([&] { ran = true; });
    thread.start();
    thread.join();
    EXPECT(ran);
    std::unique_ptr<Thread> base(new Running([] {}));  // the destructor is virtual
});
struct Detached : Thread {
    std::atomic<bool>* ran;
    Detached(std::atomic<bool>* flag) : Thread(false), ran(flag) {}
    void* run() override {
        std::atomic<bool>* const flag = ran;
        *flag = true;
        return nullptr;
    }
};
CASE("Thread(not joinable)", {
    static std::atomic<bool> ran{false};
    static Detached& thread = *new Detached(&ran);
    thread.start();
    while (!ran) sched_yield();
    thread.join();  // refused
});
CASE("Thread(joinable, cpus)", {
    const std::vector<int> all = own_cpus();
    std::vector<int> one = {all.back()};
    std::vector<int> none;
    std::vector<int> missing = {CPU_SETSIZE - 1};
    std::vector<int> pinned, inherited, unpinned, failed;
    Running outer(
        [&] {
            pinned = own_cpus();
            Running inner([&] { inherited = own_cpus(); });
            inner.start();
            inner.join();
        },
        one);
    Running free_thread([&] { unpinned = own_cpus(); }, none);
    Running on_missing([&] { failed = own_cpus(); }, missing);
    for (Thread* thread :
         {static_cast<Thread*>(&outer), static_cast<Thread*>(&free_thread), static_cast<Thread*>(&on_missing)}) {
        thread->start();
        thread->join();
    }
    EXPECT(pinned == one && inherited == one && unpinned == all && failed == all);
});
CASE("ThreadSynchronizer(numThreads)", {
    ThreadSynchronizer barrier(3);
    std::atomic<int> arrived{0};
    std::atomic<bool> early{false};
    const auto walk = [&] {
        for (int round = 1; round <= 50; round++) {
            arrived++;
            barrier.sync();
            if (arrived < 3 * round) early = true;
            barrier.sync();
        }
    };
    Running a(walk);
    Running b(walk);
    a.start();
    b.start();
    walk();
    a.join();
    b.join();
    EXPECT(!early && arrived == 150);
});
CASE("checkCudaErrors(expression)", {
    const uint devices = 1;
    checkCudaErrors(cudaSetDevice(0));
    cutilSafeCall(cudaSetDevice(0));
    EXPECT(sizeof(devices) == 4);
    checkCudaErrors(cudaSetDevice(99));
});
CASE("getLastCudaError(message)", {
    cudaGetLastError();
    getLastCudaError("before");
    cutilCheckMsg("before");
    (cudaSetDevice)(99);
    getLastCudaError("after the kernel");
});
CASE("cutilSafeCall(expression)", cutilSafeCall(cudaSetDevice(99)));
CASE("cutilCheckMsg(message)", (cudaSetDevice)(99); cutilCheckMsg("after the kernel"));
CASE("cutilDeviceSynchronize()", cudaGetLastError(); EXPECT(cutilDeviceSynchronize() == cudaSuccess));
CASE("sdkTimer", {
    StopWatchInterface* timer = nullptr;
    EXPECT(!sdkStartTimer(&timer) && !sdkStopTimer(&timer) && !sdkResetTimer(&timer) && sdkGetTimerValue(&timer) == 0);
    EXPECT(sdkCreateTimer(&timer) && timer && sdkStartTimer(&timer));
    float earlier = sdkGetTimerValue(&timer);
    while (sdkGetTimerValue(&timer) <= earlier + 1) sched_yield();
    EXPECT(sdkStopTimer(&timer) && sdkGetTimerValue(&timer) > 1);
    const float once = sdkGetTimerValue(&timer);
    EXPECT(sdkGetTimerValue(&timer) == once && sdkStartTimer(&timer) && sdkStopTimer(&timer));
    EXPECT(sdkGetTimerValue(&timer) >= once && sdkGetAverageTimerValue(&timer) == sdkGetTimerValue(&timer) / 2);
    EXPECT(sdkResetTimer(&timer) && sdkGetTimerValue(&timer) == 0 && sdkGetAverageTimerValue(&timer) == 0);
    EXPECT(sdkDeleteTimer(&timer) && !timer && !sdkDeleteTimer(&timer));
});
