"""Whether a delivery that calls at the door comes from whom it says: each vendor's proof, checked on the bytes as sent.

Nothing here reads a clock, a setting or the database. A body is never decoded and written anew before it is checked:
whoever re-encodes it has another body. Sources are the vendors' own pages on webhooks, named at each check.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit

from salesops.values.outcomes import gettext_noop as _

#: How far the moment in a signature may lie from the moment of arrival, in either direction.
TOLERANCE: Final = timedelta(minutes=5)
#: The longest text that is echoed to a vendor who makes sure that the address is ours.
_LONGEST_ECHO: Final = 512


@dataclass(frozen=True)
class Delivery:
    """What was sent to one of our addresses.

    url: the address in public, as the vendor knows it, with its query; behind a proxy that is not what the request says.
    body: the bytes as they came. received_at: when they came.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def header(self, name: str) -> str:
        """The value of a header, whatever its case; empty when it was not sent."""
        wanted = name.lower()
        return next((value.strip() for known, value in self.headers.items() if known.lower() == wanted), "")


@dataclass(frozen=True)
class Proven:
    """The sender knows the secret."""


@dataclass(frozen=True)
class Refused:
    """The delivery is not taken. `status` is what the vendor is answered; `message` never holds what was sent."""

    status: int
    code: str
    message: str


@dataclass(frozen=True)
class Answer:
    """What a vendor who makes sure that the address is ours wants to hear. Nothing of such a question is kept."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Verdict = Proven | Refused
#: A check of a proof: the delivery and the secrets that count, the newest first. Two count while a secret is replaced.
Check = Callable[[Delivery, Sequence[str]], Verdict]

MISSING: Final = Refused(401, "proof-missing", _("The delivery carries no proof of where it comes from."))
WRONG: Final = Refused(401, "proof-wrong", _("The proof does not fit the delivery and the secret."))
STALE: Final = Refused(401, "proof-stale", _("The moment in the proof is more than five minutes from now."))
NO_SECRET: Final = Refused(401, "no-secret", _("This connection has no secret for its webhooks yet."))


def _same(one: str, other: str) -> bool:
    """Whether two texts are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _fits(given: Iterable[str], expected: Iterable[str]) -> bool:
    """Whether one of the proofs given is one of those expected."""
    known = list(expected)
    return any(_same(proof, one) for proof in given for one in known)


def _usable(secrets: Sequence[str]) -> list[str]:
    """The secrets without empty ones: what an empty secret signs, anybody can sign."""
    return [secret for secret in secrets if secret]


def _verdict(given: Iterable[str], secrets: Sequence[str], expected: Callable[[str], Iterable[str]]) -> Verdict:
    """Compare the proofs given with what each secret would have made of the delivery."""
    proofs = [proof for proof in given if proof]
    usable = _usable(secrets)
    if not usable:
        return NO_SECRET
    if not proofs:
        return MISSING
    return Proven() if _fits(proofs, (one for secret in usable for one in expected(secret))) else WRONG


def _is_near(delivery: Delivery, moment: str, *, per_second: int = 1) -> bool:
    """Whether a moment in Unix time (in seconds, or in so many parts of one) lies within the tolerance."""
    if not re.fullmatch(r"[0-9]{1,15}", moment):
        return False
    signed = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(moment) / per_second)
    return abs(delivery.received_at - signed) <= TOLERANCE


def _timely(delivery: Delivery, moment: str, verdict: Verdict, *, per_second: int = 1) -> Verdict:
    """The verdict, unless the moment that the proof covers is missing or too far away."""
    if isinstance(verdict, Refused):
        return verdict
    if not moment:
        return MISSING
    return verdict if _is_near(delivery, moment, per_second=per_second) else STALE


