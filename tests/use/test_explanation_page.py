from __future__ import annotations

import re
from html.parser import HTMLParser

from made_up_model import trained

from sentexp.use.explaining import explain
from sentexp.use.explanation_page import explanation_page

EVIL = '<script>alert("x")</script> \'"><img src=x onerror=1> good \x1b'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs) -> None:
        self.seen.append(tag)
        assert not any(name.startswith(("on", "src", "href")) for name, _ in attrs)


def test_texts_labels_and_the_name_of_the_model_are_escaped() -> None:
    model = trained(labels=("<b>neg", "<script>pos"))
    model.pipeline.clean = type(model.pipeline.clean)(html=False)
    page = explanation_page([explain(model, EVIL)], "<i>run</i>")
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "b"} & set(tags.seen)
    assert "&lt;script&gt;pos" in page
    assert "\x1b" not in page


def test_the_page_holds_all_of_it_and_loads_nothing() -> None:
    texts = ["a good film", "", "xyzzy bad"]
    page = explanation_page([explain(trained(), text) for text in texts], "latest")
    assert page.count("<h2>") == 3
    assert page.count("<svg") == 2  # one token alone is no curve
    assert len(re.findall("<tr><td", page)) == 3 + 1 + 2
    assert "no token is left of the text" in page
    assert "http" not in page
