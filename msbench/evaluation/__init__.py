"""A model, or files, and a dataset give one record."""
