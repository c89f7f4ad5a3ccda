"""A web page on which one types a review and sees what one or more models say of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import Body, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from sentexp.trained_ensemble import Predictor
from sentexp.use.explaining import explain
from sentexp.use.predicting import predictions

LONGEST = 20_000
"""Characters of a text that is answered."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}
"""The page loads nothing, sends to nobody else and cannot be put into another one."""


def demo_app(models: Mapping[str, Predictor], hosts: list[str]) -> FastAPI:
    """Return the application: the page at /, and POST /predict of {"text": ...}.

    `models` by the names that the page shows. Requests for other host names than `hosts` are refused, so that a page
    elsewhere cannot reach the models by a name that points here. Raises SentexpError for an
    ensemble, and if what explains is not installed.
    """
    for model in models.values():
        explain(model, "a")  # what it lacks is told now, not when somebody types
    app = FastAPI(title="sentexp demo", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    page = Path(__file__).with_name("demo.html").read_text(encoding="utf-8")
    one_at_a_time = threading.Lock()  # each answer takes all cores

    @app.get("/")
    def show() -> HTMLResponse:
        return HTMLResponse(page, headers=HEADERS)

    @app.post("/predict")
    def predict(text: str = Body(embed=True)) -> dict[str, Any]:
        if len(text) > LONGEST:
            raise HTTPException(413, f"a text of {len(text):,} characters; expected at most {LONGEST:,}")
        with one_at_a_time:
            return {"runs": [{"name": name, **_answer(model, text)} for name, model in models.items()]}

    return app


def _answer(trained: Predictor, text: str) -> dict[str, Any]:
    """Return what the page shows of one model's view of a text."""
    ((prediction,),) = predictions(trained, [[text]])
    explanation = explain(trained, text)
    return {
        "label": prediction.label,
        "probabilities": prediction.probabilities,
        "explained": explanation.label,
        "notes": explanation.notes(),
        "tokens": [
            {"text": token.text, "contribution": token.contribution, "probability": token.probability}
            for token in explanation.tokens
            if token.contribution is not None
        ],
    }
