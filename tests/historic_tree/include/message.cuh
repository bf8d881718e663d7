// What the manager and the device threads tell each other through their queues.
#ifndef MESSAGE_CUH
#define MESSAGE_CUH

#include <batch.cuh>

class Layer;
class Link;

// Global enumerators, as was the habit.
enum MESSAGE_KIND { LOAD, FORWARD, BACKWARD, GRADIENT, UPLOAD, DOWNLOAD, UPDATE, RESET, SYNC };

class Message {
public:
    MESSAGE_KIND kind;
    Message(MESSAGE_KIND kind) : kind(kind) {
    }
    virtual ~Message() {
    }
};

// LOAD: an input from the host. FORWARD: a layer's output has come over a link.
class InputMessage : public Message {
public:
    Link& link;
    Matrix* host;
    NVMatrix* view;   // of the outputs on another device; NULL: see the link
    int pass;
    InputMessage(MESSAGE_KIND kind, Link& link, Matrix* host, NVMatrix* view, int pass)
        : Message(kind), link(link), host(host), view(view), pass(pass) {
    }
};

// GRADIENT: one from another device is ready on its link. BACKWARD: all of a layer's have come.
class GradMessage : public Message {
public:
    Link* link;
    Layer* layer;
    int pass;
    GradMessage(Link& link, int pass) : Message(GRADIENT), link(&link), layer(NULL), pass(pass) {
    }
    GradMessage(Layer& layer, int pass) : Message(BACKWARD), link(NULL), layer(&layer), pass(pass) {
    }
};

class UpdateMessage : public Message {
public:
    float progress, gradFactor;
    UpdateMessage(float progress, float gradFactor) : Message(UPDATE), progress(progress), gradFactor(gradFactor) {
    }
};

#endif
