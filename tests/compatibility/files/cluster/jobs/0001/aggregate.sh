#!/bin/bash
# Notes why cells failed while SLURM still knows it, then builds the board of /tmp/compatibility/cluster/suite.yaml.
#SBATCH --job-name=aggregate
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=4096M
#SBATCH --time=1:00:00
#SBATCH --partition=normal
#SBATCH --requeue
#SBATCH --chdir=/tmp/compatibility
#SBATCH --output=/tmp/compatibility/cluster/jobs/0001/logs/aggregate.log
#SBATCH --open-mode=append

export MSBENCH_PLUGINS=/tmp/compatibility/tiny.py

python -m msbench.cli status /tmp/compatibility/cluster/suite.yaml
python -m msbench.cli board build /tmp/compatibility/cluster
