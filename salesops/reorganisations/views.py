"""Pages of reorganisations: the draft with its preview, what was carried out, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from salesops.audit.selectors import history_of
from salesops.audit.wording import described
from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.days import company_day
from salesops.core.views import (
    ConfirmView,
    Empty,
    PortalView,
    ScopedCreateView,
    ScopedDetailView,
    ScopedEditView,
    ScopedListView,
)
from salesops.core.views.base import redirect_for
from salesops.jobs.choices import UNFINISHED
from salesops.jobs.models import Job
from salesops.people.choices import JobFunction
from salesops.reorganisations.choices import TO_COME, ReorganisationState
from salesops.reorganisations.forms import MoveForm, ReorganisationForm, UndoForm
from salesops.reorganisations.models import Move, Reorganisation, ReorganisationChange
from salesops.reorganisations.querysets import ARRANGERS, READERS
from salesops.reorganisations.rules.protection import Protection
from salesops.reorganisations.selectors import (
    changes_for,
    may_arrange,
    move_for,
    reorganisation_for,
    reorganisations_for,
)
from salesops.reorganisations.services import (
    CARRY_OUT,
    PREVIEW,
    create_reorganisation,
    drop_reorganisation,
    edit_reorganisation,
    protect_deal,
    remove_move,
    save_move,
    schedule,
    start_carrying_out,
    start_preview,
    undo,
    unschedule,
)
from salesops.reorganisations.tables import TONES, ChangeTable, ReorganisationTable, kind_text

#: Why deals are protected, in words.
PROTECTED = {
    Protection.BY_HAND: _("chosen by hand"),
    Protection.LIKELY: _("likely to be won"),
    Protection.SOON: _("closes soon"),
}
#: How many rows that would change a page shows at most; all of them are in the list of changes afterwards.
ROWS_SHOWN = 50


class ReorganisationListView(ScopedListView):
    """Reorganisations, the latest day first."""

    selector = reorganisations_for
    roles = READERS
    table_class = ReorganisationTable
    title = _("Reorganisations")
    create_url, create_label = "reorganisations:reorganisation_create", _("New reorganisation")
    empty = Empty(
        _("No reorganisation yet"),
        _("Draft who moves to which pod, see who gains and who loses, then carry it out as one. It can be undone."),
        "arrows-shuffle",
    )

    def may_create(self) -> bool:
        """Whoever arranges pods."""
        return may_arrange(self.actor)


class _OfReorganisation(ScopedEditView):
    """A form about a reorganisation; afterwards back to its page."""

    roles: ClassVar[tuple[Role, ...]] = ARRANGERS
    selector: ClassVar[Callable[[Actor, int], Any]] = reorganisation_for

    def get_back_url(self) -> str:
        """The page of the reorganisation."""
        return reverse("reorganisations:reorganisation_detail", kwargs={"pk": self.reorganisation.pk})

    @cached_property
    def reorganisation(self) -> Reorganisation:
        """The reorganisation that it is about."""
        found: Reorganisation = self.object
        return found


class ReorganisationCreateView(ScopedCreateView):
    """A new draft."""

    roles: ClassVar[tuple[Role, ...]] = ARRANGERS
    form_class, title = ReorganisationForm, _("New reorganisation")
    lead = _("Nobody moves yet: a draft is seen only by those who plan pods, and by finance.")
    back_url = "reorganisations:reorganisation_list"
    submit_label = _("Start the draft")

    def save(self, form: ReorganisationForm) -> Reorganisation:
        """Start it."""
        return create_reorganisation(actor=self.actor, at=self.now, values=form.values)


class ReorganisationEditView(_OfReorganisation):
    """What a draft is called, when it takes effect, which deals it leaves alone."""

    form_class, title = ReorganisationForm, _("Edit reorganisation")

    def get_initial(self) -> dict[str, Any]:
        """Its own values."""
        names = ("name", "effective_on", "explanation", "protect_from_bp", "protect_days")
        return {name: getattr(self.object, name) for name in names}

    def save(self, form: ReorganisationForm) -> str:
        """Write what differs."""
        edit_reorganisation(actor=self.actor, pk=self.object.pk, values=form.values, at=self.now)
        return self.get_back_url()


class _MoveForm(_OfReorganisation):
    """A move of a draft."""

    form_class: ClassVar[Any] = MoveForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """The form knows the day."""
        return super().get_form_kwargs() | {"day": self.reorganisation.effective_on}

    def _save(self, form: MoveForm, move_id: int = 0) -> str:
        values = form.values
        save_move(
            actor=self.actor,
            reorganisation_id=self.reorganisation.pk,
            person=values.pop("person"),
            values=values,
            at=self.now,
            move_id=move_id,
        )
        return self.get_back_url()


class MoveCreateView(_MoveForm):
    """Somebody moves."""

    title, submit_label = _("Add a move"), _("Add")

    def get_initial(self) -> dict[str, Any]:
        """What the address names."""
        return {name: value for name, value in self.request.GET.items() if name in ("person", "to_pod")}

    def save(self, form: MoveForm) -> str:
        """Add it to the draft."""
        return self._save(form)


class MoveEditView(_MoveForm):
    """Change a move."""

    selector = move_for
    title = _("Edit the move")

    @cached_property
    def reorganisation(self) -> Reorganisation:
        """The draft of the move."""
        move: Move = self.object
        return move.reorganisation

    def get_initial(self) -> dict[str, Any]:
        """The move's own values."""
        move: Move = self.object
        return {
            "person": move.person_id,
            "to_pod": move.to_pod_id,
            "manager": move.manager_id,
            "successor": move.successor_id,
        } | {
            name: getattr(move, name)
            for name in ("function", "accounts", "deals", "leads", "quota_minor", "currency", "swaps_pools")
        }

    def save(self, form: MoveForm) -> str:
        """Write what differs."""
        return self._save(form, self.object.pk)


