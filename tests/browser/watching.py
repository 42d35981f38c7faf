"""Watches pages while tests drive them: errors of scripts and complaints about the content policy fail the test."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page

#: The browser's own words about an answer that is no success; pages of refusals are such answers.
_STATUS_ONLY = "Failed to load resource: the server responded with a status of 4"


@dataclass
class Watch:
    """What went wrong in the pages, in the order it was seen."""

    wrong: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Note what this page complains about from now on."""

        def said(message: ConsoleMessage) -> None:
            text = message.text
            if (message.type == "error" and not text.startswith(_STATUS_ONLY)) or "Content Security Policy" in text:
                self.wrong.append(f"{page.url}: {text}")

        page.on("console", said)
        page.on("pageerror", lambda error: self.wrong.append(f"{page.url}: {error}"))

    def nothing_wrong(self) -> None:
        """Fail when anything was noted."""
        assert not self.wrong, "\n".join(self.wrong)
