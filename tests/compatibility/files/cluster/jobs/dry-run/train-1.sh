#!/bin/bash
# Trains 2 cells of /tmp/compatibility/cluster/suite.yaml, one an element.
# Written by `msbench submit`; to run some elements again by hand: sbatch --array=3,7 /tmp/compatibility/cluster/jobs/dry-run/train-1.sh
#SBATCH --job-name=train-1
#SBATCH --array=0-1
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16384M
#SBATCH --time=2:00:00
#SBATCH --partition=normal
#SBATCH --requeue
#SBATCH --chdir=/tmp/compatibility
#SBATCH --output=/tmp/compatibility/cluster/jobs/dry-run/logs/train-1_%a.log
#SBATCH --open-mode=append
#SBATCH --signal=USR2@120

# The cell of this element: the line of its number, from 0, in the list.
cell=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" /tmp/compatibility/cluster/jobs/dry-run/train-1.cells)
job=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
echo "msbench: begin $job train $cell on $SLURM_JOB_NODELIST, restart ${SLURM_RESTART_COUNT:-0}, $(date -Is)"

export MSBENCH_PLUGINS=/tmp/compatibility/tiny.py

export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # since SLURM 22.05 srun does not take it from the job
export MASTER_ADDR=${MASTER_ADDR:-$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)}
export MASTER_PORT=$((10000 + SLURM_JOB_ID % 20000))  # two jobs on one node do not meet

srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    python -m msbench.cluster.cell /tmp/compatibility/cluster/suite.yaml "$cell" --stage train --devices 1 --num-nodes 1
code=$?
echo "msbench: end $job code $code on $SLURM_JOB_NODELIST, $(date -Is)"

# 85: saved, go on later. 140 and 143: told to stop (USR2, TERM) before it could take the signal. A job that was
# cancelled meanwhile is left alone: scontrol would revive it.
if [[ $code == 85 || $code == 140 || $code == 143 ]] && (( ${SLURM_RESTART_COUNT:-0} < 50 )) &&
    [[ $(squeue --noheader --jobs "$job" --format %T) == RUNNING ]]; then
    echo "msbench: requeue $job"
    scontrol requeue "$job" && sleep 60  # SLURM ends this script
fi
exit $code
