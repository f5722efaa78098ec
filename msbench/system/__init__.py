"""The machine that we run on: files, processors. It knows nothing of sound."""
