"""Proofs of webhooks: what vendors publish and derive verifies, and nothing that was touched does."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from salesops.connectors.rules import proofs
from salesops.connectors.rules.proofs import Answer, Delivery, Proven, Refused
from tests.connectors.shared_data import VENDORS

NOW: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
URL: Final = "https://portal.example.com/imports/hooks/some/fake-token/"
FILE: Final = VENDORS / "signatures.json"
OTHER: Final = "00ff00ff-an-obviously-fake-secret"

#: A few published vectors, so that something is proven where the shared file is absent.
PUBLISHED: Final[list[dict[str, Any]]] = [
    {
        "vendor": "hubspot",
        "version": "v1",
        "secret": "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        "body": '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]',
        "headers": {"X-HubSpot-Signature-Version": "v1"},
        "signature_header": "X-HubSpot-Signature",
        "expected": "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de",
        "algorithm": "hex(SHA256(client_secret + raw_body))",
    },
    {
        "vendor": "hubspot",
        "version": "v2",
        "method": "GET",
        "uri": "https://www.example.com/webhook_uri",
        "secret": "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        "body": "",
        "headers": {"X-HubSpot-Signature-Version": "v2"},
        "signature_header": "X-HubSpot-Signature",
        "expected": "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e",
        "algorithm": "hex(SHA256(client_secret + method + uri + raw_body))",
    },
    {
        "vendor": "twilio",
        "secret": "12345",
        "uri": "https://mycompany.com/myapp.php?foo=1&bar=2",
        "form": {
            "CallSid": "CA1234567890ABCDE",
            "Digits": "1234",
            "From": "+14158675309",
            "To": "+18005551212",
            "Caller": "+14158675309",
        },
        "headers": {},
        "signature_header": "X-Twilio-Signature",
        "expected": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        "algorithm": "base64(HMAC-SHA1(auth_token, url + sorted(k+v)))",
    },
    {
        "vendor": "signed",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "body": '{"test": 2432232314}',
        "headers": {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"},
        "signature_header": "webhook-signature",
        "timestamp": 1614265330,
        "expected": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "algorithm": "base64(HMAC-SHA256(secret, id.timestamp.raw_body))",
    },
]


def vectors() -> list[dict[str, Any]]:
    """The shared vectors with the published ones above; only the latter where the file is absent."""
    shared = json.loads(FILE.read_text())["vectors"] if FILE.exists() else []
    for before, vector in zip([{}, *shared], shared, strict=False):
        if vector["algorithm"] == "same":
            vector["algorithm"] = before["algorithm"]
    return [*PUBLISHED, *shared]


def named(vector: Mapping[str, Any]) -> str:
    """The name of a vector in the list of tests."""
    return f"{vector['vendor']}-{vector.get('version') or vector.get('note', '')[:12]}-{vector['expected'][:6]}"


ALL: Final = vectors()
PROOFS: Final = [vector for vector in ALL if not vector["signature_header"].startswith("(response")]
TIMED: Final = [vector for vector in PROOFS if "timestamp" in vector]
#: Vectors whose algorithm runs over the body or the form.
COVERED: Final = [vector for vector in PROOFS if re.search(r"SHA\d+\(", vector["algorithm"].replace("-", ""))]
IN_HEADER: Final = [vector for vector in PROOFS if not vector["signature_header"].startswith("(")]


def each(found: list[dict[str, Any]]) -> Any:
    """One test for each of these vectors."""
    return pytest.mark.parametrize("vector", found, ids=named)


def check_of(vector: Mapping[str, Any]) -> proofs.Check:
    """The check of the vector's vendor."""
    return proofs.CHECKS[vector["vendor"].partition("-")[0]]


def header_of(vector: Mapping[str, Any]) -> str:
    """The header that carries the proof."""
    return re.split(r"[ (]", vector["signature_header"])[0]


