from __future__ import annotations

from html.parser import HTMLParser

import numpy as np

from sentexp.report.run import mistakes

NAMES = ["neg", "pos"]


def worst(most: int = 50, texts: tuple[str, ...] = ("a", "b", "c", "d")) -> mistakes.pd.DataFrame:
    return mistakes.most_confident(
        confidence=np.array([0.6, 0.9, 0.99, 0.7]),
        answers=np.array([0, 1, 1, 0]),
        labels=np.array([1, 0, 1, 1]),
        lengths=np.array([5, 6, 7, 8]),
        texts=texts,
        names=NAMES,
        most=most,
    )


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_mistakes_come_the_most_confident_first_and_right_answers_not_at_all() -> None:
    table = worst()
    assert list(table["row"]) == [1, 3, 0]
    assert list(table["text"]) == ["b", "d", "a"]
    assert table.iloc[0].to_dict() == {
        "row": 1, "text": "b", "true": "neg", "predicted": "pos", "confidence": 0.9, "words": 6,
    }  # fmt: skip
    assert list(worst(most=1)["row"]) == [1]


def test_what_has_to_be_known_of_the_figures_stands_at_the_head() -> None:
    page = mistakes.mistakes_page(worst(), wrong=3, total=4, split="test", note="transductive: <1>")
    assert "<p>transductive: &lt;1&gt;<br>" in page


def test_only_the_texts_of_the_shown_are_read() -> None:
    read: list[int] = []

    class Texts:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, row: int) -> str:
            read.append(row)
            return "text"

    worst(most=2, texts=Texts())  # type: ignore[arg-type]
    assert read == [1, 3]


def test_a_review_cannot_put_anything_into_the_page() -> None:
    nasty = '<script>alert("x")</script> & <br /> </td>'
    page = mistakes.mistakes_page(worst(texts=(nasty, nasty * 20, "c", "d")), wrong=3, total=4, split="test")
    tags = Tags(page)
    assert "script" not in tags.found
    assert "br" not in tags.found
    assert nasty in tags.text
    assert tags.found.count("tr") == 4


def test_the_page_needs_nothing_else() -> None:
    page = mistakes.mistakes_page(worst(), wrong=3, total=4, split="test")
    assert "http" not in page
    assert "src=" not in page


def test_a_long_review_unfolds_to_the_whole_of_it() -> None:
    text = " ".join(str(number) for number in range(400))
    page = mistakes.mistakes_page(worst(texts=("a", text, "c", "d")), wrong=3, total=4, split="test")
    assert "details" in Tags(page).found
    assert text in Tags(page).text.replace("……", "")


def test_no_mistake_is_said_in_words() -> None:
    none = mistakes.most_confident(np.array([0.9]), np.array([1]), np.array([1]), np.array([3]), ["good"], NAMES)
    assert "No mistake among 1 reviews" in mistakes.mistakes_page(none, wrong=0, total=1, split="test")
