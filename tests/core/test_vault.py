"""Secrets of other systems open only where they belong, and are never seen where they do not."""

from __future__ import annotations

import base64
import copy
import json
import logging
import multiprocessing
import os
import pickle
import stat
import string
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.serializers.json import DjangoJSONEncoder
from django.test import override_settings
from hypothesis import example, given
from hypothesis import settings as pace
from hypothesis import strategies as st
from kombu.utils import json as celery_json
from rest_framework.utils.encoders import JSONEncoder

from salesops.config.logs import logging_settings
from salesops.core import vault
from salesops.core.vault import MASK, Secret, VaultError, scrub, seal, unseal


def key(key_id: str, letter: str) -> str:
    """A key that nobody could take for a real one."""
    return f"{key_id}:{base64.b64encode(letter.encode() * 32).decode()}"


ONE, TWO = key("one", "1"), key("two", "2")
CANARY = "canary-token-0123456789"
HERE, THERE = "connectors.credential:12:access_token", "connectors.credential:13:access_token"


@pytest.fixture(autouse=True)
def _one_key(settings: Any) -> Iterator[None]:
    """One key, and what was seen before is forgotten; what these tests show is no secret of other tests."""
    settings.SECRETS_KEYS = ONE
    before = tuple(vault._seen)
    vault._seen.clear()
    yield
    vault._seen.clear()
    vault._seen.extend(before)


@pytest.fixture
def key_file(settings: Any, tmp_path: Path) -> Path:
    """A portal without SECRETS_KEYS and without a file of keys."""
    settings.SECRETS_KEYS = ""
    settings.SECRETS_FILE = tmp_path / "secrets.keys"
    return tmp_path / "secrets.keys"


def refusal(sealed: str, bound_to: str = HERE) -> str:
    """Why it does not open. Nothing of the error, its causes included, may hold the secret, a key or the ciphertext."""
    with pytest.raises(VaultError) as caught:
        unseal(sealed, bound_to=bound_to)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for hidden in (CANARY, "1" * 32, ONE.partition(":")[2], TWO.partition(":")[2]):
        assert hidden not in told
    blob = sealed.rpartition(".")[2]
    assert len(blob) < 20 or blob not in str(caught.value)
    return str(caught.value)


# --- Sealing and opening ------------------------------------------------------------------------------------------


def test_what_is_sealed_names_its_version_and_key_and_holds_no_secret() -> None:
    sealed = seal(CANARY, bound_to=HERE)
    version, key_id, blob = sealed.split(".")
    assert (version, key_id) == ("v1", "one")
    assert set(blob) <= set(string.ascii_letters + string.digits + "-_")
    raw = base64.urlsafe_b64decode(blob + "=" * (-len(blob) % 4))
    assert len(raw) == 12 + len(CANARY) + 16  # nonce, text, tag
    assert CANARY.encode() not in raw
    assert unseal(sealed, bound_to=HERE) == CANARY


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert len({seal(CANARY, bound_to=HERE) for _time in range(50)}) == 50


def test_a_copy_in_another_row_or_column_does_not_open() -> None:
    sealed = seal(CANARY, bound_to=HERE)
    for elsewhere in (THERE, "connectors.credential:12:refresh_token", "connectors.credential:1", HERE + " "):
        assert "belongs to another row" in refusal(sealed, elsewhere)


def test_what_is_bound_to_nothing_is_neither_sealed_nor_opened() -> None:
    sealed = seal(CANARY, bound_to=HERE)
    for work in (lambda: seal(CANARY, bound_to=""), lambda: unseal(sealed, bound_to="")):
        with pytest.raises(ValueError, match="bound to its row"):
            work()


def test_no_sign_of_a_sealed_secret_can_be_changed_added_or_taken_away() -> None:
    sealed = seal(CANARY, bound_to=HERE)
    tampered = {sealed[:length] for length in range(len(sealed))}
    for place, sign in enumerate(sealed):
        others = {"A", "z", "0", "-", "_", "+", "/", "=", ".", " ", "\n", "\0", "é", sign.swapcase()} - {sign}
        tampered |= {sealed[:place] + other + sealed[place + 1 :] for other in others}
        tampered |= {sealed[:place] + other + sealed[place:] for other in ("=", "\n", "A")}
    tampered |= {sealed + more for more in ("=", "==", "\n", " ", "A", ".", "AAAA")}
    for each in tampered - {sealed}:
        refusal(each)


