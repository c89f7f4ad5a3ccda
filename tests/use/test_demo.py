from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient
from made_up_model import BAG_OF_WORDS, trained

from sentexp.use import demo
from sentexp.use.demo import demo_app

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

MODELS = {"first": trained(), "second": trained(BAG_OF_WORDS, labels=("a", "b", "<i>c</i>"))}


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(demo_app(MODELS, ["testserver"]))


def test_each_model_answers_with_its_probabilities_and_tokens(client: TestClient) -> None:
    answer = client.post("predict", json={"text": "a good film"}).json()
    assert [run["name"] for run in answer["runs"]] == ["first", "second"]
    for run, model in zip(answer["runs"], MODELS.values(), strict=True):
        expected = model.predict(["a good film"])[0]
        assert list(run["probabilities"].values()) == pytest.approx(expected.tolist(), abs=1e-5)
        assert run["label"] == model.labels[int(expected.argmax())]
        assert [token["text"] for token in run["tokens"]] == ["a", "good", "film"]
        assert run["tokens"][-1]["probability"] == pytest.approx(run["probabilities"][run["explained"]], abs=1e-5)


@pytest.mark.parametrize("text", ["xyzzy", "\x00\x07", "\U0001f600", "中文", "", " "])
def test_odd_texts_are_answered(client: TestClient, text: str) -> None:
    answer = client.post("predict", json={"text": text})
    assert answer.status_code == 200
    assert answer.json()["runs"][0]["notes"]


@pytest.mark.parametrize(
    ("body", "status"), [({"text": "a" * 20_001}, 413), ({"text": 3}, 422), ({}, 422), ([], 422), ({"text": None}, 422)]
)
def test_what_is_no_text_or_too_long_is_refused_with_the_reason(client: TestClient, body: Any, status: int) -> None:
    answer = client.post("predict", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_other_names_of_this_machine_reach_nothing() -> None:
    elsewhere = TestClient(demo_app({}, ["127.0.0.1"]), base_url="http://evil.example")
    assert elsewhere.get("/").status_code == 400
    assert elsewhere.post("/predict", json={"text": "a"}).status_code == 400


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page.text


TYPING = """
<script>
addEventListener("load", async () => {
  for (const character of "a good film") {
    field.value += character;
    field.dispatchEvent(new Event("input"));
    await new Promise(done => setTimeout(done, 20));
  }
});
</script>
"""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the demo, which has a second page that types by itself."""
    app = demo_app(MODELS, ["127.0.0.1"])
    page = Path(demo.__file__).with_name("demo.html").read_text(encoding="utf-8")

    @app.get("/typing")
    def typing() -> HTMLResponse:
        return HTMLResponse(page.replace("</body>", f"{TYPING}</body>"), headers=demo.HEADERS)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: chromium or google-chrome")
def test_who_types_sees_the_answers_of_all_models(address: str, tmp_path: Path) -> None:
    command = [str(BROWSER), "--headless", "--no-sandbox", f"--user-data-dir={tmp_path}/profile", "--dump-dom",
               "--timeout=20000", "--virtual-time-budget=20000"]  # fmt: skip
    done = subprocess.run([*command, f"{address}/typing"], capture_output=True, encoding="utf-8", timeout=120)
    shown = done.stdout.partition('<div id="runs">')[2].partition("<script>")[0]
    assert shown.count('class="run"') == 2
    assert shown.count(">good</span>") == 2
    assert "&lt;i&gt;c&lt;/i&gt;" in shown
    assert "<i>" not in shown
