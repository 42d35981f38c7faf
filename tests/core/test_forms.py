"""Forms: money in and out, errors tied to their fields, one effect for a form posted twice, nothing typed is lost."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from salesops.core.actor import system_actor
from salesops.core.forms import MoneyField, PortalForm, ShareField
from salesops.core.models import PostedForm
from salesops.core.money_inputs import parse_money
from salesops.core.services import POSTED_FORMS_KEPT, forget_posted_forms, post_once
from salesops.deals.models import Deal, Stage
from salesops.jobs.choices import JobState
from salesops.jobs.registry import declared_schedules
from salesops.jobs.services import enqueue
from salesops.jobs.testing import run_due
from salesops.values.money import MIN_MINOR, MoneyError, plain, to_minor
from tests.cast import NOW, Cast

Makes = Callable[..., list[Deal]]
Clients = Callable[[str], Client]
NEW = "/sample/deals/new/"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1234.5", "1234.5"), ("1,234.50", "1234.50"), ("12,345,678", "12345678"), ("-3", "-3"), ("−0.01", "-0.01"),
        (" 1 234.5 ", "1234.5"), ("1\u00a0000", "1000"), ("1'000.25", "1000.25"), ("0", "0"),
    ],
)  # fmt: skip
def test_amounts_as_people_type_them(text: str, amount: str) -> None:
    assert parse_money(text) == Decimal(amount)


@pytest.mark.parametrize(
    "text", ["", "1,5", "1.234,50", "1,23,456", "1e5", "١٢", "$5", "--1", "1.2.3", ".5", "5.", "NaN", "9" * 41]
)
def test_what_is_doubtful_is_refused_not_guessed(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_money(text)


@given(st.integers(-(10**17), 10**17), st.sampled_from(["USD", "JPY", "KWD"]))
def test_what_a_form_shows_it_reads_back(minor: int, currency: str) -> None:
    assert to_minor(parse_money(plain(minor, currency)), currency) == minor


class _Form(PortalForm):
    amount = MoneyField(least_minor=0, most_minor=100_000)
    share = ShareField(required=False)


def form(**data: Any) -> _Form:
    """The form with what was posted."""
    return _Form(data, actor=None)  # type: ignore[arg-type]  # it does not ask the actor


def test_money_and_shares_become_whole_numbers() -> None:
    filled = form(amount="1,000.00", share="12.5")
    assert filled.is_valid()
    assert filled.values == {"amount": 100_000, "share": 1250}


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("0.001", "too many decimals"),
        ("-0.01", "At least 0.00"),
        ("1000.01", "At most 1000.00"),
        ("1.5k", "not an amount"),
    ],
)
def test_an_amount_out_of_bounds_is_told_at_its_field(amount: str, message: str) -> None:
    filled = form(amount=amount)
    assert not filled.is_valid()
    assert message in filled.errors["amount"][0]


@pytest.mark.parametrize("share", ["100.01", "-1", "12.345", "x", "NaN"])
def test_a_share_out_of_bounds_is_refused(share: str) -> None:
    assert not form(amount="1", share=share).is_valid()


def test_an_amount_beyond_the_column_is_refused() -> None:
    assert "too many" in str(MoneyFormProbe({"amount": str(-MIN_MINOR)}, actor=None).errors["amount"])  # type: ignore[arg-type]


class MoneyFormProbe(PortalForm):
    """Without bounds of its own."""

    amount = MoneyField()


@pytest.mark.django_db
@pytest.mark.urls("tests.core.pages")
class TestPages:
    """Pages with forms."""

    def data(self, stage: Stage, **more: str) -> dict[str, Any]:
        """A whole form."""
        return {"name": "New", "amount_minor": "1,234.50", "currency": "USD", "stage": stage.pk, **more}

    def test_a_form_posted_twice_does_its_work_once_and_leads_to_the_first_result(
        self, client_of: Clients, stage: Stage
    ) -> None:
        client = client_of("ana")
        key = re.search(r'name="form_key" value="([0-9a-f-]{36})"', client.get(NEW).content.decode())
        assert key
        data = self.data(stage, form_key=key[1])
        first, second = client.post(NEW, data), client.post(NEW, data)
        deal = Deal.objects.get()
        assert deal.amount_minor == 123_450
        assert first.headers["Location"] == second.headers["Location"] == f"/sample/deals/{deal.pk}/"
        assert "already sent" in str(list(get_messages(second.wsgi_request))[-1])
        assert PostedForm.objects.get().location == f"/sample/deals/{deal.pk}/"

    def test_another_persons_form_key_reveals_nothing(self, client_of: Clients, stage: Stage) -> None:
        key = str(uuid.uuid4())
        client_of("ana").post(NEW, self.data(stage, form_key=key))
        assert client_of("alba").post(NEW, self.data(stage, form_key=key)).status_code == 404
        assert Deal.objects.count() == 1

    def test_a_refused_form_can_be_sent_again_with_the_same_key(self, client_of: Clients, stage: Stage) -> None:
        client, key = client_of("ana"), str(uuid.uuid4())
        refused = client.post(NEW, self.data(stage, form_key=key, name="forbidden"))
        assert refused.status_code == 422
        assert PostedForm.objects.count() == 0
        text = refused.content.decode()
        assert "This name is not allowed." in text
        assert 'value="forbidden"' in text
        assert 'value="1,234.50"' in text
        assert f'value="{key}"' in text
        assert client.post(NEW, self.data(stage, form_key=key)).status_code == 302
        assert Deal.objects.count() == 1

    def test_errors_are_tied_to_their_fields_and_summed_up(self, client_of: Clients, stage: Stage) -> None:
        text = client_of("ana").post(NEW, self.data(stage, amount_minor="lots", name="")).content.decode()
        field = re.search(r"<input[^>]*name=\"amount_minor\"[^>]*>", text)
        assert field
        assert 'aria-invalid="true"' in field[0]
        assert 'aria-describedby="id_amount_minor_helptext id_amount_minor_error"' in field[0]
        assert 'id="id_amount_minor_error"' in text
        assert 'id="id_amount_minor_helptext"' in text
        assert 'role="alert"' in text
        assert '<a href="#id_amount_minor">Amount</a>' in text
        assert Deal.objects.count() == 0

    def test_an_edit_form_shows_major_units_and_a_stale_one_is_a_conflict(
        self, client_of: Clients, deals: Makes
    ) -> None:
        deal = deals(1, amount_minor=123_450, currency="KWD")[0]
        client, url = client_of("ana"), f"/sample/deals/{deal.pk}/edit/"
        assert 'value="123.450"' in client.get(url).content.decode()
        answer = client.post(url, self.data(deal.stage, name="Mine", amount_minor="5"))
        assert answer.status_code == 409
        assert "Somebody was faster." in answer.content.decode()
        assert 'value="Mine"' in answer.content.decode()
        deal.refresh_from_db()
        assert deal.name == "Deal 00001"

    def test_what_is_not_yours_does_not_exist(self, client_of: Clients, cast: Cast, deals: Makes) -> None:
        deal = deals(1, owner=cast.alba, pod=cast.south)[0]
        for url in (f"/sample/deals/{deal.pk}/", f"/sample/deals/{deal.pk}/edit/", f"/sample/deals/{10**15}/"):
            assert client_of("ana").get(url).status_code == 404
        assert client_of("ana").post(f"/sample/deals/{deal.pk}/edit/", {}).status_code == 404

    def test_in_a_dialog_the_form_is_a_fragment_and_success_goes_on_by_header(
        self, client_of: Clients, stage: Stage
    ) -> None:
        client = client_of("ana")
        headers = {"HX-Request": "true", "HX-Target": "dialog-body"}
        text = client.get(NEW, headers=headers).content.decode()
        assert "<html" not in text
        assert text.lstrip().startswith('<div id="dialog-body"')
        wrong = client.post(NEW, {"name": ""}, headers=headers)
        assert (wrong.status_code, "<html" in wrong.content.decode()) == (422, False)
        done = client.post(NEW, self.data(stage), headers=headers)
        assert done.status_code == 204
        assert done.headers["HX-Redirect"] == f"/sample/deals/{Deal.objects.get().pk}/"


@pytest.mark.django_db
def test_a_failed_act_leaves_no_key_behind(cast: Cast) -> None:
    key, actor = uuid.uuid4(), cast.actor("ana")

    def fail() -> str:
        raise ValidationError("no")

    with pytest.raises(ValidationError):
        post_once(actor=actor, key=key, at=NOW, act=fail)
    assert not PostedForm.objects.exists()
    assert post_once(actor=actor, key=key, at=NOW, act=lambda: "/there/") == ("/there/", True)
    assert post_once(actor=actor, key=key, at=NOW, act=fail) == ("/there/", False)


def test_keys_of_forms_posted_long_ago_are_forgotten_a_few_at_a_time(cast: Cast) -> None:
    ages = (timedelta(), POSTED_FORMS_KEPT, POSTED_FORMS_KEPT + timedelta(seconds=1), timedelta(days=400))
    for age in ages:
        PostedForm.objects.create(key=uuid.uuid4(), actor_id=1, posted_at=NOW - age)
    assert forget_posted_forms(at=NOW, limit=1) == 1
    assert forget_posted_forms(at=NOW) == 1
    assert forget_posted_forms(at=NOW) == 0
    assert sorted(NOW - row.posted_at for row in PostedForm.objects.all()) == [ages[0], ages[1]]


def test_keys_of_old_forms_are_cleared_away_by_a_schedule_and_young_ones_stay(cast: Cast) -> None:
    actor, keys = cast.actor("ana"), [uuid.uuid4() for _number in range(4)]
    ages = [POSTED_FORMS_KEPT * 2, POSTED_FORMS_KEPT + timedelta(seconds=1), POSTED_FORMS_KEPT, timedelta(0)]
    for key, age in zip(keys, ages, strict=True):
        post_once(actor=actor, key=key, at=NOW - age, act=lambda: "/there/")
    (declared,) = [one for one in declared_schedules() if one.code == "core.forget_forms"]
    enqueue(kind=declared.kind, key="sweep", payload={}, actor=system_actor(), at=NOW, title="Sweep")
    (swept,) = run_due(at=NOW)
    assert (swept.state, swept.checkpoint["deleted"]) == (JobState.DONE, 2)
    assert set(PostedForm.objects.values_list("key", flat=True)) == set(keys[2:])
    assert post_once(actor=actor, key=keys[2], at=NOW, act=lambda: "/elsewhere/") == ("/there/", False)


def test_many_old_forms_are_cleared_away_a_part_at_a_time(cast: Cast) -> None:
    PostedForm.objects.bulk_create(
        PostedForm(key=uuid.uuid4(), actor_id=1, posted_at=NOW - POSTED_FORMS_KEPT * 2) for _number in range(5)
    )
    assert [forget_posted_forms(at=NOW, limit=2) for _round in range(4)] == [2, 2, 1, 0]
