"""Every text of the portal has its Chinese, simplified and traditional, with the same placeholders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

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


@pytest.mark.parametrize("language", CATALOGUES)
def test_the_catalogue_can_be_compiled(language: str) -> None:
    """By what Babel refuses when it compiles: such as a placeholder that only one form of the English has."""
    with (ROOT / "locale" / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        catalogue = read_po(file)
    assert [(message.id, list(map(str, errors))) for message, errors in catalogue.check()] == []


def test_both_have_the_same_texts() -> None:
    assert set(texts("zh_Hans")) == set(texts("zh_Hant"))


#: The functions that mark a text, by where its context and its texts stand in the call.
MARKS = {
    "gettext": (None, (0,)), "gettext_lazy": (None, (0,)), "gettext_noop": (None, (0,)),
    "_": (None, (0,)), "translate": (None, (0,)),
    "pgettext": (0, (1,)), "pgettext_lazy": (0, (1,)),
    "ngettext": (None, (0, 1)), "ngettext_lazy": (None, (0, 1)),
    "npgettext": (0, (1, 2)), "npgettext_lazy": (0, (1, 2)),
}  # fmt: skip
LITERAL = re.compile(r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\")""")
#: A marked text in what Django makes of a template: the name of the function and the constants given to it.
CALL = re.compile(
    rf"(?<!\w)(?P<name>n?p?gettext|_)\((?P<given>\s*(?:{LITERAL.pattern})(?:\s*,\s*(?:{LITERAL.pattern}))*)"
)
Text = tuple[str | None, tuple[str, ...]]


def texts_of_python(path: Path) -> Iterator[tuple[int, Text]]:
    """The marked texts of a module, with their lines: the context and singular and plural."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in MARKS:
            continue
        context, places = MARKS[name]
        given = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
        words = tuple(given[place] for place in places if place < len(given))
        if words and all(isinstance(each, str) and each for each in words):
            yield node.lineno, (None if context is None else str(given[context]), tuple(map(str, words)))


def texts_of_template(path: Path) -> Iterator[tuple[int, Text]]:
    """The texts of a template as Django collects them: `translate`, `blocktranslate` and filters of constants."""
    source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    for call in CALL.finditer(source):
        context, places = MARKS[call["name"]]
        given = [ast.literal_eval(each[0]) for each in LITERAL.finditer(call["given"])]
        words = tuple(given[place] for place in places)
        yield source.count("\n", 0, call.start()) + 1, (None if context is None else given[context], words)


def collected() -> dict[Text, str]:
    """Every text of Python files and templates, with the first place that has it."""
    found: dict[Text, str] = {}
    sources = [(path, texts_of_python) for path in sorted((ROOT / "salesops").rglob("*.py"))]
    sources += [(path, texts_of_template) for path in sorted((ROOT / "templates").rglob("*.*"))]
    for path, texts_in in sources:
        if path.suffix in (".py", ".html", ".txt"):
            for line, text in texts_in(path):
                found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return found


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_text_of_the_program_is_in_the_catalogue(language: str) -> None:
    """A text that was added and never collected would stay English without a word."""
    with (ROOT / "locale" / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        catalogue = read_po(file)
    found = collected()
    missing = []
    for (context, words), place in found.items():
        message = catalogue.get(words[0], context)
        translated = () if message is None else (message.string,) if isinstance(message.string, str) else message.string
        if message is None or message.fuzzy or not translated or not all(translated):
            missing.append((place, context, words))
    assert missing == []
    assert len(found) > 2_000
