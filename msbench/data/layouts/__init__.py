"""One file a dataset's layout."""
