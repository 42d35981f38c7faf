"""Which encoding a text file is in, found by evidence and said out loud when it is an assumption."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from salesops.connectors.rules.tables import FileRefused, Limits, shown
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

# What a person may choose, with the name to show.
ENCODINGS: Final[dict[str, str]] = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "cp1252": "Windows-1252",
    "iso8859-15": "ISO 8859-15",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "shift_jis": "Shift JIS",
    "euc_kr": "EUC-KR",
}

_CHUNK: Final = 256 * 1024
_HEAD: Final = 64 * 1024
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Control characters that no table contains; tab, line feed, vertical tab, form feed, carriage return and escape may be.
_BINARY: Final = bytes([*range(1, 9), *range(14, 27), *range(28, 32), 127])
_HIGH_RUNS: Final = re.compile(rb"[\x80-\xff]+")
# Places of bad bytes beyond which looking further tells nothing new.
_ENOUGH_BAD: Final = 1_000


@dataclass(frozen=True)
class Encoding:
    """How the bytes are read. `mark` is the number of bytes of a byte order mark to skip."""

    name: str
    mark: int = 0
    notes: tuple[Problem, ...] = ()


def detect(stream: BinaryIO, limits: Limits, chosen: str | None = None) -> Encoding:
    """Find the encoding of a text file, reading it through once in pieces; the stream may seek.

    `chosen` is what a person decided. Raises FileRefused for binary data, for an encoding that does not fit, and for a
    line beyond the limit, which is noticed before it is read whole.
    """
    stream.seek(0)
    head = stream.read(_HEAD)
    marked, mark = _byte_order_mark(head)
    if marked == "utf-32" and chosen is None:
        raise FileRefused(_unsupported("UTF-32"))
    if chosen is not None and chosen not in ENCODINGS:
        raise FileRefused(_unsupported(chosen))
    wide = marked if marked and marked.startswith("utf-16") else None
    if chosen is None and wide is None and marked is None:
        wide = _utf16_without_mark(head)
    if (wide or chosen or "").startswith("utf-16"):
        return _wide(stream, chosen or str(wide), mark if marked else 0, limits, assumed=not marked and not chosen)
    if _is_binary(head):
        raise FileRefused(_binary())
    return _narrow(stream, limits, chosen, mark if marked == "utf-8" else 0)


def _byte_order_mark(head: bytes) -> tuple[str | None, int]:
    for bom, name in _MARKS:
        if head.startswith(bom):
            return name, len(bom)
    return None, 0


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 shows itself by zero bytes that stand on one side of nearly every pair."""
    if b"\0" not in head:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) < 4 * min(even, odd) or max(even, odd) * 20 < len(head):
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    text = codecs.getincrementaldecoder(name)("replace").decode(head)
    plausible = "\0" not in text and text.count("\ufffd") * 100 <= len(text)
    return name if plausible else None


def _is_binary(head: bytes) -> bool:
    odd = len(head) - len(head.translate(None, _BINARY + b"\0"))
    return odd * 50 > len(head)


def _wide(stream: BinaryIO, name: str, mark: int, limits: Limits, *, assumed: bool) -> Encoding:
    """Check that all of it can be UTF-16 text."""
    trial, guard = _Trial(name), _LineGuard(limits)
    for chunk in _pieces(stream, mark):
        guard.feed(chunk)
        trial.feed(chunk)
        if trial.bad > _ENOUGH_BAD:
            raise FileRefused(_does_not_fit(name, trial.first_bad_line))
    return Encoding(name, mark, (_assumed(name),) if assumed else ())


def _narrow(stream: BinaryIO, limits: Limits, chosen: str | None, mark: int) -> Encoding:
    """Decide between UTF-8 and the encodings of one or two bytes, by reading all of it once."""
    utf8, guard = _Trial("utf-8"), _LineGuard(limits)
    names = {chosen} if chosen else {"cp1252", "gb18030", "big5"}
    others = {name: _Trial(name) for name in names if name != "utf-8"}
    high = paired = 0
    for chunk in _pieces(stream, mark):
        guard.feed(chunk)
        if chunk.isascii() or utf8.bad > _ENOUGH_BAD:
            for trial in (utf8, *others.values()):
                trial.skip(chunk)
            continue
        utf8.feed(chunk)
        if utf8.bad or chosen:
            for trial in others.values():
                trial.feed(chunk)
            for run in _HIGH_RUNS.findall(chunk):
                high += len(run)
                paired += len(run) if len(run) > 1 else 0
    if chosen and chosen != "utf-8":
        if others[chosen].bad:
            raise FileRefused(_does_not_fit(chosen, others[chosen].first_bad_line))
        return Encoding(chosen, mark)
    if not utf8.bad:
        return Encoding("utf-8", mark)
    if mark or utf8.good > utf8.bad:
        return Encoding("utf-8", mark, (_broken_utf8(utf8),))
    if chosen:
        raise FileRefused(_does_not_fit("utf-8", utf8.first_bad_line))
    # Characters of two bytes come in pairs of high bytes; letters with accents mostly stand alone.
    for name in ["gb18030", "big5", "cp1252"] if paired * 10 > high * 9 else ["cp1252"]:
        if not others[name].bad:
            return Encoding(name, 0, (_assumed(name, utf8.first_bad_line),))
    raise FileRefused(_unreadable(utf8.first_bad_line))


