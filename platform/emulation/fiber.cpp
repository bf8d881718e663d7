// Fibers (spec 6.6): ucontext enters a new stack; from then on the compiler's own setjmp and longjmp switch, which
// make no system call, and which AddressSanitizer does not intercept.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <utility>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace convnet_emulation {
namespace {

constexpr std::size_t guard_size = 1 << 16;  // a multiple of every page size in use
constexpr std::size_t stack_size = 1 << 18;  // address space: pages that are never touched cost nothing

// Before and after a switch to another stack.
#ifdef __SANITIZE_ADDRESS__
void leave_stack(void** fake_stack, const void* next, std::size_t size) {
    __sanitizer_start_switch_fiber(fake_stack, next, size);
}
void enter_stack(void* fake_stack, const void** previous, std::size_t* size) {
    __sanitizer_finish_switch_fiber(fake_stack, previous, size);
}
#else
void leave_stack(void**, const void*, std::size_t) {}
void enter_stack(void*, const void**, std::size_t*) {}
#endif

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {
    void* memory = mmap(nullptr, guard_size + stack_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<char*>(memory);
    mprotect(memory_, guard_size, PROT_NONE);
    getcontext(&start_);
    start_.uc_stack.ss_sp = memory_ + guard_size;
    start_.uc_stack.ss_size = stack_size;
    start_.uc_link = nullptr;
    // makecontext passes ints only.
    const std::uint64_t self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&start_, reinterpret_cast<void (*)()>(&Fiber::entry), 2, static_cast<unsigned int>(self >> 32),
                static_cast<unsigned int>(self));
}

Fiber::~Fiber() { munmap(memory_, guard_size + stack_size); }

void Fiber::entry(unsigned int high, unsigned int low) {
    Fiber* self = reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>((std::uint64_t(high) << 32) | low));
    enter_stack(nullptr, &self->resumer_stack_, &self->resumer_stack_size_);
    for (;;) {
        self->body_();
        self->suspend();
    }
}

// The builtins keep no more than the frame; all registers are taken for lost. Hence a frame of its own for each of
// these functions, none of them inlined or analysed, without the sanitizers' checks, which take a jump for an
// unwinding.
#define CONVNET_EMULATION_SWITCH __attribute__((noipa, no_sanitize("address"), no_sanitize("undefined")))

// Apart from the setjmp, or the compiler sees that nothing follows and drops the way back.
CONVNET_EMULATION_SWITCH void Fiber::leap(Jump& to) { __builtin_longjmp(to, 1); }

CONVNET_EMULATION_SWITCH void Fiber::jump(Jump& from, Jump& to) {
    if (__builtin_setjmp(from) == 0) leap(to);
}

CONVNET_EMULATION_SWITCH void Fiber::first_jump(Jump& from, const ucontext_t& to) {
    if (__builtin_setjmp(from) == 0) setcontext(&to);
}

void Fiber::resume() {
    leave_stack(&resumer_fake_stack_, memory_ + guard_size, stack_size);
    if (std::exchange(started_, true))
        jump(resumer_, own_);
    else
        first_jump(resumer_, start_);
    enter_stack(resumer_fake_stack_, nullptr, nullptr);
}

void Fiber::suspend() {
    leave_stack(&own_fake_stack_, resumer_stack_, resumer_stack_size_);
    jump(own_, resumer_);
    enter_stack(own_fake_stack_, &resumer_stack_, &resumer_stack_size_);
}

}  // namespace convnet_emulation
