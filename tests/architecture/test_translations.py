"""Every text of the portal has its Chinese, simplified and traditional, with the same placeholders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent.parent
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}|(?<!%)%[sd]")
CATALOGUES = ("zh_Hans", "zh_Hant")


def texts(language: str) -> dict[str, str]:
    """English text (the plural where there is one) to its translation."""
    with (ROOT / "locale" / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        catalogue = read_po(file)
    found = {}
    for message in catalogue:
        if message.id:
            source = message.id if isinstance(message.id, str) else message.id[1]
            found[source] = message.string if isinstance(message.string, str) else message.string[0]
    return found


@pytest.mark.parametrize("language", CATALOGUES)
def test_nothing_is_left_in_english(language: str) -> None:
    found = texts(language)
    assert len(found) > 2_000
    assert [source for source, text in found.items() if not text] == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_placeholders_survive_translation(language: str) -> None:
    wrong = [
        source
        for source, text in texts(language).items()
        if set(PLACEHOLDER.findall(text)) - set(PLACEHOLDER.findall(source))
    ]
    assert wrong == []


def test_both_have_the_same_texts() -> None:
    assert set(texts("zh_Hans")) == set(texts("zh_Hant"))


def test_texts_of_templates_are_in_the_catalogue() -> None:
    """A text that was added to a template and never collected would stay English without a word."""
    known = set(texts("zh_Hans"))
    pattern = re.compile(r"""\{%\s*translate\s+(?:"([^"]+)"|'([^']+)')""")
    missing = set()
    for path in (ROOT / "templates").rglob("*.html"):
        for double, single in pattern.findall(path.read_text(encoding="utf-8")):
            text = (double or single).replace("%", "%%")  # as Django collects it from templates
            if text not in known:
                missing.add((str(path.relative_to(ROOT)), text))
    assert missing == set()
