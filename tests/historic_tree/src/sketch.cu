// A program by itself, for looking at one pooled image. Its header was never kept; no build of the extension has it.
#include <sketch_images.h>
#include <cudaconv2.cuh>

int main(int argc, char** argv) {
    NVMatrix images(1, SKETCH_PIXELS), pooled;
    images.copyFromHost(sketchImage(argc > 1 ? argv[1] : "0"), true);
    convLocalPool(images, pooled, 1, 2, 0, 2, SKETCH_SIZE / 2, MaxPooler());
    pooled.print(SKETCH_SIZE, SKETCH_SIZE);
    return 0;
}
