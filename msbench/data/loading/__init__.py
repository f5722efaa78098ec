"""From tracks to batches."""
