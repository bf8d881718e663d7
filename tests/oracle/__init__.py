"""Float64 NumPy oracles of every operation of spec 3, and the tests that hold the device against them.

One module per family (spec 3.1 conv, 3.2 pool, 3.3 norm, 3.4 image, 3.5 neuron, 3.6 dense, 3.7 cost,
3.8 update). Oracles have the names and keywords of ``convnet_py/_device.pyi``, take float64 arrays of
rows x cases and return what the device would write with scale_targets 0 and scale_output 1.
"""
