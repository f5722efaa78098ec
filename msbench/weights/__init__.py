"""Published weights by name: what each is, its files, and the model that they make."""