class _Confirm(ConfirmView):
    """Ask before something is done with a reorganisation."""

    roles: ClassVar[tuple[Role, ...]] = ARRANGERS
    selector: ClassVar[Callable[[Actor, int], Any]] = reorganisation_for

    def get_back_url(self) -> str:
        """The page of the reorganisation."""
        return reverse("reorganisations:reorganisation_detail", kwargs={"pk": self.object.pk})


class MoveRemoveView(_Confirm):
    """Take a move out of a draft."""

    selector = move_for
    title, submit_label = _("Take the move out"), _("Take out")

    def get_back_url(self) -> str:
        """The page of the reorganisation."""
        return reverse("reorganisations:reorganisation_detail", kwargs={"pk": self.object.reorganisation_id})

    def save(self, form: Any) -> str:
        """Take it out."""
        back = self.get_back_url()
        remove_move(actor=self.actor, move=self.object, at=self.now)
        return back


class _Act(PortalView):
    """A button on the page of a reorganisation."""

    roles: ClassVar[tuple[Role, ...]] = ARRANGERS

    def act(self, reorganisation: Reorganisation) -> str:
        """Do it; what to say afterwards."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does")

    def post(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Do it, or say why it cannot be; then back to the page."""
        reorganisation = reorganisation_for(self.actor, pk)
        try:
            said = self.act(reorganisation)
        except ValidationError as error:
            for text in error.messages:
                messages.error(request, text)
        else:
            if said:
                messages.success(request, said)
        return redirect_for(request, reverse("reorganisations:reorganisation_detail", kwargs={"pk": pk}))


class PreviewView(_Act):
    """Make the preview anew."""

    def act(self, reorganisation: Reorganisation) -> str:
        """Start it in the background."""
        if reorganisation.state not in TO_COME:
            raise ValidationError(_("Only what is still to come has a preview."))
        start_preview(actor=self.actor, reorganisation=reorganisation, at=self.now)
        return ""


class ProtectView(_Act):
    """Protect a deal by hand, or no longer."""

    def act(self, reorganisation: Reorganisation) -> str:
        """Decide about one deal."""
        deal = self.request.POST.get("deal", "")
        is_protected = self.request.POST.get("is_protected") == "1"
        protect_deal(
            actor=self.actor,
            reorganisation_id=reorganisation.pk,
            deal_id=int(deal) if deal.isascii() and deal.isdigit() else 0,
            is_protected=is_protected,
            at=self.now,
        )
        return translate("Saved. Make the preview anew to see what it changes.")


class ScheduleView(_Confirm):
    """Have it carried out when its day comes."""

    title, submit_label, is_danger = _("Schedule the reorganisation"), _("Schedule"), False
    lead = _("When its day comes all moves are carried out as one. Until then it can be made a draft again.")

    def save(self, form: Any) -> str:
        """Schedule it."""
        schedule(actor=self.actor, pk=self.object.pk, at=self.now)
        return self.get_back_url()


class UnscheduleView(_Confirm):
    """Make it a draft again."""

    title, submit_label, is_danger = _("Back to the draft"), _("Make it a draft again"), False

    def save(self, form: Any) -> str:
        """Take it out of the calendar."""
        unschedule(actor=self.actor, pk=self.object.pk, at=self.now)
        return self.get_back_url()


class CarryOutView(_Confirm):
    """Carry it out now."""

    title, submit_label = _("Carry out the reorganisation"), _("Carry out now")
    lead = _("All moves at once, or none of them. Those whom it touches are told. It can be undone.")

    def save(self, form: Any) -> str:
        """Start it in the background."""
        start_carrying_out(actor=self.actor, reorganisation=self.object, at=self.now)
        return self.get_back_url()


class UndoView(_OfReorganisation):
    """Put everything back."""

    form_class, title, submit_label, is_danger = UndoForm, _("Undo the reorganisation"), _("Undo"), True
    lead = _(
        "Everything that it changed becomes as it was before, as if nobody had moved. Periods of pay that were locked "
        "meanwhile stay as they are; what they would pay otherwise comes as adjustments."
    )

    def save(self, form: UndoForm) -> str:
        """Undo it."""
        undo(actor=self.actor, reorganisation_id=self.object.pk, at=self.now, **form.values)
        return self.get_back_url()


