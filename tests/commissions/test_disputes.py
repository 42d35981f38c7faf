"""Disputes: opened by the person, answered within working days by somebody else, decided once, with or without pay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, IntegrityError, transaction
from django.http import Http404
from django.test import Client
from django.urls import reverse

from salesops.audit.models import AuditEntry
from salesops.commissions.errors import CommissionRefusedError
from salesops.commissions.models import Adjustment, Dispute, DisputeMessage, Period
from salesops.commissions.pay_forms import DisputeForm
from salesops.commissions.rules.reviews import due_after
from salesops.commissions.selectors.disputes import hours_left, open_disputes
from salesops.commissions.services.approvals import approve_statements, lock_period
from salesops.commissions.services.disputes import (
    Correction,
    decide_dispute,
    open_dispute,
    withdraw_dispute,
    write_message,
)
from salesops.commissions.services.transactions import booking_key
from salesops.home.cards import cards_for
from salesops.notices.models import Notice
from tests.cast import NOW, Cast
from tests.commissions.pay import FLAT_8, calculated, plan_in_force, statement_of, won


@pytest.fixture
def period(cast: Cast) -> Period:
    """The second quarter: Ana earned 80.00 by one deal, Max is on the plan as well."""
    plan_in_force(cast, FLAT_8, people=("ana", "max", "finn"))
    won(cast, "ana", 1_000_00, name="Amber")
    return calculated(cast)


def opened(cast: Cast, person: str = "ana", line: str = "", subject: str = "A deal is missing") -> Dispute:
    return open_dispute(
        actor=cast.actor(person),
        statement=statement_of(cast, person),
        line=line,
        subject=subject,
        message="The deal of April is mine.",
        at=NOW,
    )


def decided(cast: Cast, dispute: Dispute, by: str = "max", **more: Any) -> Dispute:
    values = {"is_accepted": False, "decision": "It was Sam's.", **more}
    return decide_dispute(actor=cast.actor(by), dispute=dispute, at=NOW, **values)


def line_of_ana(cast: Cast) -> str:
    return f"commission:{booking_key(statement_of(cast, 'ana').earnings.get().credit.transaction.deal_id)}"


def state_of(dispute: Dispute) -> str:
    return Dispute.objects.get(pk=dispute.pk).state


def test_a_person_opens_one_on_a_line_and_it_has_a_clock(cast: Cast, period: Period) -> None:
    dispute = opened(cast, line=line_of_ana(cast))
    assert (dispute.person, dispute.state, dispute.opened_at) == (cast.ana, "open", NOW)
    assert dispute.due_at == datetime(2026, 6, 19, 10, 0, tzinfo=UTC)  # from Wednesday to Friday
    assert [message.text for message in dispute.messages.all()] == ["The deal of April is mine."]
    assert AuditEntry.objects.filter(action="dispute.opened").count() == 1
    assert hours_left(dispute, NOW) == 48
    assert hours_left(dispute, dispute.due_at + timedelta(minutes=1)) == -1


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("moment", "days", "expected"),
    [
        (datetime(2026, 6, 17, 10, tzinfo=UTC), 2, datetime(2026, 6, 19, 10, tzinfo=UTC)),
        (datetime(2026, 6, 18, 10, tzinfo=UTC), 2, datetime(2026, 6, 22, 10, tzinfo=UTC)),  # Thursday to Monday
        (datetime(2026, 6, 19, 10, tzinfo=UTC), 2, datetime(2026, 6, 23, 10, tzinfo=UTC)),  # Friday to Tuesday
        (datetime(2026, 6, 20, 10, tzinfo=UTC), 2, datetime(2026, 6, 23, 10, tzinfo=UTC)),  # Saturday to Tuesday
        (datetime(2026, 6, 19, 23, tzinfo=UTC), 1, datetime(2026, 6, 21, 23, tzinfo=UTC)),  # Saturday in Berlin
        (
            datetime(2026, 3, 27, 10, tzinfo=UTC),
            1,
            datetime(2026, 3, 30, 9, tzinfo=UTC),
        ),  # over the change of the clock
        (datetime(2026, 6, 17, 10, tzinfo=UTC), 0, datetime(2026, 6, 17, 10, tzinfo=UTC)),
    ],
)
def test_working_days_are_those_of_the_company(moment: datetime, days: int, expected: datetime) -> None:
    assert due_after(moment, days, BERLIN) == expected


def test_the_clock_is_a_setting(cast: Cast, period: Period, settings: Any) -> None:
    settings.DISPUTE_ANSWER_WORKING_DAYS = 5
    assert opened(cast).due_at == NOW + timedelta(days=7)


def test_only_ones_own_statement_is_doubted(cast: Cast, period: Period) -> None:
    for who in ("max", "finn", "rita", "sam"):
        with pytest.raises(PermissionDenied):
            open_dispute(
                actor=cast.actor(who), statement=statement_of(cast, "ana"), line="", subject="x", message="x", at=NOW
            )
    assert Dispute.objects.count() == 0


def test_what_cannot_be_opened_says_why(cast: Cast, period: Period) -> None:
    def refused(field: str, **changed: Any) -> None:
        values = {"line": "", "subject": "A deal is missing", "message": "Which?", **changed}
        with pytest.raises(CommissionRefusedError) as caught:
            open_dispute(actor=cast.actor("ana"), statement=statement_of(cast, "ana"), at=NOW, **values)
        assert list(caught.value.message_dict) == [field]

    refused("line", line="commission:deal:0:booking")
    refused("line", line="settlement:1")
    refused("subject", subject="  ")
    refused("message", message="\n")
    refused("message", message="x" * 5_001)
    assert Dispute.objects.count() == 0
    first = opened(cast)
    refused("line")
    opened(cast, line=line_of_ana(cast))  # a line is another matter than the whole
    withdraw_dispute(actor=cast.actor("ana"), dispute=first, at=NOW)
    opened(cast)


def test_a_line_of_the_settlement_is_doubted_by_its_place(cast: Cast, period: Period) -> None:
    plan = statement_of(cast, "ana").plan_version.plan
    Adjustment.objects.create(
        person=cast.ana,
        plan=plan,
        period=period,
        amount_minor=10_00,
        currency="USD",
        reason="Promised in writing",
        state="approved",
        prepared_by=cast.max,
        prepared_at=NOW,
        decided_by=cast.finn,
        decided_at=NOW,
    )
    calculated(cast)
    position = statement_of(cast, "ana").settlement_lines.get().position
    assert opened(cast, line=f"settlement:{position}").line == f"settlement:{position}"


def test_messages_go_back_and_forth_and_stay(cast: Cast, period: Period) -> None:
    dispute = opened(cast)
    for who, text in (("max", "Which one?"), ("ana", "Amber."), ("rita", "I look."), ("finn", "Me too.")):
        write_message(actor=cast.actor(who), dispute=dispute, text=text, at=NOW)
    assert [row.text for row in dispute.messages.all()][1:] == ["Which one?", "Amber.", "I look.", "Me too."]
    with pytest.raises(CommissionRefusedError):
        write_message(actor=cast.actor("ana"), dispute=dispute, text=" ", at=NOW)
    for who in ("sam", "mia", "elsa", "ada", "norm"):
        with pytest.raises(Http404):
            write_message(actor=cast.actor(who), dispute=dispute, text="x", at=NOW)
    assert DisputeMessage.objects.count() == 5
    assert Notice.objects.filter(person=cast.ana, key__startswith="dispute.message").count() == 3
    for act in (lambda: DisputeMessage.objects.update(text="x"), lambda: DisputeMessage.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()


@pytest.mark.parametrize("by", ["max", "finn", "fay", "rita"])
def test_managers_finance_and_revops_decide(cast: Cast, period: Period, by: str) -> None:
    dispute = decided(cast, opened(cast), by=by)
    assert (dispute.state, dispute.decided_by, dispute.decided_at, dispute.decision) == (
        "refused",
        cast.people[by],
        NOW,
        "It was Sam's.",
    )
    assert Notice.objects.get(person=cast.ana).title == "Your dispute was decided"


@pytest.mark.parametrize("by", ["ana", "mia", "sam", "elsa", "ada", "norm"])
def test_others_and_the_person_do_not_decide(cast: Cast, period: Period, by: str) -> None:
    dispute = opened(cast)
    with pytest.raises((PermissionDenied, Http404)):
        decided(cast, dispute, by=by)
    assert state_of(dispute) == "open"


@pytest.mark.parametrize("person", ["max", "finn"])
def test_nobody_decides_about_their_own(cast: Cast, period: Period, person: str) -> None:
    """A manager and a finance person see theirs like all others, and may not judge it; the database refuses it too."""
    dispute = opened(cast, person)
    with pytest.raises(PermissionDenied):
        decided(cast, dispute, by=person)
    with pytest.raises(IntegrityError), transaction.atomic():
        Dispute.objects.filter(pk=dispute.pk).update(decided_by=cast.people[person])
    assert decided(cast, dispute, by="fay").state == "refused"


def test_it_is_decided_once(cast: Cast, period: Period) -> None:
    dispute = opened(cast)
    decided(cast, dispute)
    for act in (
        lambda: decided(cast, dispute, by="finn", is_accepted=True),
        lambda: withdraw_dispute(actor=cast.actor("ana"), dispute=dispute, at=NOW),
        lambda: write_message(actor=cast.actor("ana"), dispute=dispute, text="But", at=NOW),
    ):
        with pytest.raises(CommissionRefusedError, match="Refused already"):
            act()
    assert Dispute.objects.get().decided_by == cast.max


def test_a_decision_has_words(cast: Cast, period: Period) -> None:
    dispute = opened(cast)
    with pytest.raises(CommissionRefusedError):
        decided(cast, dispute, decision="  ")
    assert state_of(dispute) == "open"


def test_only_the_person_withdraws(cast: Cast, period: Period) -> None:
    dispute = opened(cast)
    with pytest.raises(PermissionDenied):
        withdraw_dispute(actor=cast.actor("max"), dispute=dispute, at=NOW)
    withdraw_dispute(actor=cast.actor("ana"), dispute=dispute, at=NOW)
    assert state_of(dispute) == "withdrawn"


def test_an_accepted_one_may_prepare_an_adjustment_that_waits(cast: Cast, period: Period) -> None:
    correction = Correction(period, 40_00, "Half of the April deal")
    dispute = opened(cast)
    with pytest.raises(CommissionRefusedError):
        decided(cast, dispute, correction=correction)  # refused, and yet with an amount
    with pytest.raises(CommissionRefusedError):
        decided(cast, dispute, is_accepted=True, correction=Correction(period, 40_00, "short"))
    assert (state_of(dispute), Adjustment.objects.count()) == ("open", 0)
    row = decided(cast, dispute, is_accepted=True, correction=correction).adjustment
    assert row is not None
    assert (row.person, row.amount_minor, row.state, row.prepared_by) == (cast.ana, 40_00, "waiting", cast.max)
    assert Dispute.objects.get().adjustment == row


def test_a_dispute_does_not_keep_a_period_open(cast: Cast, period: Period) -> None:
    dispute = opened(cast)
    for checker in ("finn", "fay"):
        keys = list(period.statements.filter(state="draft").values_list("pk", flat=True))
        approve_statements(actor=cast.actor(checker), statement_ids=keys, at=NOW)
    assert lock_period(actor=cast.actor("finn"), period=period, at=NOW).state == "locked"
    assert open_disputes(cast.actor("finn"), period) == [dispute]
    assert open_disputes(cast.actor("mia"), period) == []
    assert opened(cast, "max").state == "open"  # a locked statement is doubted, too


def test_the_open_ones_of_a_period_come_by_their_clock(cast: Cast, period: Period) -> None:
    late, soon = opened(cast), opened(cast, "max")
    Dispute.objects.filter(pk=late.pk).update(due_at=NOW + timedelta(days=9))
    assert open_disputes(cast.actor("rita"), period) == [soon, late]
    decided(cast, soon, by="fay")
    assert open_disputes(cast.actor("rita"), period) == [late]
    assert open_disputes(cast.actor("elsa"), period) == []


def cards(cast: Cast, who: str, at: datetime) -> list[tuple[str, str]]:
    return [(card.title, card.why) for card in cards_for(cast.actor(who), at=at) if "dispute" in card.title]


def test_managers_and_finance_are_told_how_long_is_left(cast: Cast, period: Period) -> None:
    opened(cast)
    opened(cast, "max")
    assert cards(cast, "max", NOW) == [("1 dispute waits for an answer", "48 hours left for the first")]
    assert cards(cast, "finn", NOW) == [("2 disputes wait for an answer", "48 hours left for the first")]
    assert cards(cast, "finn", NOW + timedelta(hours=50)) == [
        ("2 disputes wait for an answer", "The first is 2 hours late")
    ]
    assert cards(cast, "mia", NOW) == cards(cast, "ana", NOW) == cards(cast, "elsa", NOW) == []


# --- pages ---


def test_the_pages_from_the_statement_to_the_decision(
    cast: Cast, period: Period, client_of: Callable[[str], Client]
) -> None:
    ana, max_ = client_of("ana"), client_of("max")
    statement = statement_of(cast, "ana")
    page = reverse("commissions:statement_detail", kwargs={"pk": statement.pk})
    url = reverse("commissions:statement_dispute", kwargs={"pk": statement.pk})
    assert url in ana.get(page).content.decode()
    assert url not in max_.get(page).content.decode()
    assert max_.get(url).status_code == 404
    assert max_.post(url, {"line": "", "subject": "x", "message": "x"}).status_code == 404
    form = ana.get(url).context["form"]
    assert [key for key, _label in form.fields["line"].choices] == ["", line_of_ana(cast)]
    data = {"line": line_of_ana(cast), "subject": "Too little", "message": "It was larger."}
    assert ana.post(url, {**data, "line": "commission:other"}).status_code == 422
    thread = ana.post(url, data).headers["Location"]
    dispute = Dispute.objects.get()
    assert thread == reverse("commissions:dispute_detail", kwargs={"pk": dispute.pk})
    shown = max_.get(thread)
    assert shown.context["line"].label == "Amber"
    assert "48 h left" in shown.content.decode()
    assert "$80.00" in shown.content.decode()
    message = reverse("commissions:dispute_message", kwargs={"pk": dispute.pk})
    assert max_.post(message, {"text": "By how much?"}).headers["Location"] == thread
    assert ana.get(thread).context["may_decide"] is False
    decide = reverse("commissions:dispute_decide", kwargs={"pk": dispute.pk})
    words = {"outcome": "accepted", "decision": "You are right."}
    assert max_.post(decide, {**words, "amount_minor": "10"}).status_code == 422  # when, and for what?
    assert max_.post(decide, {**words, "outcome": "refused", "amount_minor": "10"}).status_code == 422
    assert max_.post(decide, {**words, "reason": "Half of the deal"}).status_code == 422  # how much?
    assert state_of(dispute) == "open"
    whole = {**words, "amount_minor": "10.50", "period": period.pk, "reason": "Half of the deal"}
    assert max_.post(decide, whole).headers["Location"] == thread
    row = Adjustment.objects.get()
    assert (row.amount_minor, row.dispute.state) == (10_50, "accepted")
    text = ana.get(thread).content.decode()
    assert reverse("commissions:adjustment_detail", kwargs={"pk": row.pk}) in text
    assert "You are right." in text
    assert ana.get(thread).context["may_write"] is False


def test_a_line_leads_to_its_dispute_however_many_there_are(
    cast: Cast, period: Period, client_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DisputeForm, "MOST_LINES", 1)
    won(cast, "ana", 500_00, name="Beryl")
    calculated(cast)
    ana = client_of("ana")
    second = statement_of(cast, "ana").earnings.get(position=2)
    page = ana.get(reverse("commissions:earning_detail", kwargs={"pk": second.pk})).content.decode()
    url = reverse("commissions:statement_dispute", kwargs={"pk": second.statement_id})
    key = f"commission:{second.credit.transaction.source_key}"
    assert f'{url}?line=commission:{quote(second.credit.transaction.source_key)}"' in page
    assert len(ana.get(url).context["form"].fields["line"].choices) == 2
    form = ana.get(url, {"line": key}).context["form"]
    assert (form["line"].value(), [value for value, _label in form.fields["line"].choices][-1]) == (key, key)
    assert ana.post(url, {"line": key, "subject": "Too little", "message": "See"}).status_code == 302
    assert Dispute.objects.get().line == key
    for wrong in ("commission:deal:0:booking", "settlement:1", "settlement:x", "settlement:", ":", "x" * 200):
        assert ana.post(url, {"line": wrong, "subject": "x", "message": "x"}).status_code == 422


def test_revenue_operations_read_the_words_and_no_pay(
    cast: Cast, period: Period, client_of: Callable[[str], Client]
) -> None:
    dispute = opened(cast, line=line_of_ana(cast))
    page = client_of("rita").get(reverse("commissions:dispute_detail", kwargs={"pk": dispute.pk}))
    text = page.content.decode()
    assert "The deal of April is mine." in text
    assert "80.00" not in text
    assert reverse("commissions:statement_detail", kwargs={"pk": dispute.statement_id}) not in text
    assert page.context["may_decide"]


def test_the_list_shows_each_what_is_theirs_with_its_clock(
    cast: Cast, period: Period, client_of: Callable[[str], Client]
) -> None:
    of_ana, of_max = opened(cast), opened(cast, "max")
    url = reverse("commissions:dispute_list")
    seen = {
        who: set(client_of(who).get(url).context["page"].rows) for who in ("ana", "sam", "max", "mia", "rita", "fay")
    }
    every = {of_ana, of_max}
    assert seen == {"ana": {of_ana}, "sam": set(), "max": every, "mia": set(), "rita": every, "fay": every}
    Dispute.objects.filter(pk=of_ana.pk).update(due_at=NOW - timedelta(hours=3))
    decided(cast, of_max, by="fay")
    fay = client_of("fay")
    page = fay.get(f"{url}?state=open&period={period.pk}&sort=clock")
    assert page.context["page"].rows == [of_ana]
    assert "3 h late" in page.content.decode()
    exported = fay.post(f"{url}?cols=subject,clock", {"do": "export", "form": "csv"})
    lines = b"".join(exported.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert sorted(lines) == ["A deal is missing,", "A deal is missing,-3", "Dispute,Clock"]


def test_the_words_of_a_person_are_no_html(cast: Cast, period: Period, client_of: Callable[[str], Client]) -> None:
    dispute = opened(cast, subject="<b>bold</b>")
    write_message(actor=cast.actor("ana"), dispute=dispute, text="<script>1</script>", at=NOW)
    text = client_of("max").get(reverse("commissions:dispute_detail", kwargs={"pk": dispute.pk})).content.decode()
    assert "<b>bold" not in text
    assert "<script>1" not in text
