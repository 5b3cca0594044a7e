#!/bin/bash
# One run on several machines: sbatch examples/slurm.sh +recipe=imagenet100_class/simclr ...
# Several seeds:               sbatch --array=0-2 examples/slurm.sh ...
#SBATCH --job-name=pnr
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
# A minute before the end all processes are asked to save and stop; the same command goes on.
#SBATCH --signal=TERM@60

set -euo pipefail
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
seed=${SLURM_ARRAY_TASK_ID:-0}
run=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}

srun torchrun \
    --nnodes="$SLURM_NNODES" \
    --nproc-per-node="$SLURM_GPUS_ON_NODE" \
    --rdzv-id="$SLURM_JOB_ID" \
    --rdzv-backend=c10d \
    --rdzv-endpoint="$first:29500" \
    --max-restarts=3 \
    -m experiments device=cuda workers=8 seed="$seed" \
    out="runs/$run/seed=$seed" "$@"
