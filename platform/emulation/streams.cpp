// Streams and events (spec 6.6). See streams.h.
#include "streams.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "state.h"

using Work = std::function<void()>;

struct convnet_emulation_stream {
    convnet_emulation_stream(int device, bool waits) : device(device), waits(waits) {}

    const int device;
    const bool waits;  // for the device's default stream, and that one for it
    std::deque<Work> pending;
    std::uint64_t asked = 0, done = 0;  // how much work
    unsigned pace = 1;                  // where streams are shuffled
};

struct convnet_emulation_event {
    struct State {
        bool reached = false;
        std::chrono::steady_clock::time_point time;
    };
    // Of the last record; null where there was none.
    std::shared_ptr<State> state;
    convnet_emulation_stream* stream = nullptr;
    std::uint64_t position = 0;
};

namespace convnet_emulation {
namespace {

using Stream = convnet_emulation_stream;
using Event = convnet_emulation_event;

enum class Mode { eager, lazy, shuffled };

Mode mode() {
    static const Mode mode =
        static_cast<Mode>(choice_from_environment("CONVNET_EMULATION_STREAMS", {"eager", "lazy", "shuffled"}));
    return mode;
}

// Held while work is put off or done; work that waits for another stream does that one's.
std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

std::vector<Stream*>& streams() {
    static auto* streams = new std::vector<Stream*>;  // never destroyed, like the default streams
    return *streams;
}

Stream& default_stream(int device) {
    static auto* defaults = new std::map<int, Stream*>;
    Stream*& stream = (*defaults)[device];
    if (!stream) streams().push_back(stream = new Stream(device, true));
    return *stream;
}

bool is_default(cudaStream_t stream) {
    return stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread;
}

Stream& resolved(cudaStream_t stream) { return is_default(stream) ? default_stream(caller().device) : *stream; }

void do_next(Stream& stream) {
    const Work work = std::move(stream.pending.front());
    stream.pending.pop_front();
    struct Done {
        Stream& stream;
        ~Done() { stream.done++; }
    } done{stream};
    work();
}

void do_until(Stream& stream, std::uint64_t position) {
    while (stream.done < position && !stream.pending.empty()) do_next(stream);
}

void put_off(Stream& stream, Work work) {
    stream.pending.push_back(std::move(work));
    stream.asked++;
}

// The default stream of a device and its others wait for each other, but for those that were made not to.
void put_off_until_neighbours_are_done(Stream& stream) {
    Stream& main = default_stream(stream.device);
    if (!stream.waits) return;
    for (Stream* other : streams()) {
        const bool neighbour = other->device == stream.device && other->waits && other != &stream;
        if (!neighbour || (&stream != &main && other != &main) || other->done == other->asked) continue;
        put_off(stream, [other, position = other->asked] { do_until(*other, position); });
    }
}

// A stream that stands still for a while, as another one runs ahead, shows more than one that lags by chance.
void do_some() {
    constexpr unsigned work_at_one_pace = 64, fastest = 2;
    static std::minstd_rand random(1);
    for (Stream* stream : streams()) {
        if (random() % work_at_one_pace == 0) stream->pace = random() % (fastest + 1);
        for (unsigned i = 0; i < stream->pace && !stream->pending.empty(); i++) do_next(*stream);
    }
}

void reach(const Event& event) {
    if (event.state && !event.state->reached) do_until(*event.stream, event.position);
}

}  // namespace

bool streams_put_off() { return mode() != Mode::eager; }

void enqueue(cudaStream_t given, Work work) {
    if (!streams_put_off()) return work();
    const Lock lock(mutex);
    Stream& stream = resolved(given);
    put_off_until_neighbours_are_done(stream);
    put_off(stream, std::move(work));
    if (mode() == Mode::shuffled) do_some();
}

void finish(cudaStream_t given) {
    const Lock lock(mutex);
    Stream& stream = resolved(given);
    do_until(stream, stream.asked);
}

void finish_default() {
    if (!streams_put_off()) return;
    enqueue(nullptr, [] {});
    finish(nullptr);
}

void finish_all() {
    const Lock lock(mutex);
    for (Stream* stream : streams()) do_until(*stream, stream->asked);
}

}  // namespace convnet_emulation

using namespace convnet_emulation;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
    const Lock lock(mutex);
    *stream = new Stream(caller().device, !(flags & cudaStreamNonBlocking));
    streams().push_back(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    if (is_default(stream)) return set_last_error(cudaErrorInvalidResourceHandle);
    const Lock lock(mutex);
    finish_all();  // what others wait for may be behind it
    streams().erase(std::find(streams().begin(), streams().end(), stream));
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    is_default(stream) ? finish_default() : finish(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t given) {
    const Lock lock(mutex);
    const Stream& stream = resolved(given);
    return stream.done == stream.asked ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
    if (event == nullptr) return set_last_error(cudaErrorInvalidResourceHandle);
    enqueue(stream, [event = *event] { reach(event); });
    return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*function)(void*), void* data) {
    enqueue(stream, [=] { function(data); });
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
    *event = new Event;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) { return cudaEventCreate(event); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    if (event == nullptr) return set_last_error(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t given) {
    if (event == nullptr) return set_last_error(cudaErrorInvalidResourceHandle);
    const Lock lock(mutex);
    auto state = std::make_shared<Event::State>();
    enqueue(given, [state] {
        state->time = std::chrono::steady_clock::now();
        state->reached = true;
    });
    Stream& stream = resolved(given);
    *event = Event{state, &stream, stream.asked};
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const Lock lock(mutex);
    reach(*event);
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    return !event->state || event->state->reached ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    if (start == nullptr || end == nullptr || !start->state || !end->state)
        return set_last_error(cudaErrorInvalidResourceHandle);
    if (!start->state->reached || !end->state->reached) return set_last_error(cudaErrorNotReady);
    *milliseconds = std::chrono::duration<float, std::milli>(end->state->time - start->state->time).count();
    return cudaSuccess;
}
