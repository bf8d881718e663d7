"""The slot for the historic sources: a user's own copy, imported, locked, verified and recognised (spec 1)."""
