"""The ceiling: a FastAPI endpoint that returns the same bytes whatever it is asked, those of BENCHMARK_BODY."""

import os
from pathlib import Path

from fastapi import FastAPI, Response

BODY = Path(os.environ["BENCHMARK_BODY"]).read_bytes()
app = FastAPI()


@app.post("/recommendations/generate")
async def constant() -> Response:
    return Response(BODY, media_type="application/json")
