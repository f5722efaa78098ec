"""`msbench new`."""
