// Fibers over ucontext (spec 6.6).
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
    getcontext(&own_);
    own_.uc_stack.ss_sp = memory_ + guard_size;
    own_.uc_stack.ss_size = stack_size;
    own_.uc_link = nullptr;
    // makecontext passes ints only.
    const std::uint64_t self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&own_, reinterpret_cast<void (*)()>(&Fiber::entry), 2, static_cast<unsigned int>(self >> 32),
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

void Fiber::resume() {
    leave_stack(&resumer_fake_stack_, memory_ + guard_size, stack_size);
    swapcontext(&resumer_, &own_);
    enter_stack(resumer_fake_stack_, nullptr, nullptr);
}

void Fiber::suspend() {
    leave_stack(&own_fake_stack_, resumer_stack_, resumer_stack_size_);
    swapcontext(&own_, &resumer_);
    enter_stack(own_fake_stack_, &resumer_stack_, &resumer_stack_size_);
}

}  // namespace convnet_emulation
