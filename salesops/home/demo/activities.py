"""Calls, mails, meetings and notes of the past, and the tasks that lie on each desk today. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from salesops.home.demo import phrases
from salesops.home.demo.calendar import on_weekday
from salesops.home.demo.deals import Life
from salesops.home.demo.ground import ACTIVITY, Ground
from salesops.home.demo.leads import Touched
from salesops.home.demo.rows import DAY_SECONDS, stream_of

if TYPE_CHECKING:
    from salesops.home.demo.history import Desk


class ActivityMaker:
    """Writes activities into the ground's table."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._add = ground.tables[ACTIVITY].add

    def of_lead(self, lead: Touched, account: int | None, contact: int | None, stream: random.Random) -> None:
        """What was done about a lead: the first touch, the last, and some between, on the owner's working days."""
        draw = stream.random
        moments = [lead.first]
        times = self._ground.roster.times[lead.owner]
        days = lead.last // DAY_SECONDS - lead.first // DAY_SECONDS
        for _ in range(int(3 * draw() * draw()) if days > 2 else 0):
            day = on_weekday(lead.first // DAY_SECONDS + 1 + int(draw() * (days - 2)), draw())
            moment = times.at_or_after(day, draw())
            if lead.first < moment < lead.last:
                moments.append(moment)
        if lead.last > lead.first and lead.status != "converted":
            moments.append(lead.last)
        for moment in sorted(moments):
            self._happened(lead.owner, moment, stream, lead=lead.id, account=account, contact=contact, is_lead=True)

    def of_deal(self, deal: Life, account: int | None, stream: random.Random) -> None:
        """What was done about a deal between its opening and its end, or until now."""
        draw = stream.random
        roster = self._ground.roster
        first, last = deal.created // DAY_SECONDS, deal.ended // DAY_SECONDS
        for _ in range(1 + int(6 * draw() * draw())):
            day = on_weekday(first + int(draw() * (last - first)), draw())
            person = roster.on_duty(deal.owner, day)
            moment = roster.times[person].at_or_after(day, draw())
            if deal.created < moment < deal.ended:
                self._happened(person, moment, stream, deal=deal.id, account=account, contact=deal.contact)

    def _happened(
        self,
        person: int,
        moment: int,
        stream: random.Random,
        *,
        lead: int | None = None,
        deal: int | None = None,
        account: int | None = None,
        contact: int | None = None,
        is_lead: bool = False,
    ) -> None:
        draw = stream.random
        roll, text = draw(), draw()
        outcome, minutes, note = "", None, ""
        subjects: tuple[str, ...]
        if roll < (0.5 if is_lead else 0.3):
            kind, subjects = "call", phrases.CALLS
            outcome = phrases.CALL_OUTCOMES[int(draw() * len(phrases.CALL_OUTCOMES))]
            minutes = 2 + int(18 * draw()) if outcome == "reached" else 1
        elif roll < (0.9 if is_lead else 0.62):
            kind, subjects = "mail", phrases.MAILS
            outcome = "replied" if draw() < 0.3 else ""
        elif roll < (0.96 if is_lead else 0.92):
            kind, subjects = "meeting", phrases.MEETINGS
            outcome = "no_show" if draw() < 0.16 else "held"
            minutes = (30, 45, 60)[int(3 * draw())]
        else:
            kind, subjects = "note", phrases.NOTES
        if kind == "meeting" and draw() < 0.3:
            note = phrases.NOTES[int(draw() * len(phrases.NOTES))]
        ground = self._ground
        self._add(
            (
                ground.take(ACTIVITY), kind, subjects[int(text * len(subjects))], note, outcome, ground.person(person), lead, deal,
                account, contact, moment, None, None, minutes, moment,
            )
        )  # fmt: skip

    def desks(self, desks: Sequence[Desk]) -> None:
        """The tasks of everybody with open work: some overdue, some due today, some later, some done."""
        ground = self._ground
        for person, desk in enumerate(desks):
            stream = stream_of(ground.company.seed, f"desk/{person}")
            draw = stream.random
            if not (desk.deals or desk.leads) or ground.roster.left[person] <= ground.today:
                continue
            times = ground.roster.times[person]
            late = [(day, False) for day in (-9, -4, -2)[: 1 + int(3 * draw())]]
            due_now = [(0, False)] * (2 + int(4 * draw()))
            coming = [(day, False) for day in (1, 2, 3, 6, 9)[: 2 + int(4 * draw())]]
            done = [(day, True) for day in (-3, -5, -8, -12)[: 1 + int(4 * draw())]]
            for offset, is_done in late + due_now + coming + done:
                day = ground.today + offset
                due = times.at_or_before(day, draw()) if offset < 0 else times.at_or_after(day, draw())
                if due > (day + 4) * DAY_SECONDS:
                    continue  # away then: nothing is planned
                created = times.at_or_before(min(due // DAY_SECONDS, ground.today) - 2 - int(4 * draw()), draw())
                finished = created + int((due - created) * draw()) if is_done else None
                lead, deal, account, contact = None, None, None, None
                if desk.deals and (draw() < 0.6 or not desk.leads):
                    deal, account, contact = desk.deals[int(draw() * len(desk.deals))]
                else:
                    lead = desk.leads[int(draw() * len(desk.leads))]
                subject = phrases.TASKS[int(draw() * len(phrases.TASKS))]
                self._add(
                    (
                        ground.take(ACTIVITY), "task", subject, "", "", ground.person(person), lead, deal, account, contact, None, due,
                        finished, None, created,
                    )
                )  # fmt: skip
