"""What `msbench data` does with datasets: cards, figures, checks and preparation."""
