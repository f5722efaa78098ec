"""What a plugin is made of: its contract, layers, checkpoints, costs."""
