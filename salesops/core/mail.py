"""Sends one mail to one person, as text and HTML, in their language."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation


def absolute(path: str) -> str:
    """The full address of a page of the portal, for mails. Raises ValueError for what is not a path of the portal."""
    if not is_local(path):
        raise ValueError(f"{path[:80]!r} is not a path of the portal")
    return f"{settings.SITE_URL.rstrip('/')}{path}"


def is_local(path: str) -> bool:
    """Whether this is a path on this portal and nothing that a browser takes for another site."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path and path.isprintable()


def send(*, template: str, to: str, language: str, key: str, context: Mapping[str, Any]) -> None:
    """Send `mail/<template>.txt` and `.html` to one address. The text's first line is the subject.

    `key` names what the mail is about: the same key gives the same Message-ID, so that a mail which had to be sent
    again after a crash can be recognised as the same. Raises what the mail server raises.
    """
    with translation.override(language):
        values = {"site_url": settings.SITE_URL, "language": language, **context}
        text = render_to_string(f"mail/{template}.txt", values).strip()
        subject, _separator, body = text.partition("\n")
        subject = " ".join(subject.split())
        html = render_to_string(f"mail/{template}.html", {"subject": subject, **values})
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    digest = hashlib.sha256(f"{key}\n{to}".encode()).hexdigest()[:32]
    message = EmailMultiAlternatives(
        subject=subject[:200],
        body=body.strip() + "\n",
        to=[to],
        headers={"Message-ID": f"<{digest}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(html, "text/html")
    message.send()
