"""Templates of SLURM scripts, cluster profiles and the private test cluster."""
