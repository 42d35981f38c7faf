"""Small pieces of HTML that tables and templates share: icons, badges, avatars, days."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from salesops.core import display

#: Colours a badge may have; each has a tone of its own in light and dark that passes contrast.
TONES = ("grey", "blue", "green", "amber", "red", "violet", "teal")


@lru_cache(maxsize=1)
def _sprite() -> str:
    return static("vendor/icons.svg")


@lru_cache(maxsize=512)
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """An icon of the sprite. Without a label it is decoration, hidden from screen readers."""
    classes = f"icon {css}".strip()
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}#{}"></use></svg>', classes, label, _sprite(), name
        )
    return format_html(
        '<svg class="{}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>', classes, _sprite(), name
    )


@lru_cache(maxsize=512, typed=True)  # typed: a safe text and a plain one of the same letters are two things
def badge(text: str, tone: str = "grey") -> SafeString:
    """A short state in a colour, with a capital. The text says it all; the colour only helps the eye."""
    text = text[:1].upper() + text[1:]
    return format_html('<span class="pill pill-{}">{}</span>', tone if tone in TONES else "grey", text)


def avatar(name: str) -> SafeString:
    """A person's initials on a colour that is always the same for the name."""
    tint = sum(map(ord, name)) % 8
    return format_html('<span class="face face-{}" aria-hidden="true">{}</span>', tint, display.initials(name) or "?")


@lru_cache(maxsize=2048, typed=True)
def person(name: str) -> SafeString:
    """A person's avatar and name."""
    return format_html('<span class="who">{}<span class="who-name">{}</span></span>', avatar(name), name)


def day(value: date | None) -> SafeString:
    """A day, with the machine's form behind it."""
    if value is None:
        return NOTHING
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), display.day(value))


def moment(value: datetime | None, now: datetime | None = None) -> SafeString:
    """A moment; with `now`, as the time since then, the moment itself in the tooltip."""
    if value is None:
        return NOTHING
    if now is None:
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), display.moment(value))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), display.moment(value), display.ago(value, now)
    )


NOTHING = mark_safe('<span class="nothing" aria-hidden="true">—</span>')  # a constant, nothing of a person's in it
