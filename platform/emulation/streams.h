// Streams and events (spec 6.6). What is asked of a stream is done at once, or later where CONVNET_EMULATION_STREAMS
// says so: `lazy` leaves it until somebody waits for it, `shuffled` does some of it now and then, of any stream. Both are
// within what CUDA allows, so work that ought to wait for other work, and does not, gives other results there.
#pragma once

#include <functional>

#include "include/emulation/api.h"

namespace convnet_emulation {

// Whether work may be put off: it must then hold copies of all that it needs.
bool streams_put_off();

// Runs `work` in its turn. Errors that it throws come out of the call that waits for it.
void enqueue(cudaStream_t stream, std::function<void()> work);

// Does all that has been asked of a stream; of the current device's default stream and those that it waits for; of all.
void finish(cudaStream_t stream);
void finish_default();
void finish_all();

}  // namespace convnet_emulation
