# Crops of a batch of images, minus a mean (bindings/crops.h, spec 5.3); convnet_py/_crops.pyi documents them.
# Every array is checked here; the C++ side trusts what it gets.
from libc.stdint cimport int64_t, uint8_t
from libcpp cimport bool as cpp_bool
from libcpp.vector cimport vector

cdef extern from "bindings/crops.h" namespace "convnet" nogil:
    cdef cppclass Placement:
        int64_t top
        int64_t left
        cpp_bool mirror

    cdef cppclass CropTarget:
        float* values
        int64_t channels, height, width, cases, row
        const float* mean
        const float* shift
        float scale

    void crop_planes(const uint8_t*, int64_t, int64_t, const vector[Placement]&, int64_t, const CropTarget&)
    void crop_planes(const float*, int64_t, int64_t, const vector[Placement]&, int64_t, const CropTarget&)
    void crop_interleaved(const uint8_t*, int64_t, int64_t, const Placement&, const CropTarget&)
    const int64_t full_chunk

ctypedef fused pixel:
    uint8_t
    float

#: How many decoded images crop_decoded takes at once; and bytes that it reads beyond each.
CHUNK = full_chunk
BYTES_BEYOND = 8


cdef Placement checked_placement(tuple placed, int64_t rows, int64_t columns, const CropTarget& to) except *:
    cdef Placement placement
    placement.top, placement.left, placement.mirror = placed
    if not (0 <= placement.top <= rows - to.height and 0 <= placement.left <= columns - to.width):
        raise ValueError(f"placement {placed}: the crop would leave the image of {rows} x {columns}")
    return placement


cdef CropTarget checked_target(float[:, :, :, :] target, const float[:, :, ::1] mean, const float[:, ::1] shift,
                               float scale) except *:
    cdef CropTarget to
    to.channels, to.height, to.width, to.cases = target.shape[0], target.shape[1], target.shape[2], target.shape[3]
    if 0 in (to.channels, to.height, to.width, to.cases):
        raise ValueError("target: expected at least one value")
    if (mean.shape[0], mean.shape[1], mean.shape[2]) != (to.channels, to.height, to.width):
        raise ValueError("mean: expected the shape of a target image")
    if (shift.shape[0], shift.shape[1]) != (to.channels, to.cases):
        raise ValueError("shift: expected channels x cases")
    to.row = target.strides[2] // <int64_t> sizeof(float)
    if (target.strides[3] != sizeof(float) or target.strides[1] != target.strides[2] * to.width
            or (to.channels > 1 and target.strides[0] != target.strides[1] * to.height)):
        raise ValueError("target: expected columns of a C-contiguous matrix")
    to.values, to.mean, to.shift, to.scale = &target[0, 0, 0, 0], &mean[0, 0, 0], &shift[0, 0], scale
    return to


def crop(const pixel[:, :, :, ::1] images, list placements, int64_t chunk, float[:, :, :, :] target,
         const float[:, :, ::1] mean, const float[:, ::1] shift, float scale):
    cdef CropTarget to = checked_target(target, mean, shift, scale)
    cdef int64_t rows = images.shape[1], columns = images.shape[2]
    cdef vector[Placement] checked
    if images.shape[0] != to.channels or images.shape[3] != to.cases:
        raise ValueError("images: expected as many channels and cases as target has")
    if chunk < 1 or len(placements) != -(-to.cases // chunk):
        raise ValueError(f"placements: expected one for each {chunk} of {to.cases} cases")
    for placed in placements:
        checked.push_back(checked_placement(placed, rows, columns, to))
    with nogil:
        crop_planes(&images[0, 0, 0, 0], rows, columns, checked, chunk, to)


def crop_decoded(const uint8_t[:, ::1] images, int64_t rows, int64_t columns, tuple placement,
                 float[:, :, :, :] target, const float[:, :, ::1] mean, const float[:, ::1] shift, float scale):
    cdef CropTarget to = checked_target(target, mean, shift, scale)
    cdef Placement placed = checked_placement(placement, rows, columns, to)
    if images.shape[0] != CHUNK or images.shape[1] < rows * columns * to.channels + BYTES_BEYOND:
        raise ValueError(f"images: expected {CHUNK} of {rows} x {columns} pixels and {BYTES_BEYOND} bytes more")
    if to.cases > CHUNK:
        raise ValueError(f"target: expected at most {CHUNK} cases")
    with nogil:
        crop_interleaved(&images[0, 0], images.shape[1], columns, placed, to)
