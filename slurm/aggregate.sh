#!/bin/bash
# Notes why cells failed while SLURM still knows it, then builds the board of @SUITE@.
#SBATCH --job-name=@NAME@
#SBATCH --nodes=@NODES@
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=@CPUS@
#SBATCH --mem=@MEMORY@
#SBATCH --time=@TIME@
@OPTIONS@
#SBATCH --chdir=@FOLDER@
#SBATCH --output=@LOG@
#SBATCH --open-mode=append

export PYTHONSAFEPATH=1  # no module is looked for in the folder that Python starts in
@EXPORTS@
@SETUP@
@CONTAINER@@PYTHON@ -P -m msbench.cli status @SUITE@
@CONTAINER@@PYTHON@ -P -m msbench.cli board build @BOARD@
