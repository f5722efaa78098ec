"""Training: one LightningModule for every plugin, its callbacks, and the command line over them."""
