"""Base classes that several layouts share; none is a dataset of its own."""
