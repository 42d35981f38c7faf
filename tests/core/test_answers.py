"""Keys of programs: the same request again gets the same answer, whatever happens to the first."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from salesops.core.actor import Actor
from salesops.core.models import AnsweredRequest
from salesops.core.services import ANSWERS_KEPT, CLAIMS_HELD, Answer, answer_once, forget_answers
from tests.cast import NOW

pytestmark = pytest.mark.django_db

ANA, SAM = Actor(user_id=1, name="Ana"), Actor(user_id=2, name="Sam")


class Doer:
    """Counts how often it does something."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> Answer:
        self.done += 1
        return Answer(201, f'{{"number":{self.done}}}')


def ask(doer: Any, *, actor: Actor = ANA, key: str = "k", digest: str = "d", after: timedelta = timedelta()) -> Any:
    return answer_once(actor=actor, key=key, digest=digest, at=NOW + after, act=doer)


def code_of(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ask(*args, **kwargs)
    return str(caught.value.code)


def claimed(digest: str = "d") -> AnsweredRequest:
    return AnsweredRequest.objects.create(actor_id=1, key="k", digest=digest, claim=uuid.uuid4(), asked_at=NOW)


def test_the_same_request_is_done_once_and_told_the_same() -> None:
    doer = Doer()
    assert ask(doer) == (Answer(201, '{"number":1}'), True)
    assert ask(doer, after=ANSWERS_KEPT) == (Answer(201, '{"number":1}'), False)
    assert doer.done == 1


def test_keys_are_everybodys_own() -> None:
    doer = Doer()
    assert [ask(doer)[1], ask(doer, actor=SAM)[1], ask(doer, key="other")[1]] == [True, True, True]
    assert doer.done == 3


def test_another_request_with_the_same_key_is_refused() -> None:
    doer = Doer()
    ask(doer)
    assert code_of(doer, digest="other") == "key-reused"
    assert doer.done == 1


def test_a_key_in_progress_is_busy_until_its_claim_is_given_up() -> None:
    doer, row = Doer(), claimed()
    assert code_of(doer, after=CLAIMS_HELD - timedelta(seconds=1)) == "key-busy"
    assert ask(doer, after=CLAIMS_HELD) == (Answer(201, '{"number":1}'), True)
    assert doer.done == 1
    row.refresh_from_db()
    assert (row.status, row.asked_at) == (201, NOW + CLAIMS_HELD)


def test_who_lost_the_claim_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between claiming and doing somebody else takes over: the first finds that out before it does anything."""
    doer, own = Doer(), AnsweredRequest.objects.get_or_create

    def overtaken(**kwargs: Any) -> Any:
        row, is_new = own(**kwargs)
        AnsweredRequest.objects.filter(pk=row.pk).update(claim=uuid.uuid4())
        return row, is_new

    monkeypatch.setattr(AnsweredRequest.objects, "get_or_create", overtaken)
    assert code_of(doer) == "key-busy"
    assert doer.done == 0
    assert AnsweredRequest.objects.count() == 1  # the claim of the other stays


def test_what_is_refused_frees_the_key() -> None:
    def refuse() -> Answer:
        raise ValidationError("no", code="stale")

    assert code_of(refuse) == "stale"
    assert AnsweredRequest.objects.count() == 0
    assert ask(Doer(), digest="mended")[1]


def test_what_was_done_is_undone_with_the_answer() -> None:
    def half() -> Answer:
        AnsweredRequest.objects.create(actor_id=9, key="half", digest="", claim=uuid.uuid4(), asked_at=NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ask(half)
    assert AnsweredRequest.objects.count() == 0


def test_old_answers_are_forgotten_after_a_month_at_the_earliest() -> None:
    assert timedelta(days=30) <= ANSWERS_KEPT
    for number, age in enumerate([ANSWERS_KEPT, ANSWERS_KEPT + timedelta(seconds=1), ANSWERS_KEPT * 2]):
        AnsweredRequest.objects.create(
            actor_id=1, key=str(number), digest="", claim=uuid.uuid4(), asked_at=NOW - age, status=201
        )
    assert [forget_answers(at=NOW, limit=1) for _round in range(3)] == [1, 1, 0]
    assert AnsweredRequest.objects.get().key == "0"