def test_bits_that_base64_ignores_cannot_be_changed_either() -> None:
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    for text in ("a", "ab", "abc"):
        sealed = seal(text, bound_to=HERE)
        opens = []
        for sign in alphabet:
            try:
                opens.append(unseal(sealed[:-1] + sign, bound_to=HERE))
            except VaultError:
                continue
        assert opens == [text]


@pytest.mark.parametrize(
    "value", ["", CANARY, "v1.", "v1.one.", "v1..AAAA", f"v2.one.{'A' * 60}", f"v1.o ne.{'A' * 60}", f".one.{'A' * 60}"]
)
def test_what_was_never_sealed_is_not_passed_on(value: str) -> None:
    assert refusal(value) == "This value was never sealed, so it is not used. Connect again."


def test_a_version_or_key_that_is_rewritten_does_not_open(settings: Any) -> None:
    sealed = seal(CANARY, bound_to=HERE)
    settings.SECRETS_KEYS = f"{ONE},{key('same', '1')}"
    assert "was changed" in refusal(sealed.replace("v1.one.", "v1.same."))


def test_a_key_that_is_missing_is_named_and_what_to_do(settings: Any) -> None:
    sealed = seal(CANARY, bound_to=HERE)
    settings.SECRETS_KEYS = TWO
    assert refusal(sealed) == (
        "The key “one” that sealed this secret is missing. Put it back into SECRETS_KEYS, or connect again."
    )


def test_another_key_under_the_same_name_does_not_open(settings: Any) -> None:
    sealed = seal(CANARY, bound_to=HERE)
    settings.SECRETS_KEYS = key("one", "2")
    assert "was changed" in refusal(sealed)


@given(
    text=st.text(st.characters(exclude_categories=())),
    bound_to=st.text(st.characters(exclude_categories=()), min_size=1),
    elsewhere=st.text(st.characters(exclude_categories=()), min_size=1),
)
@example(text="\ud800", bound_to="a", elsewhere="b")
@example(text="", bound_to="v1.one.", elsewhere="v1.one")
@example(text="a" * 100_000, bound_to="a:1", elsewhere="a:11")
@pace(max_examples=200, deadline=None)
def test_any_text_opens_where_it_belongs_and_nowhere_else(text: str, bound_to: str, elsewhere: str) -> None:
    sealed = seal(text, bound_to=bound_to)
    assert unseal(sealed, bound_to=bound_to) == text
    if elsewhere != bound_to:
        with pytest.raises(VaultError):
            unseal(sealed, bound_to=elsewhere)


# --- Keys ---------------------------------------------------------------------------------------------------------


def test_the_first_key_seals_and_all_open(settings: Any) -> None:
    old = seal(CANARY, bound_to=HERE)
    settings.SECRETS_KEYS = f" {TWO} ,\n{ONE}\n"
    new = seal(CANARY, bound_to=HERE)
    assert [vault.key_id_of(each) for each in (old, new, CANARY)] == ["one", "two", ""]
    assert unseal(old, bound_to=HERE) == unseal(new, bound_to=HERE) == CANARY


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ("one", 1),
        ("one:", 1),
        (":" + ONE.partition(":")[2], 1),
        (f"{ONE},two:{base64.b64encode(b'2' * 16).decode()}", 2),  # 128 bits
        (f"{ONE},{key('two', '2')[:-4]}!!!!", 2),
        (f"{ONE},{key('one', '2')}", 2),  # the same id twice
        (ONE[:20] + "!" + ONE[20:], 1),
        (key("o.ne", "1"), 1),
        (f"{ONE},tw\u00f6:{ONE.partition(':')[2]}", 2),
        (",", 1),
        (" ", 1),
    ],
)
def test_keys_that_cannot_be_read_stop_everything(settings: Any, keys: str, place: int) -> None:
    sealed = seal(CANARY, bound_to=HERE)
    settings.SECRETS_KEYS = keys
    said = refusal(sealed)
    assert said.startswith(f"Entry {place} of the keys for secrets is not")
    with pytest.raises(VaultError, match=f"Entry {place} "):
        seal(CANARY, bound_to=HERE)
    assert [each.id for each in run_checks(tags=["security"]) if each.id.startswith("core.")] == ["core.E001"]


