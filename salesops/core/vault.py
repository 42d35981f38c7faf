"""Secrets of other systems: sealed before they are kept, shown to nobody, and taken out of what is written down.

A sealed secret is `v1.<key's id>.<nonce and ciphertext>` (AES-256-GCM, NIST SP 800-38D, a random nonce of 96 bits) and
opens only for the row it was sealed for. Keys are never in the database: see docs/secrets.md.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import re
import secrets
import tempfile
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import quote, quote_plus

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.utils.translation import gettext as _

#: What stands where a secret was.
MASK: Final = "•••"
_VERSION: Final = "v1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


class VaultError(Exception):
    """A secret cannot be sealed or opened. The text says why and what to do, and never holds a secret."""


@dataclass(frozen=True, slots=True, repr=False)
class Ring:
    """The keys by their ids, in order: the first seals, all open."""

    keys: dict[str, bytes]

    @property
    def sealing_id(self) -> str:
        """The key that seals. Raises VaultError when there is none."""
        if not self.keys:
            raise VaultError(_without_keys())
        return next(iter(self.keys))


# --- Sealing and opening ------------------------------------------------------------------------------------------


def seal(text: str, *, bound_to: str) -> str:
    """Seal a secret for one place, such as "connectors.credential:12:access_token"; it opens for no other.

    Makes the file of keys when nothing else gives one. Raises VaultError when there is no key to seal with, and ValueError
    when the place is not named.
    """
    _remember(text)
    ring = keyring(may_make=True)
    header = f"{_VERSION}.{ring.sealing_id}."
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(ring.keys[ring.sealing_id]).encrypt(nonce, _bytes(text), _bound(header, bound_to))
    return header + _encode(nonce + sealed)


def unseal(sealed: str, *, bound_to: str) -> str:
    """Open a secret that was sealed for this place.

    Raises VaultError for all else: a key that is not in the ring, a changed value, another row's, one that was never
    sealed. What does not open is never handed on.
    """
    version, _dot, rest = sealed.partition(".")
    key_id, _dot, blob = rest.partition(".")
    if version != _VERSION or not _KEY_ID.fullmatch(key_id) or not blob:
        raise VaultError(_("This value was never sealed, so it is not used. Connect again."))
    keys = keyring().keys
    if not keys:
        raise VaultError(_without_keys())
    if key_id not in keys:
        raise VaultError(
            _("The key “%(key)s” that sealed this secret is missing. Put it back into SECRETS_KEYS, or connect again.")
            % {"key": key_id}
        )
    bound = _bound(f"{_VERSION}.{key_id}.", bound_to)
    try:
        raw = _decode(blob)
        opened = AESGCM(keys[key_id]).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise VaultError(
            _("This secret was changed, or belongs to another row, so it is not used. Connect again.")
        ) from None
    text = opened.decode("utf-8", "surrogatepass")
    _remember(text)
    return text


def key_id_of(sealed: str) -> str:
    """The id of the key that sealed this; empty for what is not sealed."""
    version, _dot, rest = sealed.partition(".")
    return rest.partition(".")[0] if version == _VERSION else ""


def _bound(header: str, bound_to: str) -> bytes:
    """What a secret is bound to: its place, and the version and the key it names."""
    if not bound_to:
        raise ValueError("a secret is bound to its row: say to which")
    return _bytes(header + bound_to)


def _bytes(text: str) -> bytes:
    """Any text as bytes. Half a surrogate pair too: the error of a plain encoding would hold the text."""
    return text.encode("utf-8", "surrogatepass")


def _encode(raw: bytes) -> str:
    """Bytes as base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """Back again. Raises ValueError for signs that base64 skips and bits it ignores: a value is written in one way only."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(raw) != text:
        raise ValueError("not as it was written")
    return raw


# --- Keys ---------------------------------------------------------------------------------------------------------


def keyring(*, may_make: bool = False) -> Ring:
    """The keys there are: of SECRETS_KEYS, else of the file of keys, else none.

    `may_make` makes the file with one new key when neither is there. The file is read again when it has changed, so that
    running processes know a new key. Raises VaultError for keys that cannot be read.
    """
    if settings.SECRETS_KEYS:
        return _ring_of(settings.SECRETS_KEYS)
    path = Path(settings.SECRETS_FILE)
    try:
        if may_make and not path.exists():
            _make_keys(path)
        return _ring_of(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError) and not may_make:
            return Ring({})
        raise VaultError(
            _("The file of keys %(path)s cannot be used (%(error)s). Mend it, or give the keys as SECRETS_KEYS.")
            % {"path": path, "error": type(error).__name__}
        ) from None


def new_key() -> str:
    """A key as SECRETS_KEYS and the file have it: an id that no other key has, and 256 random bits."""
    return f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}"


@lru_cache(maxsize=8)
def _ring_of(text: str) -> Ring:
    """Read `id:key` entries, separated by commas or white space. Raises VaultError, which names an entry by its place."""
    keys: dict[str, bytes] = {}
    for place, entry in enumerate(re.split(r"[,\s]+", text.strip(", \t\r\n")), start=1):
        key_id, _colon, written = entry.partition(":")
        try:
            key = base64.b64decode(
                written.replace("-", "+").replace("_", "/") + "=" * (-len(written) % 4), validate=True
            )
        except ValueError:
            key = b""
        if not _KEY_ID.fullmatch(key_id) or len(key) != _KEY_BYTES or key_id in keys:
            raise VaultError(
                _(
                    "Entry %(place)d of the keys for secrets is not an id that no other has, a colon and 32 bytes in "
                    "base64. Nothing is sealed or opened until it is."
                )
                % {"place": place}
            )
        keys[key_id] = key
    return Ring(keys)


def _make_keys(path: Path) -> None:
    """Write a file with one new key, readable by its owner only, unless another process was faster.

    It gets its name by a link, once it is whole and on the disk: nobody ever reads half of it or replaces it.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _without_keys() -> str:
    return _("There is no key for secrets. Put SECRETS_KEYS or the file of keys back, or connect each system again.")


