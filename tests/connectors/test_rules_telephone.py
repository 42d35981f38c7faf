"""Telephone numbers: many ways of writing one, and what is none."""

from __future__ import annotations

import pytest

from salesops.connectors.rules.telephone import number_of, several, tail_of


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+41 79 123 45 67", "", "+41791234567"),
        ("079 123 45 67", "CH", "+41791234567"),
        ("0041 (0)79 123-45-67", "ch", "+41791234567"),
        ("079.123.45.67", "", ""),  # in which country?
        ("(415) 555-0123", "US", "+14155550123"),
        ("+1 415 555 0123 ext. 12", "CH", "+14155550123"),
        ("801", "CH", ""),  # an extension
        ("client:ana5551234567", "US", ""),
        ("sip:5551234567@acme.example", "US", ""),
        ("anonymous", "CH", ""),
        ("+266696687", "CH", ""),  # ANONYMOUS on a keypad
        ("", "CH", ""),
    ],
)
def test_numbers(text: str, country: str, number: str) -> None:
    assert number_of(text, country) == number


def test_the_tail_is_what_spellings_share() -> None:
    assert tail_of("+41791234567") == tail_of("079 123 45 67") == "1234567"
    assert tail_of("801") == ""


def test_several_in_one_cell() -> None:
    assert several(["a@x.example", "", "b@x.example", "a@x.example", "c;d"]) == "a@x.example;b@x.example"
    assert several(["a" * 200, "b" * 99, "c"], most=300) == f"{'a' * 200};{'b' * 99}"