def test_both_ways_to_write_base64_give_the_same_key(settings: Any) -> None:
    raw = bytes(range(224, 256))
    standard, for_addresses = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert standard != for_addresses
    settings.SECRETS_KEYS = f"one:{standard}"
    sealed = seal(CANARY, bound_to=HERE)
    settings.SECRETS_KEYS = f"one:{for_addresses}"
    assert unseal(sealed, bound_to=HERE) == CANARY


def test_without_keys_the_first_secret_makes_a_file_for_its_owner_only(key_file: Path) -> None:
    before = os.umask(0)
    try:
        sealed = seal(CANARY, bound_to=HERE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [each.name for each in key_file.parent.iterdir()] == ["secrets.keys"]
    text = key_file.read_text()
    key_id, _colon, written = text.strip().partition(":")
    assert (len(key_id), len(base64.b64decode(written))) == (8, 32)
    assert unseal(sealed, bound_to=HERE) == CANARY
    assert vault.key_id_of(seal(CANARY, bound_to=HERE)) == key_id
    assert key_file.read_text() == text


def test_opening_makes_no_key_and_a_lost_file_is_said(key_file: Path, settings: Any) -> None:
    settings.SECRETS_KEYS = ONE
    sealed = seal(CANARY, bound_to=HERE)
    settings.SECRETS_KEYS = ""
    assert refusal(sealed).startswith("There is no key for secrets.")
    assert not key_file.exists()
    seal(CANARY, bound_to=HERE)  # makes another key, which does not pretend to be the lost one
    assert "The key “one” that sealed this secret is missing." in refusal(sealed)


def test_a_key_put_into_the_file_is_known_without_a_restart(key_file: Path) -> None:
    old = seal(CANARY, bound_to=HERE)
    key_file.write_text(f"{TWO}\n{key_file.read_text()}")
    assert vault.key_id_of(seal(CANARY, bound_to=HERE)) == "two"
    assert unseal(old, bound_to=HERE) == CANARY


def test_a_file_that_cannot_be_used_is_said_and_not_replaced(key_file: Path) -> None:
    sealed = seal(CANARY, bound_to=HERE)
    key_file.write_bytes(b"\xff\xfe")
    assert "cannot be used (UnicodeDecodeError)" in refusal(sealed)
    key_file.write_text("")
    assert "Entry 1 of the keys" in refusal(sealed)
    with pytest.raises(VaultError, match="Entry 1 of the keys"):
        seal(CANARY, bound_to=HERE)
    key_file.unlink()
    key_file.mkdir()
    assert "cannot be used (IsADirectoryError)" in refusal(sealed)


def test_a_folder_that_takes_no_file_is_said(key_file: Path, settings: Any) -> None:
    settings.SECRETS_FILE = key_file / "not" / "there"
    with pytest.raises(VaultError, match=r"cannot be used \(FileNotFoundError\)"):
        seal(CANARY, bound_to=HERE)


def test_the_file_has_its_name_only_once_it_is_whole(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    real = os.fsync

    def looked_at(handle: int) -> None:
        seen.append(key_file.exists())
        real(handle)

    monkeypatch.setattr(os, "fsync", looked_at)
    seal(CANARY, bound_to=HERE)
    assert seen == [False, True]  # the file's bytes, then its name in the folder


def test_whoever_comes_second_takes_the_key_of_the_first(key_file: Path) -> None:
    vault._make_keys(key_file)
    first = key_file.read_text()
    vault._make_keys(key_file)
    assert key_file.read_text() == first
    assert [each.name for each in key_file.parent.iterdir()] == ["secrets.keys"]


def test_processes_that_start_together_make_one_key(key_file: Path) -> None:
    together = multiprocessing.get_context("fork")
    start, sealed = together.Barrier(6), together.Queue()

    def first_secret() -> None:
        start.wait(30)
        sealed.put(seal(CANARY, bound_to=HERE))

    processes = [together.Process(target=first_secret) for _each in range(6)]
    for each in processes:
        each.start()
    found = [sealed.get(timeout=30) for _each in processes]
    for each in processes:
        each.join(30)
    assert len({vault.key_id_of(each) for each in found}) == 1
    assert {unseal(each, bound_to=HERE) for each in found} == {CANARY}
    assert [each.name for each in key_file.parent.iterdir()] == ["secrets.keys"]


def ours(**options: Any) -> list[str]:
    """What the check says about keys."""
    return [each.id for each in run_checks(tags=["security"], **options) if str(each.id).startswith("core.")]


def test_the_check_warns_of_a_file_that_others_can_read(key_file: Path) -> None:
    assert ours() == []
    seal(CANARY, bound_to=HERE)
    assert ours() == []
    for mode in (0o640, 0o604, 0o620):
        key_file.chmod(mode)
        assert ours() == ["core.W001"]
    with override_settings(SECRETS_KEYS=ONE):  # then the file is not used
        assert ours() == []


def test_the_check_of_a_deployment_warns_of_a_key_that_other_machines_lack(key_file: Path, settings: Any) -> None:
    settings.IS_SQLITE = False
    assert "core.W002" in ours(include_deployment_checks=True)
    assert ours() == []
    settings.SECRETS_KEYS = ONE
    assert "core.W002" not in ours(include_deployment_checks=True)
    settings.SECRETS_KEYS, settings.IS_SQLITE = "", True
    assert "core.W002" not in ours(include_deployment_checks=True)


# --- Holding a secret ---------------------------------------------------------------------------------------------


@dataclass
class Ask:
    """Something that holds a secret among other things."""

    address: str
    token: Secret


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(CANARY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>40}",
        "%s" % secret,  # noqa: UP031 - as loggers do it
        "{}".format(secret),  # noqa: UP032
        repr(Ask("https://crm.example.com", secret)),
        repr({"token": secret}),
        repr(ValueError(secret)),
        json.dumps({"token": secret}, default=str, ensure_ascii=False),
    ]
    assert all(MASK in each and CANARY not in each for each in shown)
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == CANARY


@pytest.mark.parametrize(
    "store",
    [
        json.dumps,
        lambda value: json.dumps(value, cls=DjangoJSONEncoder),
        lambda value: json.dumps(value, cls=JSONEncoder),
        celery_json.dumps,
        *(lambda value, protocol=protocol: pickle.dumps(value, protocol) for protocol in range(6)),
        copy.copy,
        copy.deepcopy,
    ],
)
def test_a_secret_is_not_stored_or_copied(store: Any) -> None:
    with pytest.raises(TypeError) as caught:
        store(Secret(CANARY))
    assert CANARY not in str(caught.value)


def test_secrets_are_equal_when_their_texts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = vault.hmac.compare_digest

    def in_constant_time(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(vault.hmac, "compare_digest", in_constant_time)
    assert Secret("a\ud800") == Secret("a\ud800")
    assert Secret(CANARY) != Secret(CANARY + "x")
    assert len(compared) == 2
    assert Secret(CANARY) != CANARY
    assert Secret("x")
    assert not Secret("")
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret(CANARY))


# --- Taking secrets out of texts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "see",
    [
        lambda: Secret(CANARY).reveal(),
        lambda: seal(CANARY, bound_to=HERE),
        lambda: unseal(SEALED_BEFORE, bound_to=HERE),
    ],
)
def test_what_a_process_had_in_its_hands_is_taken_out(see: Any) -> None:
    assert scrub(f"it said {CANARY}!") == f"it said {CANARY}!"
    see()
    assert scrub(f"it said {CANARY}!") == f"it said {MASK}!"


