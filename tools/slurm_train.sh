#!/usr/bin/env bash
# Train under SLURM, on one or several machines (docs/multi_node.md).
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=8] [GRES=gpu:8] [MASTER_PORT=...] [SRUN_ARGS=...] \
#       bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
# GPUS is the number of processes. On machines without GPUs set GRES= (nothing).
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,5p' "$0" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
shift 3
gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
gres=${GRES-gpu:$gpus_per_node}
# Two jobs may share a machine, so they must not meet at the same port.
export MASTER_PORT=${MASTER_PORT:-$((20000 + RANDOM % 10000))}
# What MMEngine sets, with a warning on each rank.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"

# SRUN_ARGS is several words on purpose.
# shellcheck disable=SC2086
srun --partition="$partition" \
    --job-name="$job_name" \
    ${gres:+--gres="$gres"} \
    --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-8}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/train.py" "$config" --launcher slurm "$@"