def delivery_of(vector: Mapping[str, Any], **changes: Any) -> Delivery:
    """The delivery that the vector describes."""
    headers = dict(vector["headers"])
    body = vector.get("body", "").encode()
    pairs = [(name, value) for name, value in vector.get("form_multi", vector.get("form", {}).items())]
    if pairs:
        body = urlencode(pairs).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    if not vector["signature_header"].startswith("("):
        headers.setdefault(header_of(vector), vector["expected"])
    at = datetime.fromtimestamp(int(vector["timestamp"]), UTC) if "timestamp" in vector else NOW
    made = Delivery(vector.get("method", "POST"), vector.get("uri", URL), headers, body, at)
    return dataclasses.replace(made, **changes)


def verdict(vector: Mapping[str, Any], delivery: Delivery, *secrets: str) -> proofs.Verdict:
    """What the check says, with the vector's secret unless others are given."""
    return check_of(vector)(delivery, secrets or (vector["secret"],))


def altered(body: bytes) -> Iterator[bytes]:
    """The body with one byte changed, for every byte of it; and with one byte more or less at its end."""
    for place in range(len(body)):
        yield body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    yield body + b" "
    yield body[:-1]


def test_the_shared_vectors_are_there() -> None:
    """Says so when only the published vectors below were tested."""
    if not FILE.exists():
        pytest.skip(f"the shared file signatures.json is not here ({FILE})")
    assert {vector["vendor"].partition("-")[0] for vector in ALL} <= set(proofs.CHECKS)
    assert len(ALL) > len(PUBLISHED)


@each(PROOFS)
def test_a_proof_stands(vector: dict[str, Any]) -> None:
    """As sent, with headers in any case, and while either of two secrets counts."""
    delivery = delivery_of(vector)
    assert verdict(vector, delivery) == Proven()
    for spelled in (str.lower, str.upper, str.title):
        headers = {spelled(name): value for name, value in delivery.headers.items()}
        assert verdict(vector, dataclasses.replace(delivery, headers=headers)) == Proven()
    assert verdict(vector, delivery, OTHER, vector["secret"]) == Proven()
    assert verdict(vector, delivery, vector["secret"], OTHER) == Proven()


@each(COVERED)
def test_one_byte_of_the_body(vector: dict[str, Any]) -> None:
    """Whichever byte is another, the proof no longer fits."""
    delivery = delivery_of(vector)
    bodies = list(altered(delivery.body)) if delivery.body else [b"x"]
    assert {type(verdict(vector, dataclasses.replace(delivery, body=body))) for body in bodies} == {Refused}


@each([vector for vector in COVERED if vector.get("body", "").startswith(("{", "["))])
def test_a_body_written_anew(vector: dict[str, Any]) -> None:
    """A proxy that reads the JSON and writes it anew has changed it, though it says the same."""
    delivery = delivery_of(vector)
    again = json.dumps(json.loads(delivery.body), indent=1).encode()
    assert verdict(vector, dataclasses.replace(delivery, body=again)) == proofs.WRONG


@each(IN_HEADER)
def test_one_character_of_the_proof(vector: dict[str, Any]) -> None:
    """Whichever character of the proof is another, it is refused."""
    delivery = delivery_of(vector)
    name, proof = header_of(vector), delivery.header(header_of(vector))
    for place in range(len(proof)):
        changed = f"{proof[:place]}~{proof[place + 1 :]}"
        headers = {**delivery.headers, name: changed}
        found = verdict(vector, dataclasses.replace(delivery, headers=headers))
        assert isinstance(found, Refused), (place, changed)
        assert found.status == 401


@each(PROOFS)
def test_another_secret(vector: dict[str, Any]) -> None:
    """Who knows another secret, or none, is refused; and where no secret is set, everybody."""
    delivery = delivery_of(vector)
    assert verdict(vector, delivery, OTHER) in {proofs.WRONG, proofs.NO_SECRET}
    assert verdict(vector, delivery, vector["secret"] + "x") in {proofs.WRONG, proofs.NO_SECRET}
    assert check_of(vector)(delivery, ()) == proofs.NO_SECRET
    assert check_of(vector)(delivery, ("",)) == proofs.NO_SECRET


