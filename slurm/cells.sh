#!/bin/bash
# @WHAT@
# Written by `msbench submit`; to run some elements again by hand: sbatch --array=3,7 @SCRIPT@
#SBATCH --job-name=@NAME@
#SBATCH --array=@ARRAY@
#SBATCH --nodes=@NODES@
#SBATCH --ntasks-per-node=@RANKS@
#SBATCH --cpus-per-task=@CPUS@
#SBATCH --mem=@MEMORY@
#SBATCH --time=@TIME@
@OPTIONS@
#SBATCH --chdir=@FOLDER@
#SBATCH --output=@LOG@
#SBATCH --open-mode=append
#SBATCH --signal=USR2@@SAVE_SECONDS@

# The cell of this element: the line of its number, from 0, in the list.
cell=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" @CELLS@)
job=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
echo "msbench: begin $job @STAGE@ $cell on $SLURM_JOB_NODELIST, restart ${SLURM_RESTART_COUNT:-0}, $(date -Is)"

export PYTHONSAFEPATH=1  # no module is looked for in the folder that Python starts in
@EXPORTS@
@SETUP@
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # since SLURM 22.05 srun does not take it from the job
export MASTER_ADDR=${MASTER_ADDR:-$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)}
export MASTER_PORT=$((10000 + SLURM_JOB_ID % 20000))  # two jobs on one node do not meet

srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    @CONTAINER@@PYTHON@ -P -m msbench.cluster.cell --stage @STAGE@ --devices @RANKS@ --num-nodes @NODES@ \
    -- @SUITE@ "$cell"
code=$?
echo "msbench: end $job code $code on $SLURM_JOB_NODELIST, $(date -Is)"

# @SAVED@: saved, go on later. 140 and 143: asked to stop (USR2, TERM) before it could take the signal. A job that was
# cancelled meanwhile is left alone: scontrol would revive it.
if [[ $code == @SAVED@ || $code == 140 || $code == 143 ]] && (( ${SLURM_RESTART_COUNT:-0} < @REQUEUES@ )) &&
    [[ $(squeue --noheader --jobs "$job" --format %T) == RUNNING ]]; then
    echo "msbench: requeue $job"
    scontrol requeue "$job" && sleep 60  # SLURM ends this script
fi
exit $code
