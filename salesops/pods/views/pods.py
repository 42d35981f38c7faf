"""The pods side by side, one pod, and the forms that open, change and close one."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Final

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.audit.selectors import history_of
from salesops.audit.wording import described
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.days import company_day
from salesops.core.display import number
from salesops.core.views import PortalView, ScopedCreateView, ScopedDetailView, ScopedEditView
from salesops.people.choices import JobFunction
from salesops.people.selectors import may_see_private
from salesops.pods.forms import PodCloseForm, PodCreateForm, PodForm
from salesops.pods.models import Pod, PodMembership
from salesops.pods.rules.capacity import DAYS_AHEAD
from salesops.pods.rules.readiness import Part
from salesops.pods.selectors import (
    PodStanding,
    capacities,
    memberships_for,
    pod_for,
    pods_for,
    standings,
    territory_assignments_for,
)
from salesops.pods.services import close_pod, edit_pod, open_pod
from salesops.pods.services.pods import WITHOUT
from salesops.pods.workload import load_of

#: Roles that arrange pods.
ARRANGERS: Final = (Role.REVOPS, Role.ADMIN)
#: What the parts of the bow-tie are called.
PARTS: Final = {
    Part.ACQUISITION: _("Acquisition"),
    Part.CLOSING: _("Closing"),
    Part.SUCCESS: _("Success"),
}
#: How many entries a pod's page shows of its history.
_HISTORY = 30


class PodView(PortalView):
    """A page for those who see any pod."""

    def allows(self, actor: Actor) -> bool:
        """Whoever has a role by which pods are seen."""
        return super().allows(actor) and actor.sight(Noun.POD) > Scope.NONE


class PodListView(PodView):
    """The pods that the actor sees: who is in them, whether they are whole, what they carry."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The pods that are open, and those that were when asked for."""
        day = company_day(self.now)
        pods = pods_for(self.actor).select_related("segment").order_by("segment__position", "name", "pk")
        is_closed_shown = request.GET.get("closed") == "1"
        rows = list(pods if is_closed_shown else pods.exclude(closed_on__lte=day))
        context = {
            "title": _("Pods"),
            "standings": [shown(standing) for standing in standings(self.actor, rows, day)],
            "day": day,
            "may_arrange": self.actor.has(*ARRANGERS),
            "is_closed_shown": is_closed_shown,
        }
        return render(request, "pods/pod_list.html", context)


def shown(standing: PodStanding) -> dict[str, Any]:
    """How a pod stands, as the templates show it."""
    readiness = standing.readiness
    return {
        "pod": standing.pod,
        "parts": [
            {
                "label": PARTS[part],
                "members": rows,
                "is_missing": part in readiness.missing,
                "short": readiness.short.get(part, 0),
            }
            for part, rows in standing.by_part.items()
        ],
        "is_ready": readiness.is_ready,
        "missing": [PARTS[part] for part in readiness.missing],
        "short": [(PARTS[part], count) for part, count in readiness.short.items()],
        "lacking": [JobFunction(function).label for function in readiness.lacking],
        "open_leads": standing.open_leads,
        "open_deals": standing.open_deals,
        "load_bp": None if standing.load_bp is None else standing.load_bp // 100 * 100,  # whole per cent
        "is_over": (standing.load_bp or 0) > 10_000,
    }


