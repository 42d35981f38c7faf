"""Replies of a vendor as test recordings: the shape stays, everything that says who or how much is replaced."""

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

#: Headers that say how a vendor counts, pages and dates; no other is kept.
_KEPT_HEADERS: Final = re.compile(r"content-type|date|retry-after|.*rate.?limit.*|.*limit.*|sforce-.*", re.I)
#: Keys whose words are the vendor's, not a person's: they stay as they are.
_TECHNICAL: Final = re.compile(
    r"(status|state|stage.*|type|kind|object|currency.*|mode|event.*|action|direction|.*_type|.*type|attributes|url"
    r"|done|hasmore|has_more|next.*|paging|after|offset|cursor|version|.*locator|timezone|time_zone|interval)",
    re.I,
)
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?|/Date\(-?\d+([+-]\d{4})?\)/")
_SECRET: Final = re.compile(r"token|secret|password|authorization|api_?key|signature|session|credential", re.I)
#: Words in a question that may be somebody's.
_QUOTED: Final = re.compile(r"['\"]")
_SHORTEST_ID: Final = 6
_ID: Final = re.compile(r"(^|_)ids?$|Id$|ID$|^href$|uuid|guid", re.I)


def recording(exchanges: list[tuple[str, str, int, Mapping[str, str], bytes]]) -> list[dict[str, Any]]:
    """Exchanges (method, address, status, headers, body) as plain JSON without anybody's data.

    The same text is replaced by the same stand-in, so that references still meet. Bodies that are no JSON are left out.
    """
    made: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    for method, address, status, headers, body in exchanges:
        parts = urlsplit(address)
        query = urlencode(
            [
                (name, "REMOVED" if _SECRET.search(name) or _QUOTED.search(value) or "@" in value else value)
                for name, value in parse_qsl(parts.query)
            ]
        )
        made.append(
            {
                "method": method,
                "path": parts.path,
                "query": query,
                "status": status,
                "headers": {name.lower(): value for name, value in headers.items() if _KEPT_HEADERS.fullmatch(name)},
                "body": scrubbed(_read(body), ids=ids),
            }
        )
    # Ids also stand in addresses and in links between records.
    text = json.dumps(made, ensure_ascii=False, default=str)
    for theirs, ours in sorted(ids.items(), key=lambda pair: -len(pair[0])):
        if len(theirs) >= _SHORTEST_ID:
            text = text.replace(theirs, ours)
    replaced: list[dict[str, Any]] = json.loads(text)
    return replaced


def scrubbed(value: Any, key: str = "", *, ids: dict[str, str] | None = None) -> Any:
    """A JSON value with its shape, its moments and the vendor's own words; names, ids and amounts replaced.

    `ids` collects the ids that were replaced, and by what.
    """
    if isinstance(value, Mapping):
        return {name: scrubbed(each, str(name), ids=ids) for name, each in value.items()}
    if isinstance(value, list):
        return [scrubbed(each, key, ids=ids) for each in value]
    if _SECRET.search(key):
        return "REMOVED" if value not in (None, "") else value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        number: int | Decimal = value
        return _number(number, key)
    text = str(value)
    if not text or _MOMENT.fullmatch(text) or (_TECHNICAL.fullmatch(key) and "@" not in text and "//" not in text):
        return text
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return str(_number(Decimal(text), key))
    if _ID.search(key):
        other = _like(text)
        if ids is not None:
            ids[text] = other
        return other
    if "@" in text:
        return f"person-{_digest(text)[:6]}@example.com"
    if "://" in text:
        return f"https://example.com/{_digest(text)[:6]}"
    return f"text {_digest(text)[:6]}"


def _number(value: Decimal | int, key: str) -> Decimal | int:
    """Another number of as many digits; small ones and moments stay, since they are positions, flags and days."""
    size = Decimal(value).copy_abs()
    if _TECHNICAL.fullmatch(key) or size < 100 or 1_000_000_000 <= size < 10_000_000_000_000:
        return value
    whole, _point, rest = format(size, "f").partition(".")
    digits = str(int(_digest(whole), 16))
    other = digits[-len(whole) :] if digits[-len(whole)] != "0" else "1" + digits[-len(whole) + 1 :]
    made = f"{'-' if value < 0 else ''}{other}{'.' + rest if rest else ''}"
    return Decimal(made) if rest else int(made)


def _like(text: str) -> str:
    """Another id of the same length and kinds of signs."""
    draw = int(_digest(text), 16)
    out: list[str] = []
    for sign in text:
        draw, rest = divmod(draw, 36) if draw > 36 else (int(_digest(text + str(len(out))), 16), 7)
        if sign.isdigit():
            out.append(str(rest % 10))
        elif sign.isalpha():
            letter = "abcdefghijklmnopqrstuvwxyz"[rest % 26]
            out.append(letter.upper() if sign.isupper() else letter)
        else:
            out.append(sign)
    return "".join(out)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body, parse_float=Decimal)
    except ValueError:
        return None
