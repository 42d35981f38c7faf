"""Telephone numbers: from the way people and systems write them to the one form in which they are compared (E.164)."""

import re
from typing import Final

import phonenumbers

from salesops.values.telephone import LIKENESS

#: What stands between several numbers or addresses of one cell, the best first.
SEVERAL: Final = ";"
_WRITTEN: Final = re.compile(r"[+＋]?[\d\s()./\-\u00a0\u2010-\u2015]{3,40}((x|ext\.?|#)\s*\d{1,6})?", re.IGNORECASE)


def number_of(text: str, country: str = "") -> str:
    """A number in E.164, such as +41791234567; "" for what is none, or is an internal extension.

    Withheld numbers are none: what systems send for them (ANONYMOUS on a keypad, +266696687) exists in no country.

    country: two letters; in which numbers without a country's code are meant. Without one those are not understood.
    """
    written = text.strip()
    if not _WRITTEN.fullmatch(written):
        return ""
    try:
        number = phonenumbers.parse(written, country.upper() or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def tail_of(number: str) -> str:
    """The last digits of a number, by which its other spellings are looked for; "" where there are too few."""
    digits = re.sub(r"\D", "", number)
    return digits[-LIKENESS:] if len(digits) >= LIKENESS else ""


def several(texts: list[str], most: int = 300) -> str:
    """Texts in one cell, the best first, each once, as many as find room."""
    joined = ""
    for text in dict.fromkeys(text for text in texts if text and SEVERAL not in text):
        longer = f"{joined}{SEVERAL}{text}" if joined else text
        if len(longer) > most:
            break
        joined = longer
    return joined
