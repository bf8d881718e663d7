// Queue, a first-in first-out queue between threads (spec 6.1, 6.7).
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#ifdef NUMPY_INTERFACE
#include <Python.h>
#endif

namespace convnet_platform {

// Gives up the Python interpreter's lock while it lives, where the thread holds it: who waits with it would keep every
// other Python thread from running.
class WithoutInterpreterLock {
public:
#ifdef NUMPY_INTERFACE
    WithoutInterpreterLock() : saved_(Py_IsInitialized() && PyGILState_Check() ? PyEval_SaveThread() : nullptr) {}
    ~WithoutInterpreterLock() {
        if (saved_) PyEval_RestoreThread(saved_);
    }

private:
    PyThreadState* saved_;
#endif
};

}  // namespace convnet_platform

// Any number of threads may put in and take out.
template <class T>
class Queue {
public:
    Queue() = default;
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;
    virtual ~Queue() = default;

    void enqueue(T element) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            elements_.push_back(element);
        }
        filled_.notify_one();
    }

    // Waits until there is an element.
    T dequeue() {
        [[maybe_unused]] const convnet_platform::WithoutInterpreterLock without_lock;
        std::unique_lock<std::mutex> lock(mutex_);
        filled_.wait(lock, [this] { return !elements_.empty(); });
        T element = elements_.front();
        elements_.pop_front();
        return element;
    }

    int getNumElements() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return static_cast<int>(elements_.size());
    }
    bool isEmpty() { return getNumElements() == 0; }

private:
    std::deque<T> elements_;
    std::mutex mutex_;
    std::condition_variable filled_;
};