# --- Holding a secret ---------------------------------------------------------------------------------------------


class Secret:
    """A text that shows itself to nobody by accident: printed, formatted or logged it is dots, and it cannot be stored."""

    __slots__ = ("__text",)
    __hash__ = None  # type: ignore[assignment]  # a hash would compare in a time that depends on the text

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text itself. From now on it is also taken out of the log."""
        _remember(self.__text)
        return self.__text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, _spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.__text), _bytes(other.__text))

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("a secret is not stored or copied: seal it")


# --- Taking secrets out of texts ----------------------------------------------------------------------------------

#: How many texts are remembered, and how long one is at least: shorter ones are words of everyday.
_REMEMBERED: Final = 1000
_SHORTEST: Final = 8
#: What this process sealed, opened or revealed last, as it may stand in a text. No lock: one held while a worker forks
#: would never be let go in the child; appending to a deque and making a tuple of it are one step each.
_seen: deque[str] = deque(maxlen=_REMEMBERED)

#: What stands before a secret in a header, a mapping, a form, JSON, JSON within JSON, or a list of pairs; then its value,
#: in quotes up to the quote's end, else up to the end of the word (after the name of a scheme, if one is there).
_NAMED: Final = re.compile(
    r"""
    (?P<name>(?<![A-Za-z0-9])(?:
        (?:proxy-)?authorization|access_?token|refresh_?token|id_?token|session_?token|client_?secret|client_?assertion|
        code_?verifier|api_?key|api_?token|x-api-key|private-token|signing_?secret|webhook_?secret|hook_?token|
        password|passwd|pwd
    ))
    (?P<end>\\*["'])?
    (?P<is>\s*[:=]\s*|(?<=["']),\s*)
    (?:b(?=["']))?
    (?:
        (?P<quote>\\+["'])(?:(?!(?P=quote)).)*
        |(?P<double>")(?(end)|(?![,}\]:\s]|$))(?:\\.|[^"\\])*
        |(?P<single>')(?(end)|(?![,}\]:\s]|$))(?:\\.|[^'\\])*
        |(?:(?:bearer|basic|digest|token|[\w-]{1,30}token|ssws)[ \t]+)?[^\s"'\\,;&}\])]+
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PATTERNS: Final = [
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (r"\b(bearer[ \t]+)[\w.~+/=:!-]{8,}", rf"\1{MASK}"),
        # What an authorization comes back with, in an address.
        (r"([?&]code=)[^\s\"'&#\\]{8,}", rf"\1{MASK}"),
        # scheme://user:password@host
        (r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@\"']*:)[^\s/@\"']+(?=@)", rf"\1{MASK}"),
        # Keys that vendors begin in a way of their own; JSON Web Tokens.
        (r"\b((?:sk|rk)_(?:live|test)_|whsec_|pat-[a-z0-9]{2,4}-)[\w+/=-]+", rf"\1{MASK}"),
        (r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", MASK),
    )
]


def scrub(text: str) -> str:
    """A text without the secrets this process has handled lately, and without what looks like one."""
    for secret in sorted((each for each in tuple(_seen) if each in text), key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _NAMED.sub(_without_value, text)
    for pattern, to in _PATTERNS:
        text = pattern.sub(to, text)
    return text


def _without_value(found: re.Match[str]) -> str:
    """The name with dots for its value, in quotes where the name has them: a line of JSON stays one."""
    opened = found["quote"] or found["double"] or found["single"] or ""
    closed = found["end"] or ""
    dots = f"{opened}{MASK}" if opened else f"{closed}{MASK}{closed}"
    return f"{found['name']}{closed}{found['is']}{dots}"


def _remember(text: str) -> None:
    """Have a secret taken out of texts, as it is and as addresses, JSON and Python write it."""
    if len(text) < _SHORTEST:
        return
    plain = _bytes(text).decode("utf-8", "replace")
    for form in {text, quote(plain, safe=""), quote_plus(plain), json.dumps(text)[1:-1], repr(text)[1:-1]}:
        if form not in _seen:
            _seen.append(form)
