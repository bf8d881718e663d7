"""Data: batch folders, the providers that turn batches into matrices, and safe reading of pickles (spec 5)."""
