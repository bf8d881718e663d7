// A stack of its own that runs a function and can be left and entered again, on one OS thread (spec 6.6: barriers
// need all threads of a block as fibers). AddressSanitizer is told of every switch.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace convnet_emulation {

class Fiber {
public:
    // `body` runs again, from its start, each time that it is resumed after it ended. It must not throw.
    // Throws std::bad_alloc where no stack can be had.
    explicit Fiber(std::function<void()> body);
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // Runs the fiber until it suspends itself or its body ends. Not from within a fiber.
    void resume();
    // From within the fiber: returns to whoever resumed it; returns when resumed again.
    void suspend();

private:
    // Where a stack was left: the words of __builtin_setjmp.
    using Jump = void* [5];

    static void entry(unsigned int high, unsigned int low);
    static void leap(Jump& to);
    static void jump(Jump& from, Jump& to);
    static void first_jump(Jump& from, const ucontext_t& to);

    std::function<void()> body_;
    char* memory_;  // a guard page, then the stack
    ucontext_t start_;
    bool started_ = false;
    Jump own_, resumer_;
    // What AddressSanitizer keeps for a stack that is left, and the bounds of the resumer's stack.
    void* own_fake_stack_ = nullptr;
    void* resumer_fake_stack_ = nullptr;
    const void* resumer_stack_ = nullptr;
    std::size_t resumer_stack_size_ = 0;
};

}  // namespace convnet_emulation
