"""What estimates are compared with references by, in training."""
