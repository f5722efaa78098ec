"""msbench's own models: one file and its recipes each. They come in by entry points, as any stranger's do."""
