#!/usr/bin/env bash
# Run a command with a standalone Spark cluster on this machine, for a test: a master and two workers on loopback.
# Usage: scripts/spark_cluster.sh COMMAND [ARGUMENT...]
# The command gets SPARK_MASTER, and SPARK_WORKER_PIDS with the processes of the two workers. The cluster ends with it.
# PYTHON (default: python) has pyspark. SPARK_WORKER_MEMORY (default: 3g) is what the executors of a worker may take.
set -euo pipefail

fail() { printf 'spark_cluster.sh: %s\n' "$*" >&2; exit 2; }

[ $# -gt 0 ] || fail "a command is missing: scripts/spark_cluster.sh COMMAND [ARGUMENT...]"
python=${PYTHON:-python}
spark_home=$("$python" -c 'import pyspark; print(pyspark.__path__[0])' 2> /dev/null) \
    || fail "$python has no pyspark; install requirements-spark.lock and set PYTHON"
[ -n "${JAVA_HOME:-}" ] || command -v java > /dev/null || fail "no Java was found; install Java 17"

folder=$(mktemp -d)
export SPARK_HOME=$spark_home SPARK_LOCAL_IP=127.0.0.1 SPARK_NO_DAEMONIZE=1
pids=()
end() {
    trap - EXIT
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export SPARK_MASTER=spark://127.0.0.1:$port

start() {
    local log=$1
    shift
    "$spark_home/bin/spark-class" "$@" > "$folder/$log" 2>&1 &
    pids+=("$!")
}
await() {
    local log=$1 text=$2
    for _ in $(seq 240); do
        ! grep -q "$text" "$folder/$log" || return 0
        sleep 0.5
    done
    tail -5 "$folder/$log" >&2
    fail "$log: no line with '$text' within two minutes"
}

start master org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port" --webui-port 0
await master "New state: ALIVE"
for worker in worker1 worker2; do
    start "$worker" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --webui-port 0 --cores 1 \
        --memory "${SPARK_WORKER_MEMORY:-3g}" --work-dir "$folder/$worker.work" "$SPARK_MASTER"
done
await worker1 "Successfully registered"
await worker2 "Successfully registered"
export SPARK_WORKER_PIDS="${pids[1]} ${pids[2]}"

"$@"
