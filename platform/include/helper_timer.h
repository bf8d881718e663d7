// A stop watch, as the CUDA samples of the time named it; only test programs use it (spec 6.1). Milliseconds.
#pragma once

#include <chrono>

class StopWatchInterface {
public:
    void start() {
        started_ = Clock::now();
        running_ = true;
    }
    void stop() {
        total_ += sinceStart();
        if (running_) sessions_++;
        running_ = false;
    }
    void reset() {
        total_ = 0;
        sessions_ = 0;
        started_ = Clock::now();
    }
    float getTime() const { return total_ + sinceStart(); }
    float getAverageTime() const { return sessions_ ? total_ / sessions_ : 0; }

private:
    using Clock = std::chrono::steady_clock;
    float sinceStart() const {
        return running_ ? std::chrono::duration<float, std::milli>(Clock::now() - started_).count() : 0;
    }

    Clock::time_point started_;
    float total_ = 0;
    int sessions_ = 0;
    bool running_ = false;
};

// All return true where there is a timer, except the times.
inline bool sdkCreateTimer(StopWatchInterface** timer) {
    *timer = new StopWatchInterface;
    return true;
}
inline bool sdkDeleteTimer(StopWatchInterface** timer) {
    const bool there = *timer;
    delete *timer;
    *timer = nullptr;
    return there;
}
inline bool sdkStartTimer(StopWatchInterface** timer) {
    if (*timer) (*timer)->start();
    return *timer;
}
inline bool sdkStopTimer(StopWatchInterface** timer) {
    if (*timer) (*timer)->stop();
    return *timer;
}
inline bool sdkResetTimer(StopWatchInterface** timer) {
    if (*timer) (*timer)->reset();
    return *timer;
}
inline float sdkGetTimerValue(StopWatchInterface** timer) { return *timer ? (*timer)->getTime() : 0; }
inline float sdkGetAverageTimerValue(StopWatchInterface** timer) { return *timer ? (*timer)->getAverageTime() : 0; }
