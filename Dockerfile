# Two images: `serve` (the default) answers requests; `train` migrates, loads feeds and trains.
# A deployment pins the base by digest: --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS installer
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements-uv.lock ./
RUN python -m pip install --root-user-action=ignore --require-hashes -r requirements-uv.lock
RUN uv venv --no-project --python "$(command -v python3)" /opt/venv

FROM installer AS serve-packages
# requirements-tracing.lock adds what sends traces.
ARG SERVE_LOCK=requirements-serve.lock
COPY ${SERVE_LOCK} ./
# Bytecode is made here: the root file system of the running container is read-only. The packages' own tests stay behind.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip sync --require-hashes --python /opt/venv/bin/python "${SERVE_LOCK}" \
    && find /opt/venv -type d -name tests -path '*/site-packages/*' -prune -exec rm -rf {} +

FROM installer AS train-packages
COPY requirements-train.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip sync --require-hashes --python /opt/venv/bin/python requirements-train.lock

FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MODELS_DIR=/srv/models KEYS_DIR=/srv/keys SNAPSHOT_DIR=/srv/snapshots
# Volumes take over the owner of the folder that they cover.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin feed \
    && install -d -o feed -g feed -m 0750 /srv/models /srv/keys /srv/service-keys /srv/snapshots
WORKDIR /srv/app

FROM runtime AS train
COPY --from=train-packages /opt/venv /opt/venv
COPY alembic.ini ./
COPY app ./app
COPY data ./data
COPY training ./training
COPY --chmod=0755 scripts/prepare.sh ./scripts/prepare.sh
# matplotlib and joblib want a place of their own to write to.
ENV MPLCONFIGDIR=/tmp/matplotlib
USER 10001
CMD ["scripts/prepare.sh"]

FROM runtime AS serve
# A request is ranked in one thread; idle BLAS threads would only cost memory and wake-ups.
ENV HOST=0.0.0.0 PORT=8000 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
COPY --from=serve-packages /opt/venv /opt/venv
COPY app ./app
RUN python -m compileall -q app
USER 10001
EXPOSE 8000
# 200 as long as a feed can be answered at all, with or without model and database.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["python", "-S", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health\", timeout=2)"]
CMD ["sh", "-c", "exec python -m uvicorn app.main:app --host \"$HOST\" --port \"$PORT\" --timeout-keep-alive 75 --timeout-graceful-shutdown \"${SHUTDOWN_GRACE_SECONDS:-10}\""]
