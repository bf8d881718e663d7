// Thread, a thread whose work a subclass says (spec 6.1).
#pragma once

#include <pthread.h>
#include <sched.h>

#include <vector>

#include "convnet_platform/failure.h"

// The object must live until its run() has returned.
class Thread {
public:
    explicit Thread(bool joinable) : joinable_(joinable) {}
    // Runs on these processors alone, and so do the threads that it starts; none: on all. Processors that cannot be
    // had are no failure.
    Thread(bool joinable, std::vector<int>& cpus) : joinable_(joinable), cpus_(cpus) {}
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    virtual ~Thread() = default;

    void start() {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, joinable_ ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED);
        const int error = pthread_create(&thread_, &attributes, &Thread::runIn, this);
        pthread_attr_destroy(&attributes);
        CONVNET_PLATFORM_REQUIRE(error == 0, "a thread cannot be started (error %d)", error);
    }

    void join() {
        CONVNET_PLATFORM_REQUIRE(joinable_, "join() of a thread that was made not joinable");
        const int error = pthread_join(thread_, nullptr);
        CONVNET_PLATFORM_REQUIRE(error == 0, "a thread cannot be joined (error %d)", error);
    }

protected:
    virtual void* run() = 0;

private:
    static void* runIn(void* thread) {
        Thread& self = *static_cast<Thread*>(thread);
        self.pin();
        return self.run();
    }

    void pin() const {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (const int cpu : cpus_)
            if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
        if (CPU_COUNT(&set) > 0) pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    }

    const bool joinable_;
    const std::vector<int> cpus_;
    pthread_t thread_ = {};
};
