"""Who works in which pod: the view across pods by function, and the forms that add, move and end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.core.days import company_day
from salesops.core.views import Empty, ScopedEditView, ScopedListView
from salesops.people.choices import JobFunction
from salesops.people.selectors import may_see_private
from salesops.pods.filters import MemberFilter
from salesops.pods.forms import EndForm, MemberForm, MoveForm
from salesops.pods.models import PodMembership
from salesops.pods.querysets import MembershipQuerySet
from salesops.pods.selectors import capacities, members_on, membership_for, next_leaves, pod_for
from salesops.pods.services import add_member, end_membership, move_member
from salesops.pods.tables import MemberTable
from salesops.pods.views.pods import ARRANGERS, PodView
from salesops.pods.workload import load_of


class MemberListView(PodView, ScopedListView):
    """Everybody who is in a pod today, across the pods: all SDRs, all AEs, all CSMs, with what is on their desks."""

    table_class, filterset_class = MemberTable, MemberFilter
    title = _("People in pods")
    default_sort = "person"
    template_name = "pods/member_list.html"
    empty = Empty(_("Nobody is in a pod today"), _("Open a pod and add its people."), "hexagons")

    def get_rows(self) -> MembershipQuerySet:
        """The memberships of today."""
        return members_on(self.actor, company_day(self.now))

    def add_figures(self, rows: Sequence[PodMembership]) -> None:
        """What is on the desks of these people."""
        people = [row.person_id for row in rows]
        for noun in ("leads", "deals"):
            load = load_of(noun, person_ids=people)
            for row in rows:
                setattr(row, f"open_{noun}", load.by_person.get(row.person_id, 0) if load else None)
        day = company_day(self.now)
        # Ramp and leave are for themselves, who manages them and who arranges.
        seen = [row for row in rows if may_see_private(self.actor, row.person)]
        can, leaves = capacities(seen, day), next_leaves([row.person_id for row in seen], day)
        for row in rows:
            found: Any = row
            found.can, found.next_leave = can.get(row.person_id), leaves.get(row.person_id)
            room = found.can.now if found.can else 0
            found.load_bp = found.open_leads * 100 // room * 100 if room and found.open_leads is not None else None

    def get_context(self) -> dict[str, Any]:
        """One click for each function."""
        asked = self.request.GET.getlist("function")
        functions: list[tuple[str, str, bool]] = [("", translate("All"), not asked)]
        functions += [(code, code.upper(), asked == [code]) for code in JobFunction.values]
        return {"functions": functions}


class _MemberForm(ScopedEditView):
    """A change of who is in a pod; afterwards back to the pod."""

    roles = ARRANGERS

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the moment."""
        return super().get_form_kwargs() | {"at": self.now}

    @cached_property
    def pod_id(self) -> int:
        """The pod whose page it is opened from."""
        return int(self.object.pod_id)

    def get_back_url(self) -> str:
        """The pod's page."""
        return reverse("pods:pod_detail", kwargs={"pk": self.pod_id})


class MemberAddView(_MemberForm):
    """Somebody joins the pod."""

    selector = pod_for
    form_class, title, submit_label = MemberForm, _("Add somebody"), _("Add")
    success_message = _("Added to the pod.")

    @cached_property
    def pod_id(self) -> int:
        """The pod itself."""
        return int(self.object.pk)

    def save(self, form: MemberForm) -> str:
        """Add them."""
        values = form.values
        add_member(
            pod_id=self.pod_id,
            person_id=values["person"].pk,
            function=values["function"],
            start_on=values["start_on"],
            end_on=values["end_on"],
            actor=self.actor,
            at=self.now,
        )
        return self.get_back_url()


class MemberMoveView(_MemberForm):
    """Somebody moves to another pod, or to another function in this one."""

    selector = membership_for
    form_class, submit_label = MoveForm, _("Move")
    success_message = _("Moved.")

    def get_title(self) -> str:
        """Who moves."""
        return translate("Move %(person)s") % {"person": self.object.person}

    def get_initial(self) -> dict[str, Any]:
        """What they do now."""
        membership: PodMembership = self.object
        return {"pod": membership.pod_id, "function": membership.function}

    def save(self, form: MoveForm) -> str:
        """Move them."""
        values = form.values
        move_member(
            person_id=self.object.person_id,
            to_pod_id=values["pod"].pk,
            day=values["day"],
            function=values["function"],
            reason=values["reason"],
            actor=self.actor,
            at=self.now,
        )
        return self.get_back_url()


class MemberEndView(_MemberForm):
    """Somebody leaves the pod."""

    selector = membership_for
    form_class, submit_label, is_danger = EndForm, _("End"), True
    lead = _("Ending it on its first day takes it away, as if it had never been.")
    success_message = _("Ended.")

    def get_title(self) -> str:
        """Who leaves which pod."""
        membership: PodMembership = self.object
        return translate("%(person)s leaves %(pod)s") % {"person": membership.person, "pod": membership.pod}

    def save(self, form: EndForm) -> str:
        """End it."""
        end_membership(membership_id=self.object.pk, actor=self.actor, at=self.now, **form.values)
        return self.get_back_url()