with override_settings(SECRETS_KEYS=ONE):
    SEALED_BEFORE = seal(CANARY, bound_to=HERE)
    vault._seen.clear()


def test_it_is_taken_out_as_addresses_json_and_python_write_it() -> None:
    odd = "pa ss/wo\"rd+é\\'&="
    Secret(odd).reveal()
    from urllib.parse import quote, quote_plus

    for written in (odd, quote(odd, safe=""), quote_plus(odd), json.dumps(odd), repr(odd)):
        assert scrub(f"<{written}>").strip("<>\"'") == MASK


def test_a_longer_secret_goes_before_one_that_begins_like_it() -> None:
    Secret("0123456789").reveal()
    Secret("0123456789abcdef").reveal()
    assert scrub("0123456789abcdef 0123456789") == f"{MASK} {MASK}"


def test_short_words_stay_and_only_the_last_thousand_are_remembered() -> None:
    Secret("invoice").reveal()
    assert scrub("the invoice") == "the invoice"
    Secret(CANARY).reveal()
    for _time in range(1000):
        Secret("another-0000").reveal()  # one that is used again and again pushes nothing out
    assert scrub(CANARY) == MASK
    for number in range(1, 1000):
        Secret(f"another-{number:04}").reveal()
    assert len(vault._seen) == 1000
    assert scrub(CANARY) == CANARY
    assert scrub("another-0000 another-0999") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Authorization: Bearer abc.def to x", "Authorization: ••• to x"),
        ("authorization=Basic YWJjOmRlZg== x", "authorization=••• x"),
        ("Authorization: Zoho-oauthtoken 1000.ab x", "Authorization: ••• x"),
        ("{'Authorization': 'Digest a=\"b\", c'}", "{'Authorization': '•••'}"),
        ("[(b'authorization', b'Basic abc')]", "[(b'authorization', '•••')]"),
        ("got bearer abcdefgh.1-2_3 there", "got bearer ••• there"),
        ("Bearer realm=x", "Bearer realm=x"),
        ("POST /token?access_token=abc&page=2", "POST /token?access_token=•••&page=2"),
        ("refresh_token=a1; x", "refresh_token=•••; x"),
        ('{"client_secret": "a \\"b\\", c", "n": 1}', '{"client_secret": "•••", "n": 1}'),
        ('{"api_key": null, "password": 12}', '{"api_key": "•••", "password": "•••"}'),
        (
            '{"event": "{\\"refreshToken\\": \\"a b\\", \\"n\\": 1}"}',
            '{"event": "{\\"refreshToken\\": \\"•••\\", \\"n\\": 1}"}',
        ),
        ('{"event": "what is a password:", "level": "info"}', '{"event": "what is a password:", "level": "info"}'),
        ("password='it\\'s, this' next", "password='•••' next"),
        ("X-API-Key: abc", "X-API-Key: •••"),
        ("GET /connectors/back/?code=abcdefgh-1&state=open", "GET /connectors/back/?code=•••&state=open"),
        ("code=404 status_code=500", "code=404 status_code=500"),
        ("postgresql://reader:p%40ss@db.example.com/crm", "postgresql://reader:•••@db.example.com/crm"),
        ("https://crm.example.com:8443/a@b", "https://crm.example.com:8443/a@b"),
        ("sk_live_abc123 rk_live_x rk_test_y whsec_a+/=", "sk_live_••• rk_live_••• rk_test_••• whsec_•••"),
        ("pat-na1-0000-fake", "pat-na1-•••"),
        ("a eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.c2ln b", "a ••• b"),
        ("a token a day", "a token a day"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed
    assert scrub(scrubbed) == scrubbed


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, StringIO]]:
    """A logger as the processes have it, in both forms, and what it wrote."""
    formatter = dict(logging_settings(level="INFO", form=request.param)["formatters"]["line"])
    stream, logger = StringIO(), logging.getLogger(f"salesops.test_vault.{request.param}")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, stream
    logger.removeHandler(handler)


def test_no_log_line_holds_a_secret_by_any_way(log: tuple[logging.Logger, StringIO]) -> None:
    logger, stream = log
    secret = Secret(CANARY)
    logger.error("held %s %r", secret, Ask("x", secret))
    text = secret.reveal()
    logger.error(f"in the text {text}")
    logger.error("as an argument %s", text)
    logger.error("beside it", extra={"token": text, "more": {"list": [text, f"Basic {text}"]}})
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            error.add_note(f"said {text}")
            raise RuntimeError("Authorization: Bearer never-revealed-0001") from error
    except RuntimeError:
        logger.exception("raised, api_key=never-revealed-0002")
    said = stream.getvalue()
    assert CANARY not in said
    assert "never-revealed" not in said
    assert said.count(MASK) >= 9
    assert "RuntimeError" in said
    if said.startswith("{"):
        assert [json.loads(line)["level"] for line in said.splitlines()] == ["error"] * 5
