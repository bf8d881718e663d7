// One thread for each logical device: it runs what stands in its queue on its own layers.
#ifndef DEVICE_THREAD_CUH
#define DEVICE_THREAD_CUH

#include <map>
#include <message.cuh>
#include <queue.h>
#include <sync.h>
#include <thread.h>

class DeviceThread : public Thread {
private:
    int _deviceID;
    Ints _allDevices;
    map<string, Layer*> _layers;
    Queue<Message*> _inbox;
    Queue<int>& _done;
    ThreadSynchronizer& _ready;

    void prepare();
    void update(float progress, float gradFactor);
    void forAllWeights(MESSAGE_KIND kind);
    void handle(Message* message);

protected:
    void* run();

public:
    DeviceThread(int deviceID, Ints& allDevices, Ints& cpus, Queue<int>& done, ThreadSynchronizer& ready);
    void own(Layer& layer);
    int deviceID() { return _deviceID; }
    void send(Message* message) { _inbox.enqueue(message); }
    // To the manager: this piece of work is over.
    void report() { _done.enqueue(_deviceID); }
};

#endif
