"""The cells of a suite, and what their folders tell."""