def _hmac(secret: bytes, message: bytes, how: str = "sha256") -> bytes:
    return hmac.digest(secret, message, how)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _is_text(body: bytes) -> bool:
    """Whether the body is UTF-8.

    A plain hash over secret and body (not an HMAC) can be carried on by somebody who knows no secret: they append the
    padding of the hash, which begins with the byte 0x80, and then what they like. No UTF-8 text holds that byte there.
    """
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_json(body: bytes) -> Any:
    """The JSON of a body, numbers with a point kept exactly (Decimal); None when it is no JSON."""
    try:
        return json.loads(body.decode("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


# --- Billing ----------------------------------------------------------------------------------------------------------


def stripe(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`Stripe-Signature: t=...,v1=...[,v1=...]`: hex HMAC-SHA256 over `t.body` (docs.stripe.com/webhooks/signature).

    Other schemes in the header (v0) prove nothing. The secret is used as it is, with its `whsec_`.
    """
    parts = [part.strip().partition("=") for part in delivery.header("Stripe-Signature").split(",")]
    moment = next((value for name, _equals, value in parts if name == "t"), "")
    given = [value for name, _equals, value in parts if name == "v1"]
    message = moment.encode("utf-8", "replace") + b"." + delivery.body
    verdict = _verdict(given, secrets, lambda secret: [_hmac(secret.encode(), message).hex()])
    return _timely(delivery, moment, verdict)


def _over_body(header: str, delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """Base64 HMAC-SHA256 over the body alone, in this header."""
    return _verdict([delivery.header(header)], secrets, lambda secret: [_base64(_hmac(secret.encode(), delivery.body))])


def quickbooks(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`intuit-signature`: base64 HMAC-SHA256 over the body with the verifier token (developer.intuit.com webhooks)."""
    return _over_body("intuit-signature", delivery, secrets)


def xero(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`x-xero-signature`: base64 HMAC-SHA256 over the body; the key is used as text (developer.xero.com webhooks).

    Xero tries with a wrong signature too (intent to receive) and wants exactly 401 for it: what all refusals here say.
    """
    return _over_body("x-xero-signature", delivery, secrets)


def basic(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """HTTP Basic with `user:password` as the secret: all that Pipedrive and Chargebee offer. The body is not proven."""
    scheme, _space, sent = delivery.header("Authorization").partition(" ")
    given = [sent.strip()] if scheme.lower() == "basic" else []
    return _verdict(given, secrets, lambda secret: [_base64(secret.encode())])


# --- Customers and deals ----------------------------------------------------------------------------------------------

#: What HubSpot decodes in an address before it signs it (developers.hubspot.com, request validation), and no more.
_HUBSPOT_DECODES: Final = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}


def _hubspot_address(url: str) -> str:
    return re.sub(r"%[0-9A-Fa-f]{2}", lambda found: _HUBSPOT_DECODES.get(found[0].upper(), found[0]), url)


def hubspot(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """HubSpot's three generations of signatures; where the newest is sent, the older ones beside it count nothing.

    v3: base64 HMAC-SHA256 over method, address, body and the moment in milliseconds. v2: hex SHA-256 over secret,
    method, address and body. v1: hex SHA-256 over secret and body. (developers.hubspot.com, request validation)
    """
    method = delivery.method.upper().encode("ascii", "replace")
    if newest := delivery.header("X-HubSpot-Signature-v3"):
        moment = delivery.header("X-HubSpot-Request-Timestamp")
        address = _hubspot_address(delivery.url).encode()
        message = method + address + delivery.body + moment.encode("utf-8", "replace")
        verdict = _verdict([newest], secrets, lambda secret: [_base64(_hmac(secret.encode(), message))])
        return _timely(delivery, moment, verdict, per_second=1000)
    version = delivery.header("X-HubSpot-Signature-Version") or "v1"
    if version not in {"v1", "v2"}:
        return MISSING if _usable(secrets) else NO_SECRET
    prefix = b"" if version == "v1" else method + delivery.url.encode()
    return _over_secret("sha256", prefix, [delivery.header("X-HubSpot-Signature")], delivery, secrets)


def _over_secret(how: str, prefix: bytes, given: Iterable[str], delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """A plain hash in hex over secret, prefix and body."""
    verdict = _verdict(
        given, secrets, lambda secret: [hashlib.new(how, secret.encode() + prefix + delivery.body).hexdigest()]
    )
    if isinstance(verdict, Proven) and not _is_text(delivery.body):
        return WRONG
    return verdict


def sellsy(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`X-Webhook-Signature`: hex SHA-1 over secret and body, no HMAC (help.sellsy.com 5876622)."""
    return _over_secret("sha1", b"", [delivery.header("X-Webhook-Signature")], delivery, secrets)


def close(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`close-sig-hash`: hex HMAC-SHA256 over moment and body with the key read as hex (developer.close.com webhooks)."""
    moment = delivery.header("close-sig-timestamp")
    message = moment.encode("utf-8", "replace") + delivery.body
    verdict = _verdict(
        [delivery.header("close-sig-hash")],
        [_hex(secret).hex() for secret in secrets],
        lambda secret: [_hmac(bytes.fromhex(secret), message).hex()],
    )
    return _timely(delivery, moment, verdict)


def _hex(secret: str) -> bytes:
    try:
        return bytes.fromhex(secret)
    except ValueError:
        return b""


def outreach(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`Outreach-Webhook-Signature`: hex HMAC-SHA256 over the body (developers.outreach.io webhooks)."""
    return _verdict(
        [delivery.header("Outreach-Webhook-Signature")],
        secrets,
        lambda secret: [_hmac(secret.encode(), delivery.body).hex()],
    )


# --- Telephony and calendars ------------------------------------------------------------------------------------------


def _ports(url: str) -> list[str]:
    """The address with and without its port: Twilio signs either, whatever it calls."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return [urlunsplit(parts._replace(netloc=f"{user}{host}{end}")) for end in ("", f":{port}")]


def twilio(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`X-Twilio-Signature`: base64 HMAC-SHA1 over the address and the sorted fields of the form.

    A repeated field counts each of its values once, sorted. A body that is no form is covered by its hash in the
    address (`bodySHA256`); one that is covered by neither is refused. (twilio.com/docs/usage/security)
    """
    covered = parse_qs(urlsplit(delivery.url).query).get("bodySHA256", [])
    fields = ""
    if covered:
        if not _same(hashlib.sha256(delivery.body).hexdigest(), covered[0].lower()):
            return WRONG
    elif delivery.body:
        kind = delivery.header("Content-Type").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded" or not _is_text(delivery.body):
            return WRONG
        pairs = set(parse_qsl(delivery.body.decode(), keep_blank_values=True))
        fields = "".join(name + value for name, value in sorted(pairs))
    return _verdict(
        [delivery.header("X-Twilio-Signature")],
        secrets,
        lambda secret: [
            _base64(_hmac(secret.encode(), (address + fields).encode(), "sha1")) for address in _ports(delivery.url)
        ],
    )


def zoom(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`x-zm-signature`: "v0=" and hex HMAC-SHA256 over `v0:moment:body` (developers.zoom.us webhooks)."""
    moment = delivery.header("x-zm-request-timestamp")
    message = b"v0:" + moment.encode("utf-8", "replace") + b":" + delivery.body
    verdict = _verdict(
        [delivery.header("x-zm-signature")], secrets, lambda secret: [f"v0={_hmac(secret.encode(), message).hex()}"]
    )
    return _timely(delivery, moment, verdict)


def aircall(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`token` in the body is that of the webhook (developer.aircall.io). The rest of the body is not proven."""
    content = read_json(delivery.body)
    token = content.get("token") if isinstance(content, dict) else None
    return _verdict([token] if isinstance(token, str) else [], secrets, lambda secret: [secret])


def ringcentral(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`Verification-Token`, as given when subscribing (developers.ringcentral.com). The body is not proven."""
    return _verdict([delivery.header("Verification-Token")], secrets, lambda secret: [secret])


def google(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`X-Goog-Channel-Token`, as given to `watch` (developers.google.com/calendar/api/guides/push); there is no body."""
    return _verdict([delivery.header("X-Goog-Channel-Token")], secrets, lambda secret: [secret])


def microsoft(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """`clientState` of every notification in the body (learn.microsoft.com/graph, subscription). The rest is not proven."""
    content = read_json(delivery.body)
    notes = content.get("value") if isinstance(content, dict) else None
    if not isinstance(notes, list) or not notes:
        return MISSING if _usable(secrets) else NO_SECRET
    verdicts = [
        _verdict([state] if isinstance(state, str) else [], secrets, lambda secret: [secret])
        for state in (note.get("clientState") if isinstance(note, dict) else None for note in notes)
    ]
    return next((verdict for verdict in verdicts if isinstance(verdict, Refused)), Proven())


# --- Our own ----------------------------------------------------------------------------------------------------------


def _key(secret: str) -> bytes:
    """The bytes of a secret of Standard Webhooks: base64 after `whsec_`, else the text itself."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return b""
    return secret.encode()


def sign(secret: str, *, identifier: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a delivery signed by Standard Webhooks; the same identifier on every repetition.

    Raises ValueError for an identifier with a point, which would make what is signed ambiguous, and for an empty secret.
    """
    key = _key(secret)
    if not key or not identifier or "." in identifier:
        raise ValueError("A signature needs a secret, and an identifier without a point.")
    moment = str(int(at.timestamp()))
    message = f"{identifier}.{moment}.".encode() + body
    return {
        "webhook-id": identifier,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{_base64(_hmac(key, message))}",
    }


def signed(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """Standard Webhooks: `webhook-signature: v1,...[ v1,...]`, base64 HMAC-SHA256 over `id.moment.body`.

    (github.com/standard-webhooks). What any system with a few lines of code of its own can send us.
    """
    identifier, moment = delivery.header("webhook-id"), delivery.header("webhook-timestamp")
    sent = [part.partition(",") for part in delivery.header("webhook-signature").split()]
    given = [value for version, _comma, value in sent if version == "v1"]
    message = f"{identifier}.{moment}.".encode("utf-8", "replace") + delivery.body
    keys = {secret: key for secret in secrets if (key := _key(secret))}
    if keys and (not identifier or "." in identifier):
        return MISSING
    verdict = _verdict(given, list(keys), lambda secret: [_base64(_hmac(keys[secret], message))])
    return _timely(delivery, moment, verdict)


#: The header of a secret that is sent as it is, by systems that can send a header and cannot calculate.
OWN_HEADER: Final = "X-Hook-Secret"


def shared_secret(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """Our secret itself in `X-Hook-Secret`: telephone systems with a template for a call. The body is not proven."""
    return _verdict([delivery.header(OWN_HEADER)], secrets, lambda secret: [secret])


def salesforce(delivery: Delivery, secrets: Sequence[str]) -> Verdict:
    """Salesforce signs nothing. A callout of a Flow sends our secret as a header; one written in Apex may sign."""
    return signed(delivery, secrets) if delivery.header("webhook-signature") else shared_secret(delivery, secrets)


CHECKS: Final[Mapping[str, Check]] = {
    "aircall": aircall,
    "chargebee": basic,
    "close": close,
    "google": google,
    "hubspot": hubspot,
    "microsoft": microsoft,
    "outreach": outreach,
    "pipedrive": basic,
    "quickbooks": quickbooks,
    "ringcentral": ringcentral,
    "salesforce": salesforce,
    "sellsy": sellsy,
    "shared_secret": shared_secret,
    "signed": signed,
    "stripe": stripe,
    "twilio": twilio,
    "xero": xero,
    "zoom": zoom,
}


# --- Is this address yours? -------------------------------------------------------------------------------------------

#: What a question may hold that is answered with the hash of it. A colon in it would let a stranger have us sign
#: `v0:moment:body`, that is, any delivery they like.
_ZOOM_QUESTION: Final = re.compile(r"[A-Za-z0-9_+/=-]{1,128}")


def ask_zoom(delivery: Delivery, secrets: Sequence[str]) -> Answer | None:
    """The answer to `endpoint.url_validation`, which Zoom asks at first and again every three days; within 3 s."""
    content = read_json(delivery.body)
    if not isinstance(content, dict) or content.get("event") != "endpoint.url_validation":
        return None
    payload = content.get("payload")
    question = payload.get("plainToken") if isinstance(payload, dict) else None
    usable = _usable(secrets)
    if not isinstance(question, str) or not _ZOOM_QUESTION.fullmatch(question) or not usable:
        return None
    reply = {"plainToken": question, "encryptedToken": _hmac(usable[0].encode(), question.encode()).hex()}
    return Answer(json.dumps(reply).encode(), "application/json")


def ask_ringcentral(delivery: Delivery, secrets: Sequence[str]) -> Answer | None:
    """The header `Validation-Token` back, when a subscription is made; within 3 s, in 1024 bytes."""
    token = delivery.header("Validation-Token")
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{_LONGEST_ECHO}}}", token):
        return None
    return Answer(headers={"Validation-Token": token})


def ask_microsoft(delivery: Delivery, secrets: Sequence[str]) -> Answer | None:
    """`validationToken` of the address back as plain text, when a subscription is made; within 10 s."""
    tokens = parse_qs(urlsplit(delivery.url).query).get("validationToken", [])
    if len(tokens) != 1 or len(tokens[0]) > _LONGEST_ECHO:
        return None
    return Answer(tokens[0].encode("utf-8", "replace"))


#: Vendors that ask before they send; a question is answered without a proof, since none is sent with it.
QUESTIONS: Final[Mapping[str, Callable[[Delivery, Sequence[str]], Answer | None]]] = {
    "microsoft": ask_microsoft,
    "ringcentral": ask_ringcentral,
    "zoom": ask_zoom,
}