class PodDetailView(PodView, ScopedDetailView):
    """One pod: people now, before and to come, territories, what is on whose desk."""

    selector = pod_for

    def sees_of(self, row: PodMembership) -> bool:
        """Whether a member's ramp and leave are the actor's to know."""
        return may_see_private(self.actor, row.person)

    def get_context(self) -> dict[str, Any]:
        """Everything about the pod that the actor may see."""
        pod: Pod = self.object
        day = company_day(self.now)
        rows = list(memberships_for(self.actor).filter(pod=pod).order_by("function", "person__name", "start_on"))
        now = [row for row in rows if row.start_on <= day and (row.end_on is None or row.end_on > day)]
        people = [row.person_id for row in now]
        leads, deals = (load_of(noun, person_ids=people) for noun in ("leads", "deals"))
        (standing,) = standings(self.actor, [pod], day)
        can = capacities(now, day, are_all=True)
        # How much somebody is there tells of their leave: for themselves, who manages them and who arranges.
        can = {row.person_id: can[row.person_id] for row in now if row.person_id in can and self.sees_of(row)}
        is_whole = bool(can) and all(self.sees_of(row) for row in now)
        assignments = territory_assignments_for(self.actor).on(day).filter(person__in=people)
        return {
            "day": day,
            "standing": shown(standing),
            "members": [
                {
                    "row": row,
                    "leads": leads.by_person.get(row.person_id, 0) if leads else None,
                    "deals": deals.by_person.get(row.person_id, 0) if deals else None,
                    "can": can.get(row.person_id),
                }
                for row in now
            ],
            "sees_capacity": bool(can),
            "capacity": sum(each.now for each in can.values()) if is_whole else None,
            "days_ahead": DAYS_AHEAD,
            "coming": [row for row in rows if row.start_on > day],
            "past": sorted((row for row in rows if row.end_on and row.end_on <= day), key=_ended, reverse=True),
            "territories": list(assignments.order_by("territory__name", "person__name")),
            "may_arrange": self.actor.has(*ARRANGERS),
            "sees_work": self.actor.sight(Noun.WORK) > Scope.TOTALS,
            "history": described(list(history_of(self.actor, pod)[:_HISTORY])),
        }


def _ended(row: PodMembership) -> date:
    return row.end_on or date.max


class PodCreateView(ScopedCreateView):
    """A new pod."""

    roles: ClassVar[tuple[Role, ...]] = ARRANGERS
    form_class, title, back_url = PodCreateForm, _("New pod"), "pods:pod_list"
    submit_label = _("Open pod")
    success_message = _("Opened the pod “%(object)s”. Now add its people.")

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: PodCreateForm) -> Pod:
        """Open it."""
        return open_pod(actor=self.actor, at=self.now, **form.given)

    def get_success_message(self, result: Any) -> str:
        """That it is open, and what it lacks."""
        (standing,) = standings(self.actor, [result], company_day(self.now))
        lacking = [str(WITHOUT[part]) for part in standing.readiness.missing_first]
        return " ".join([super().get_success_message(result), *lacking])


class PodEditView(ScopedEditView):
    """What a pod is."""

    roles = ARRANGERS
    selector = pod_for
    form_class, title = PodForm, _("Edit pod")
    success_message = _("Saved the pod.")

    def get_initial(self) -> dict[str, Any]:
        """The pod's own values."""
        pod: Pod = self.object
        return {
            name: getattr(pod, name) for name in ("name", "template", "customer_size", "lead_capacity", "time_zone")
        } | {"segment": pod.segment_id}

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: PodForm) -> Pod:
        """Write what differs."""
        return edit_pod(pod_id=self.object.pk, values=form.values, actor=self.actor, at=self.now)


class PodCloseView(ScopedEditView):
    """The pod closes; it stays, with all its history."""

    roles = ARRANGERS
    selector = pod_for
    form_class, title, submit_label = PodCloseForm, _("Close pod"), _("Close pod")
    lead = _("A closed pod stays, with its people, numbers and history; nothing new can be given to it.")
    success_message = _("Closed the pod “%(object)s”.")
    is_danger = True

    def get_context(self) -> dict[str, Any]:
        """What the pod still has on its desks: closing moves none of it."""
        return {"lead": " ".join([str(self.lead), *self.left()])}

    def left(self) -> list[str]:
        """The open work that stays with the pod, as a sentence; nothing where there is none."""
        pod: Pod = self.object
        leads, deals = (load_of(noun, pod_ids=[pod.pk]) for noun in ("leads", "deals"))
        counts = [load.by_pod.get(pod.pk, 0) if load else 0 for load in (leads, deals)]
        if not any(counts):
            return []
        words = translate("It still has %(leads)s leads in work and %(deals)s open deals: give them to another pod.")
        return [words % {"leads": number(counts[0]), "deals": number(counts[1])}]

    def get_success_message(self, result: Any) -> str:
        """That it is closed, and what it still has."""
        return " ".join([super().get_success_message(result), *self.left()])

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment."""
        return super().get_form_kwargs() | {"at": self.now}

    def save(self, form: PodCloseForm) -> Pod:
        """Close it."""
        return close_pod(pod_id=self.object.pk, actor=self.actor, at=self.now, **form.values)
