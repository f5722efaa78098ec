"""Layouts of datasets, one file per layout."""
