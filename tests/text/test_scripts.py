from __future__ import annotations

import pytest

from sentexp.text.scripts import foreign_script, written_without_spaces

CHINESE = ["这部电影非常好看,我很喜欢。", "剧情无聊,浪费时间"]
ARABIC = ["فيلم رائع جدا", "قصة مملة"]
JAPANESE = ["この映画はとても面白かった", "退屈な話"]
THAI = ["หนังเรื่องนี้สนุกมาก"]
RUSSIAN = ["Отличный фильм", "скучно"]


@pytest.mark.parametrize(
    ("texts", "language", "note"),
    [
        (
            CHINESE,
            "en",
            "100% of the letters are Chinese, the tokenizer is for language en; expected tokenizer.language=zh",
        ),
        (ARABIC, "en", "Arabic, the tokenizer is for language en; expected tokenizer.language=ar"),
        (JAPANESE, "en", "expected tokenizer.language=ja"),
        (RUSSIAN, "de", "Cyrillic, the tokenizer is for language de; expected tokenizer.language=ru"),
        (CHINESE, None, "written without spaces; tokenizer=spacy tokenizer.language=zh finds its words"),
        (THAI, None, "tokenizer=spacy tokenizer.language=th finds its words"),
    ],
)
def test_a_script_that_the_tokenizer_is_not_for_is_told_with_the_key(texts, language, note):
    assert foreign_script(texts, language).endswith(note)


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (CHINESE, "zh"),
        (CHINESE, "ja"),
        (ARABIC, "fa"),
        (RUSSIAN, "uk"),
        (RUSSIAN, None),
        (RUSSIAN, "xx"),
        ([*CHINESE, "我喜欢の"], "zh"),
        (["an English film by 张艺谋"], "en"),
        (["très bien, größer"], "en"),
        (["", "123 !?"], "en"),
        ([], "en"),
    ],
)
def test_nothing_is_said_where_it_fits(texts, language):
    assert foreign_script(texts, language) is None


def test_scripts_without_spaces_are_known_by_a_letter():
    assert all(map(written_without_spaces, [*CHINESE, *JAPANESE, *THAI]))
    assert not any(map(written_without_spaces, [*ARABIC, *RUSSIAN, "", "12。"]))
