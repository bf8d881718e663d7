"""``convnet compare``: engines and traces held against each other, layer by layer (spec 3)."""