@each(PROOFS)
def test_no_proof_at_all(vector: dict[str, Any]) -> None:
    """Without the header (or the token in the body) there is nothing to look at."""
    delivery = delivery_of(vector)
    headers = {name: value for name, value in delivery.headers.items() if name != header_of(vector)}
    body = delivery.body if vector in IN_HEADER else delivery.body.replace(vector["expected"].encode(), b"")
    assert verdict(vector, dataclasses.replace(delivery, headers=headers, body=body)) == proofs.MISSING


@each(TIMED)
def test_the_moment_of_a_proof(vector: dict[str, Any]) -> None:
    """Five minutes before or after are near enough; a second more, in either direction, is not."""
    delivery = delivery_of(vector)
    for minutes in (-5, 5):
        edge = delivery.received_at + timedelta(minutes=minutes)
        beyond = edge + timedelta(seconds=minutes // 5)
        assert verdict(vector, dataclasses.replace(delivery, received_at=edge)) == Proven()
        assert verdict(vector, dataclasses.replace(delivery, received_at=beyond)) == proofs.STALE


@each([vector for vector in ALL if vector not in PROOFS])
def test_a_question_is_answered(vector: dict[str, Any]) -> None:
    """What the vendor wants to hear before it sends anything."""
    answer = proofs.QUESTIONS[vector["vendor"]](delivery_of(vector), (vector["secret"], OTHER))
    assert answer is not None
    assert answer.content_type == "application/json"
    asked = json.loads(vector["body"])["payload"]["plainToken"]
    assert json.loads(answer.body) == {"plainToken": asked, "encryptedToken": vector["expected"]}


# --- What no vector says ----------------------------------------------------------------------------------------------

KEY: Final = "fake-key"


def mac(message: bytes, how: str = "sha256", key: bytes = KEY.encode()) -> hmac.HMAC:
    """An HMAC as a vendor would make it."""
    return hmac.new(key, message, how)


def b64(raw: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(raw).decode()


def plain(body: bytes, how: str = "sha1") -> str:
    """A plain hash over key and body, in hex."""
    return hashlib.new(how, KEY.encode() + body).hexdigest()


def post(body: bytes = b"{}", url: str = URL, at: datetime = NOW, method: str = "POST", **headers: str) -> Delivery:
    """A delivery; underscores in the names of headers stand for hyphens."""
    return Delivery(method, url, {name.replace("_", "-"): value for name, value in headers.items()}, body, at)


def hubspot_v3(signed_url: str, url: str, *, at: datetime = NOW, body: bytes = b"[]", **headers: str) -> Delivery:
    """A delivery signed by the newest scheme."""
    moment = str(int(at.timestamp() * 1000))
    proof = b64(mac(b"POST" + signed_url.encode() + body + moment.encode()).digest())
    return post(body, url, X_HubSpot_Signature_v3=proof, X_HubSpot_Request_Timestamp=moment, **headers)


def test_hubspot_signs_the_public_address_with_some_signs_decoded() -> None:
    """Some signs in the address are decoded before it is signed, others (a space, an ampersand) are not."""
    sent = "https://portal.example.com/a%2Fb/?q=%3A%40%20%26%2c%3b&x=1"
    assert proofs.hubspot(hubspot_v3("https://portal.example.com/a/b/?q=:@%20%26,;&x=1", sent), [KEY]) == Proven()
    assert proofs.hubspot(hubspot_v3("https://portal.example.com/a/b/?q=:@ &,;&x=1", sent), [KEY]) == proofs.WRONG
    inside = hubspot_v3("http://127.0.0.1:8000/a/", "https://portal.example.com/a/")
    assert proofs.hubspot(inside, [KEY]) == proofs.WRONG
    other = dataclasses.replace(hubspot_v3(URL, URL), method="PUT")
    assert proofs.hubspot(other, [KEY]) == proofs.WRONG


def test_hubspot_has_a_moment_only_in_its_newest_scheme() -> None:
    """In milliseconds; old and future ones are refused."""
    for minutes, expected in ((-5, Proven()), (5, Proven()), (-5.02, proofs.STALE), (5.02, proofs.STALE)):
        delivery = hubspot_v3(URL, URL, at=NOW + timedelta(minutes=minutes))
        assert proofs.hubspot(delivery, [KEY]) == expected
    without = {"X-HubSpot-Signature-v3": b64(mac(b"POST" + URL.encode() + b"[]").digest())}
    assert proofs.hubspot(Delivery("POST", URL, without, b"[]", NOW), [KEY]) == proofs.MISSING


def test_hubspot_is_not_talked_down_to_an_older_scheme() -> None:
    """A good older signature beside a wrong newer one counts nothing."""
    old = post(b"[]", X_HubSpot_Signature=plain(b"[]", "sha256"), X_HubSpot_Signature_Version="v1")
    assert proofs.hubspot(old, [KEY]) == Proven()
    both = dataclasses.replace(old, headers={**old.headers, "X-HubSpot-Signature-v3": "AAAA"})
    assert proofs.hubspot(both, [KEY]) == proofs.WRONG
    unknown = {**old.headers, "X-HubSpot-Signature-Version": "v9"}
    assert proofs.hubspot(dataclasses.replace(old, headers=unknown), [KEY]) == proofs.MISSING


@pytest.mark.parametrize("scheme", ["sellsy", "hubspot"])
def test_a_plain_hash_cannot_be_carried_on(scheme: str) -> None:
    """Who appends the padding of the hash to a body can carry the hash on without the secret; that is no text."""
    how = "sha1" if scheme == "sellsy" else "sha256"
    header = "X-Webhook-Signature" if scheme == "sellsy" else "X-HubSpot-Signature"
    for body, expected in ((b"[]", Proven()), (b"[]\x80\x00\x00\x00\x00\x00\x00\x01(" + b"[{}]", proofs.WRONG)):
        sent = Delivery("POST", URL, {header: plain(body, how)}, body, NOW)
        assert proofs.CHECKS[scheme](sent, [KEY]) == expected


def test_close_reads_its_key_as_hex() -> None:
    """Over moment and body; a key that is not hex is no key."""
    key = "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c"
    body, moment = b'{"event":{}}', str(int(NOW.timestamp()))
    proof = mac(moment.encode() + body, key=bytes.fromhex(key)).hexdigest()
    delivery = post(body, close_sig_hash=proof, close_sig_timestamp=moment)
    assert proofs.close(delivery, [key]) == Proven()
    assert proofs.close(delivery, ["00" * 32, key]) == Proven()
    assert proofs.close(delivery, ["00" * 32]) == proofs.WRONG
    assert proofs.close(delivery, ["not hex", ""]) == proofs.NO_SECRET
    for text in altered(body):
        assert proofs.close(dataclasses.replace(delivery, body=text), [key]) == proofs.WRONG
    for minutes in (-6, 6):
        late = dataclasses.replace(delivery, received_at=NOW + timedelta(minutes=minutes))
        assert proofs.close(late, [key]) == proofs.STALE


def test_outreach_and_sellsy() -> None:
    """Over the body alone."""
    body = b'{"data":{"id":1}}'
    outreach = post(body, Outreach_Webhook_Signature=mac(body).hexdigest())
    sellsy = post(body, X_Webhook_Signature=plain(body))
    for check, delivery in ((proofs.outreach, outreach), (proofs.sellsy, sellsy)):
        assert check(delivery, [OTHER, KEY]) == Proven()
        assert check(delivery, [OTHER]) == proofs.WRONG
        assert check(post(body), [KEY]) == proofs.MISSING
        assert {check(dataclasses.replace(delivery, body=text), [KEY]) for text in altered(body)} == {proofs.WRONG}


def twilio(signed_url: str, url: str, body: bytes = b"", kind: str = "", fields: str = "") -> Delivery:
    """A delivery signed as Twilio does."""
    proof = b64(mac((signed_url + fields).encode(), "sha1").digest())
    return post(body, url, X_Twilio_Signature=proof, Content_Type=kind)


@pytest.mark.parametrize(
    ("signed", "called"),
    [
        ("https://a.example.com:443/h/?x=1", "https://a.example.com/h/?x=1"),
        ("https://a.example.com/h/?x=1", "https://a.example.com:443/h/?x=1"),
        ("http://a.example.com:80/h/", "http://a.example.com/h/"),
        ("https://u:p@a.example.com/h/", "https://u:p@a.example.com:8443/h/"),
        ("https://[::1]:8443/h/", "https://[::1]:8443/h/"),
    ],
)
def test_twilio_signs_with_or_without_the_port(signed: str, called: str) -> None:
    """Either is taken; another port is not."""
    assert proofs.twilio(twilio(signed, called), [KEY]) == Proven()
    assert proofs.twilio(twilio(signed.replace("/h/", ":9999/h/", 1), called), [KEY]) == proofs.WRONG


def test_twilio_covers_json_by_its_hash_in_the_address() -> None:
    """A body that is no form must be covered by `bodySHA256`, else anybody could change it."""
    body = b'{"CallSid":"CA1"}'
    url = f"https://a.example.com/h/?bodySHA256={hashlib.sha256(body).hexdigest()}"
    assert proofs.twilio(twilio(url, url, body, "application/json"), [KEY]) == Proven()
    for text in altered(body):
        assert proofs.twilio(twilio(url, url, text, "application/json"), [KEY]) == proofs.WRONG
    bare = "https://a.example.com/h/"
    assert proofs.twilio(twilio(bare, bare, body, "application/json"), [KEY]) == proofs.WRONG
    assert proofs.twilio(twilio(bare, bare, b"&", "application/json"), [KEY]) == proofs.WRONG
    form = "application/x-www-form-urlencoded"
    blank = twilio(bare, bare, b"To=&A=2&A=1&A=2&B=%2B1", form, "A1A2B+1To")
    assert proofs.twilio(blank, [KEY]) == Proven()
    assert proofs.twilio(twilio(bare, bare, b"\x80=1", form, "\x80" + "1"), [KEY]) == proofs.WRONG


def test_stripe_while_its_secret_is_replaced() -> None:
    """Several `v1` may be there, of which one must fit; `v0` proves nothing, and the moment must be a number."""
    body, moment = b'{"id":"evt_1"}', str(int(NOW.timestamp()))
    good = mac(moment.encode() + b"." + body).hexdigest()
    assert proofs.stripe(post(body, Stripe_Signature=f"t={moment},v1=aa,v1={good},v0=bb"), [KEY]) == Proven()
    assert proofs.stripe(post(body, Stripe_Signature=f"t={moment},v0={good}"), [KEY]) == proofs.MISSING
    nothing = mac(b"." + body).hexdigest()
    assert proofs.stripe(post(body, Stripe_Signature=f"v1={nothing}"), [KEY]) == proofs.MISSING
    arabic = moment.translate({48 + digit: 0x660 + digit for digit in range(10)})
    for odd in ("soon", "1e9", "-1", "9" * 400, f"{moment}.0", arabic):
        proof = mac(odd.encode() + b"." + body).hexdigest()
        assert proofs.stripe(post(body, Stripe_Signature=f"t={odd},v1={proof}"), [KEY]) == proofs.STALE


def test_every_notification_of_microsoft_must_know_the_state() -> None:
    """One good notification does not carry another in with it; a body without any proves nothing."""
    good, bad = {"clientState": KEY, "resource": "r"}, {"clientState": "x", "resource": "r"}

    def about(*notes: Any) -> proofs.Verdict:
        return proofs.microsoft(post(json.dumps({"value": list(notes)}).encode()), [KEY])

    assert about(good, good) == Proven()
    assert about(good, bad) == about(bad, good) == proofs.WRONG
    assert about(good, {"resource": "r"}) == about(good, "text") == proofs.MISSING
    assert about() == proofs.MISSING
    for body in (b"", b"{", b"[]", b'{"value":{}}', b"[" * 100_000):
        assert proofs.microsoft(post(body), [KEY]) == proofs.MISSING


def test_our_own_scheme() -> None:
    """What `sign` makes stands, and each of its parts is covered."""
    body = b'{"type":"deal.updated","data":{"id":"7"}}'
    headers = proofs.sign(KEY, identifier="msg_1", at=NOW, body=body)
    delivery = Delivery("POST", URL, headers, body, NOW)
    assert proofs.signed(delivery, [OTHER, KEY]) == Proven()
    for name, value in (("webhook-id", "msg_2"), ("webhook-timestamp", str(int(NOW.timestamp()) + 1))):
        changed = dataclasses.replace(delivery, headers={**headers, name: value})
        assert proofs.signed(changed, [KEY]) == proofs.WRONG
        without = {known: text for known, text in headers.items() if known != name}
        assert isinstance(proofs.signed(dataclasses.replace(delivery, headers=without), [KEY]), Refused)
    several = {**headers, "webhook-signature": f"v1,AAAA v2,x {headers['webhook-signature']}"}
    assert proofs.signed(dataclasses.replace(delivery, headers=several), [KEY]) == Proven()
    other = {**headers, "webhook-signature": headers["webhook-signature"].replace("v1,", "v1a,")}
    assert proofs.signed(dataclasses.replace(delivery, headers=other), [KEY]) == proofs.MISSING


def test_an_identifier_with_a_point_would_be_ambiguous() -> None:
    """`a.1` at `2` and `a` at `1` with a body that begins with `2.` would be signed alike."""
    with pytest.raises(ValueError, match="without a point"):
        proofs.sign(KEY, identifier="a.1", at=NOW, body=b"")
    with pytest.raises(ValueError, match="needs a secret"):
        proofs.sign("", identifier="a", at=NOW, body=b"")
    with pytest.raises(ValueError, match="needs a secret"):
        proofs.sign(KEY, identifier="", at=NOW, body=b"")
    moment = str(int(NOW.timestamp()))
    proof = "v1," + b64(mac(f"a.1.{moment}.{{}}".encode()).digest())
    split = {"webhook-id": "a.1", "webhook-timestamp": moment, "webhook-signature": proof}
    assert proofs.signed(Delivery("POST", URL, split, b"{}", NOW), [KEY]) == proofs.MISSING
    proof = "v1," + b64(mac(f".{moment}.{{}}".encode()).digest())
    nameless = {"webhook-timestamp": moment, "webhook-signature": proof}
    assert proofs.signed(Delivery("POST", URL, nameless, b"{}", NOW), [KEY]) == proofs.MISSING  # could come again
    assert proofs.signed(Delivery("POST", URL, split, b"{}", NOW), ["whsec_ no base64"]) == proofs.NO_SECRET


@pytest.mark.parametrize("vendor", sorted(proofs.CHECKS))
def test_proofs_are_compared_in_a_time_that_tells_nothing(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever measures how long a wrong proof takes must not learn how much of it was right."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    moment = str(int(NOW.timestamp()))
    headers = {
        "Authorization": "Basic wrong", "Stripe-Signature": f"t={moment},v1=wrong", "intuit-signature": "wrong",
        "x-xero-signature": "wrong", "X-HubSpot-Signature": "wrong", "X-Webhook-Signature": "wrong",
        "close-sig-hash": "wrong", "close-sig-timestamp": moment, "Outreach-Webhook-Signature": "wrong",
        "X-Twilio-Signature": "wrong", "x-zm-signature": "wrong", "x-zm-request-timestamp": moment,
        "Verification-Token": "wrong", "X-Goog-Channel-Token": "wrong", "webhook-id": "a", "webhook-timestamp": moment,
        "webhook-signature": "v1,wrong", "X-Hook-Secret": "wrong",
    }  # fmt: skip
    body = b"" if vendor == "twilio" else b'{"token": "wrong", "value": [{"clientState": "wrong"}]}'
    assert proofs.CHECKS[vendor](Delivery("POST", URL, headers, body, NOW), ["00ff"]) == Proven()
    assert [one for one, _other in compared] == [b"wrong"]


def test_a_token_of_aircall_is_a_text() -> None:
    for token in (123, None, ["a"], True):
        body = json.dumps({"token": token}).encode()
        assert proofs.aircall(post(body), [str(token)]) == proofs.MISSING


def test_salesforce_sends_our_secret_or_signs() -> None:
    """A Flow can only send a header; code in Apex can sign. A wrong signature is not made good by the header."""
    body = b'{"type":"Opportunity.updated","data":{"Id":"006xx0000001"}}'
    assert proofs.salesforce(post(body, x_hook_secret=KEY), [OTHER, KEY]) == Proven()
    assert proofs.salesforce(post(body, x_hook_secret="x"), [KEY]) == proofs.WRONG
    assert proofs.salesforce(post(body), [KEY]) == proofs.MISSING
    headers = proofs.sign(KEY, identifier="m", at=NOW, body=body)
    assert proofs.salesforce(Delivery("POST", URL, headers, body, NOW), [KEY]) == Proven()
    both = {**headers, "X-Hook-Secret": KEY, "webhook-signature": "v1,AAAA"}
    assert proofs.salesforce(Delivery("POST", URL, both, body, NOW), [KEY]) == proofs.WRONG


def test_odd_signs_in_a_proof_are_refused_and_break_nothing() -> None:
    """What a header may hold is no reason to fail: a failure would be answered as ours."""
    for odd in ("é", "\udcff", "\x00", "x" * 100_000):
        assert proofs.xero(post(x_xero_signature=odd), [KEY]) == proofs.WRONG
        assert isinstance(proofs.zoom(post(x_zm_signature=odd, x_zm_request_timestamp=odd), [KEY]), Refused)
        assert isinstance(proofs.signed(post(webhook_id=odd, webhook_signature=f"v1,{odd}"), [KEY]), Refused)
        assert isinstance(proofs.hubspot(post(X_HubSpot_Signature_v3=odd), [KEY]), Refused)


# --- Is this address yours? -------------------------------------------------------------------------------------------


def test_zoom_cannot_have_us_sign_a_delivery() -> None:
    """The answer is a hash with the secret of what was asked, so a question that looks like a delivery gets none."""
    moment = str(int(NOW.timestamp()))
    forged = f'v0:{moment}:{{"event":"phone.callee_ended"}}'

    def asked(question: Any) -> Answer | None:
        body = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": question}}).encode()
        return proofs.ask_zoom(post(body), [KEY])

    assert asked("qgg8vlvZRS6UYooatFL8Aw") is not None
    for question in (forged, "v0:", "", None, 7, ["a"], "a" * 129, "a\n"):
        assert asked(question) is None
    assert proofs.ask_zoom(post(b'{"event":"phone.callee_ended","payload":{"plainToken":"a"}}'), [KEY]) is None
    assert proofs.ask_zoom(post(b'{"event":"endpoint.url_validation","payload":{"plainToken":"a"}}'), [""]) is None
    assert proofs.ask_zoom(post(b"["), [KEY]) is None


def test_ringcentral_hears_its_token() -> None:
    """In the header, if it is one that a header may hold."""
    answer = proofs.ask_ringcentral(post(b"", Validation_Token="fake-validation"), [])
    assert answer == Answer(headers={"Validation-Token": "fake-validation"})
    for token in ("", "a\r\nSet-Cookie: x", "a b", "é", "a" * 513):
        assert proofs.ask_ringcentral(post(b"", Validation_Token=token), []) is None


def test_microsoft_hears_its_token_as_plain_text() -> None:
    """Decoded, never as a page."""
    answer = proofs.ask_microsoft(post(b"", f"{URL}?validationToken=a%3Cb%3E+%26c"), [])
    assert answer == Answer(b"a<b> &c")
    assert answer.content_type == "text/plain; charset=utf-8"
    for query in ("", "?validationToken=", "?other=1", "?validationToken=a&validationToken=b"):
        assert proofs.ask_microsoft(post(b"", URL + query), []) is None
    assert proofs.ask_microsoft(post(b"", f"{URL}?validationToken={'a' * 513}"), []) is None
