# shellcheck shell=bash
# What the scripts that start several processes share; they source it.
#
# start_with_torchrun PROCESSES SCRIPT [options]
#     On one machine with a port of its own, unless PORT names one. On several,
#     run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) set.
#     With RESTARTS, machines may go away and come back, so often; NODE_RANK is
#     not needed, NNODES may be MIN:MAX, and MASTER_ADDR has to stay.
# start_with_srun PARTITION JOB_NAME SCRIPT [options]
#     GPUS (8) is the number of processes, GPUS_PER_NODE (8) those of a
#     machine. CPUS_PER_TASK (5) are the cores of each, SRUN_ARGS further
#     options of srun.
#
# SCRIPT is one of tools/. PYTHON names the interpreter.

tools=$(dirname "${BASH_SOURCE[0]}")

start_with_torchrun() {
    local processes=$1 script=$2 where
    shift 2
    if [[ -n ${RESTARTS:-} ]]; then
        # torch 2.13 tells where to meet in its first round only: a machine
        # that came back would wait a minute for it, and all would end.
        export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
        where=(--nnodes="${NNODES:?is needed with RESTARTS: 3, or 2:3}"
            --max_restarts="$RESTARTS" --rdzv_backend=c10d
            --rdzv_id="${MASTER_ADDR:?is needed with RESTARTS: node 0}"
            --rdzv_endpoint="$MASTER_ADDR:${PORT:-29500}")
    elif (( ${NNODES:-1} > 1 )); then
        where=(--nnodes="$NNODES"
            --node_rank="${NODE_RANK:?is needed with NNODES > 1: 0, 1, ...}"
            --master_addr="${MASTER_ADDR:?is needed with NNODES > 1: node 0}"
            --master_port="${PORT:-29500}")
    elif [[ -n ${PORT:-} ]]; then
        where=(--master_addr=127.0.0.1 --master_port="$PORT")
    else
        where=(--standalone --local_addr=127.0.0.1)
    fi
    # torchrun would make it 1, however many cores there are.
    if [[ -z ${OMP_NUM_THREADS:-} ]]; then
        export MCJEPA_MM_SHARE_CORES=1
    fi
    exec "${PYTHON:-python}" -m torch.distributed.run "${where[@]}" \
        --nproc_per_node="$processes" "$tools/$script" --launcher pytorch "$@"
}

start_with_srun() {
    local partition=$1 job_name=$2 script=$3 per_node=${GPUS_PER_NODE:-8}
    local srun_args
    shift 3
    read -r -a srun_args <<< "${SRUN_ARGS:-}"
    exec srun -p "$partition" --job-name="$job_name" --gres="gpu:$per_node" \
        --ntasks="${GPUS:-8}" --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
        ${srun_args[@]+"${srun_args[@]}"} \
        "${PYTHON:-python}" -u "$tools/$script" --launcher slurm "$@"
}