class DropView(_Confirm):
    """Give a draft up."""

    title, submit_label = _("Drop the draft"), _("Drop")
    lead = _("It stays in the list, to be read.")

    def save(self, form: Any) -> str:
        """Drop it."""
        drop_reorganisation(actor=self.actor, pk=self.object.pk, at=self.now)
        return self.get_back_url()


class ChangeListView(ScopedListView):
    """Every row that a reorganisation changed."""

    selector = changes_for
    roles = READERS
    table_class = ChangeTable
    title = _("What the reorganisation changed")
    default_sort = "kind"
    empty = Empty(_("Nothing changed"), _("Rows stand here when it has been carried out."), "arrows-shuffle")

    def get_rows(self) -> QuerySet[ReorganisationChange]:
        """Those of one reorganisation."""
        return changes_for(self.actor).filter(reorganisation=reorganisation_for(self.actor, self.kwargs["pk"]))


class ReorganisationDetailView(ScopedDetailView):
    """One reorganisation: its moves, what they would do or have done, and what can be done with it."""

    selector = reorganisation_for
    roles = READERS

    def get_context(self) -> dict[str, Any]:
        """Moves, figures before and after, what would change, the job that is running."""
        row: Reorganisation = self.object
        may, sees_pay = may_arrange(self.actor), _sees_pay(self.actor)
        told = _without_pay(row.result or row.preview, sees_pay)
        is_draft = row.state == ReorganisationState.DRAFT
        keys = [f"{kind}:{row.pk}" for kind in (PREVIEW, CARRY_OUT)]
        job = Job.objects.filter(key__in=keys).order_by("-pk").first()
        return {
            "title": row.name,
            "tone": TONES[ReorganisationState(row.state)],
            "moves": row.moves.select_related("person", "to_pod", "manager", "successor").order_by("pk"),
            "told": told,
            "people": _shown(told["people"]) if told else [],
            "pods": _shown(told["pods"]) if told else [],
            "differs": _differs(row),
            "counts": [(kind_text(kind), count) for kind, count in (told["counts"] if told else {}).items()],
            "rows": [[kind_text(kind), *rest] for kind, *rest in (row.preview or {}).get("rows", [])[:ROWS_SHOWN]],
            "rows_count": sum(told["counts"].values()) if told else 0,
            "protected": [
                (pk, name, PROTECTED[Protection(why)]) for pk, name, why in (told["protected"] if told else [])
            ],
            "problems": (row.preview or {}).get("problems", []) if row.result is None else [],
            "sees_pay": sees_pay,
            "is_stale": row.preview is not None and row.result is None and not row.has_fresh_preview,
            "may_edit": may and is_draft,
            "may_preview": may and row.state in TO_COME,
            "may_schedule": may and is_draft and row.effective_on >= company_day(self.now),
            "may_unschedule": may and row.state == ReorganisationState.SCHEDULED,
            "may_carry_out": may and row.state in TO_COME and row.effective_on <= company_day(self.now),
            "may_undo": may and row.state == ReorganisationState.DONE,
            "job": job if job is not None and job.state in UNFINISHED else None,
            "history": described(list(history_of(self.actor, row)[:30])),
        }


def _sees_pay(actor: Actor) -> bool:
    return actor.sight(Noun.PAY) >= Scope.ALL


def _without_pay(told: dict[str, Any] | None, sees_pay: bool) -> dict[str, Any] | None:
    """What a reorganisation comes to, without anybody's pay for those who see none: not in sums that somebody could be
    found in either, nor by what counts as changed."""
    if told is None or sees_pay:
        return told
    return told | {
        "company": None,
        **{
            part: {
                key: {
                    when: {name: value for name, value in figures.items() if name != "expected"}
                    for when, figures in row.items()
                }
                for key, row in told[part].items()
            }
            for part in ("people", "pods")
        },
    }


def _differs(row: Reorganisation) -> bool:
    """Whether what was carried out is otherwise than what the last preview said."""
    names = ("people", "pods", "company", "counts", "digest")
    return bool(row.result and row.preview and any(row.result[name] != row.preview[name] for name in names))


def _shown(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Figures before and after, those that change first, by name."""
    shown = [
        {
            "pk": int(key),
            "name": (row["after"] or row["before"])["name"],
            "before": row["before"],
            "after": row["after"],
            "is_changed": row["before"] != row["after"],
            "functions": [(JobFunction(code).name, count) for code, count in row["after"].get("functions", {}).items()],
            "was_functions": [
                (JobFunction(code).name, count) for code, count in row["before"].get("functions", {}).items()
            ],
        }
        for key, row in rows.items()
    ]
    return sorted(shown, key=lambda row: (not row["is_changed"], row["name"]))
