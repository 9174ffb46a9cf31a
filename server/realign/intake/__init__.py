"""A request becomes a run: words are understood, roles settled, everything checked before any work."""