class _Trial:
    """Reads pieces in one encoding and counts what fits and what does not.

    A character that the end of the file cuts off is the mark of a cut file, not of another encoding: it is not counted.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.good = 0
        self.bad = 0
        self.first_bad_line = 0
        self._lines = 1
        self._decoder = codecs.getincrementaldecoder(name)("strict")

    def feed(self, chunk: bytes) -> None:
        """Try the next piece."""
        try:
            text = self._decoder.decode(chunk)
        except UnicodeDecodeError as error:
            # The decoder may have kept the beginning of a character from the piece before: error.object holds both.
            self.first_bad_line = self.first_bad_line or self._lines + error.object[: error.start].count(b"\n")
            self._decoder.reset()
            text = bytes(error.object).decode(self.name, "replace")
            broken = max(1, text.count("\ufffd"))
            self.bad += broken
            self.good -= broken
        self.good += len(text) - len(text.encode("ascii", "ignore"))
        self._lines += chunk.count(b"\n")

    def skip(self, chunk: bytes) -> None:
        """Pass over a piece that is not tried. A character cut off before it is bad."""
        try:
            self._decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self.first_bad_line = self.first_bad_line or self._lines
            self.bad += 1
        self._decoder.reset()
        self._lines += chunk.count(b"\n")


class _LineGuard:
    """Counts bytes since the last line end and refuses a line beyond the limit before it is read whole."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._since = 0
        self._lines = 1

    def feed(self, chunk: bytes) -> None:
        """Look at the next piece. Raises FileRefused."""
        ends = [place for place in (chunk.find(b"\n"), chunk.find(b"\r")) if place >= 0]
        if self._since + (min(ends) if ends else len(chunk)) > self._limits.line_bytes:
            raise FileRefused(line_too_long(self._lines, self._limits))
        if ends:
            self._since = len(chunk) - 1 - max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        else:
            self._since += len(chunk)
        self._lines += chunk.count(b"\n")


def _pieces(stream: BinaryIO, start: int) -> Iterator[bytes]:
    """The stream from `start` on, piece by piece."""
    stream.seek(start)
    while chunk := stream.read(_CHUNK):
        yield chunk


def line_too_long(line: int, limits: Limits) -> Problem:
    """A line without an end in sight."""
    return Problem.of(
        "file-line-length",
        _("Line %(line)s is longer than %(most)s bytes, so this is not a table of rows."),
        remedy=_("Check that the file is a CSV export with one row on each line."),
        line=line,
        most=f"{limits.line_bytes:,}",
    )


def _assumed(name: str, line: int = 0) -> Problem:
    if not line:
        return Problem.of(
            "file-encoding-assumed",
            _("The file does not say its encoding; it was read as %(encoding)s."),
            remedy=_(
                "Check names with accents or Chinese characters in the preview; choose another encoding if need be."
            ),
            encoding=ENCODINGS[name],
        )
    return Problem.of(
        "file-encoding-assumed",
        _("The file is not UTF-8 (line %(line)s); it was read as %(encoding)s."),
        remedy=_("Check names with accents or Chinese characters in the preview; choose another encoding if need be."),
        encoding=ENCODINGS[name],
        line=line,
    )


def _broken_utf8(trial: _Trial) -> Problem:
    return Problem.of(
        "file-encoding-broken",
        _("The file is UTF-8, but some characters are broken, first on line %(line)s."),
        remedy=_("Rows with broken characters go to the shelf. If there are many, export the file again."),
        line=trial.first_bad_line,
    )


def _does_not_fit(name: str, line: int) -> Problem:
    return Problem.of(
        "file-encoding",
        _("The file cannot be read as %(encoding)s: line %(line)s has bytes that mean nothing in it."),
        remedy=_("Choose another encoding, or save the file as “CSV UTF-8”."),
        encoding=ENCODINGS[name],
        line=line,
    )


def _unreadable(line: int) -> Problem:
    return Problem.of(
        "file-encoding",
        _("The encoding of the file could not be found: line %(line)s is neither UTF-8 nor Windows-1252."),
        remedy=_("Choose the encoding, or save the file as “CSV UTF-8”."),
        line=line,
    )


def _unsupported(name: str) -> Problem:
    return Problem.of(
        "file-encoding",
        _("Files in the encoding %(encoding)s cannot be read."),
        remedy=_("Save the file as “CSV UTF-8” and upload it again."),
        encoding=shown(name),
    )


def _binary() -> Problem:
    return Problem.of(
        "file-binary",
        _("This is not a text file: it contains bytes that no text has."),
        remedy=_("Upload a CSV file or an Excel workbook (.xlsx)."),
    )
