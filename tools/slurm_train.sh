#!/usr/bin/env bash
# Train on a Slurm cluster:
# PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
# GPUS (8) is the number of processes, GPUS_PER_NODE (8) those of a machine,
# CPUS_PER_TASK (5) their cores; SRUN_ARGS are further options of srun.
set -euo pipefail

if (( $# < 4 )); then
    echo "usage: $0 PARTITION JOB_NAME CONFIG WORK_DIR [options]" >&2
    exit 2
fi
partition=$1
job_name=$2
config=$3
work_dir=$4
shift 4
processes=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
read -r -a srun_args <<< "${SRUN_ARGS:-}"

exec srun -p "$partition" \
    --job-name="$job_name" \
    --gres="gpu:$per_node" \
    --ntasks="$processes" \
    --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "${PYTHON:-python}" -u "$(dirname "${BASH_SOURCE[0]}")/train.py" \
    "$config" --work-dir "$work_dir" --launcher slurm "$@"
