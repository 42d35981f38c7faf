"""What an actor may see of plans, quotas and pay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from django.apps import apps
from django.db.models import Model, Q

from salesops.core.actor import Actor, Noun, Role, Scope
from salesops.core.models import HeldInTimeQuerySet
from salesops.core.querysets import OwnedByPeopleQuerySet, ScopedQuerySet
from salesops.pods.selectors import lines_below

if TYPE_CHECKING:
    from salesops.commissions.models import (  # noqa: F401
        Acknowledgement,
        Adjustment,
        Contest,
        ContestStanding,
        Credit,
        Dispute,
        DisputeMessage,
        Earning,
        LedgerEntry,
        PayrollFile,
        PayrollMapping,
        Plan,
        PlanAssignment,
        PlanEvent,
        PlanVersion,
        Quota,
        Scenario,
        SettlementLine,
        Statement,
        StatementChange,
        Transaction,
    )

ModelT = TypeVar("ModelT", bound=Model)


class PlanQuerySet(ScopedQuerySet["Plan"]):
    """Reps see the plans they are on or were on."""

    noun = Noun.PLAN

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own plans."""
        return self.filter(assignments__person_id=actor.user_id).distinct()


class PlanVersionQuerySet(ScopedQuerySet["PlanVersion"]):
    """Seen with the plan; drafts are for those who see all plans."""

    noun = Noun.PLAN

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Versions, in force or retired, of the actor's own plans."""
        return self.filter(plan__assignments__person_id=actor.user_id).exclude(state="draft").distinct()


class PlanAssignmentQuerySet(  # type: ignore[override]  # both bases bring their own as_manager
    HeldInTimeQuerySet["PlanAssignment"], ScopedQuerySet["PlanAssignment"]
):
    """A personal rate is pay: seen by the person, their managers, finance."""

    noun = Noun.PAY

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own, or the tree's."""
        return self.filter(person_id__in=actor.people_ids if scope >= Scope.TREE else {actor.user_id})


class QuotaQuerySet(OwnedByPeopleQuerySet["Quota"]):
    """Own, or the tree's."""

    noun = Noun.QUOTA


class TransactionQuerySet(ScopedQuerySet["Transaction"]):
    """Seen with its deal or, without one, with its account; by whoever it is credited to in any case."""

    noun = Noun.WORK

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """OWN: of what the actor owns. POD: also of what their pods hold. TREE: also of everyone below and their pods."""
        people = actor.people_ids if scope >= Scope.TREE else {actor.user_id}
        pods = actor.all_pod_ids if scope >= Scope.TREE else actor.pod_ids if scope >= Scope.POD else set()
        of_account = Q(account__owner_id__in=people) | Q(account__pod_id__in=pods)
        return self.filter(
            Q(credited_to_id__in=people)
            | Q(deal__owner_id__in=people)
            | Q(deal__pod_id__in=pods)
            | Q(of_account, deal__isnull=True)
        )


class PaidInPeriodsQuerySet(OwnedByPeopleQuerySet[ModelT]):
    """What was paid in a period: own, the tree's, and for a manager that of the periods at whose end somebody was below
    them: who moves to another manager does not take the past of the team along."""

    noun = Noun.PAY
    period_path = "statement__period"

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """OWN and POD: the actor's. TREE: also those of everyone below, now or then."""
        rows = super().scoped(actor, scope)
        if scope < Scope.TREE or actor.user_id is None:
            return rows
        wanted = Q(**{f"{self.person_column}__in": actor.people_ids})
        gone = [line for line in lines_below(actor.user_id) if line.person not in actor.people_ids]
        if not gone:
            return rows
        # A condition for each period, not for each of those who have gone: of periods there are few.
        periods = apps.get_model("commissions", "Period")._default_manager
        for pk, end in periods.filter(end_on__gt=min(line.start_on for line in gone)).values_list("pk", "end_on"):
            then = {line.person for line in gone if line.holds_on(end - timedelta(days=1))}
            if then:
                wanted |= Q(**{self.period_path: pk, f"{self.person_column}__in": then})
        return self.filter(wanted)


class StatementQuerySet(PaidInPeriodsQuerySet["Statement"]):
    """Of their own periods."""

    period_path = "period"


class StatementChangeQuerySet(PaidInPeriodsQuerySet["StatementChange"]):
    """Of the periods of their statements."""


class CreditQuerySet(PaidInPeriodsQuerySet["Credit"]):
    """Of the periods of their statements."""


class EarningQuerySet(PaidInPeriodsQuerySet["Earning"]):
    """Of the periods of their statements."""


class SettlementLineQuerySet(PaidInPeriodsQuerySet["SettlementLine"]):
    """Of the periods of their statements."""


class AdjustmentQuerySet(OwnedByPeopleQuerySet["Adjustment"]):
    """Own, or the tree's; revenue operations, who see nobody's pay, see those that they prepared themselves."""

    noun = Noun.PAY

    def visible_to(self, actor: Actor) -> Self:
        """By sight of pay, and what the actor prepared for revenue operations."""
        rows = super().visible_to(actor)
        if actor.sight(self.noun) >= Scope.ALL or actor.user_id is None or not actor.has(Role.REVOPS):
            return rows
        return rows | self.filter(prepared_by_id=actor.user_id)


class PlanEventQuerySet(ScopedQuerySet["PlanEvent"]):
    """Own, or the tree's; what concerns nobody in particular is for those who see all.

    Seen as quotas are: an event says what was reached, not what it pays, and revenue operations record them.
    """

    noun = Noun.QUOTA

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Own, or the tree's."""
        return self.filter(person_id__in=actor.people_ids if scope >= Scope.TREE else {actor.user_id})


class ContestQuerySet(ScopedQuerySet["Contest"]):
    """Whoever sees all plans sees all contests; others those that they are in, once in force."""

    noun = Noun.PLAN

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Contests, in force or cancelled since, that the actor stands in."""
        return self.filter(standings__person_id=actor.user_id).exclude(state="draft")


class ContestStandingQuerySet(OwnedByPeopleQuerySet["ContestStanding"]):
    """Own, or the tree's; where a contest shows names, everybody's to those who are in.

    Seen as quotas are: they say what was reached, and the prizes of a contest are known to all who see it.
    """

    noun = Noun.QUOTA

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """By person, and by what contests show."""
        shown = apps.get_model("commissions", "Contest")._default_manager.filter(
            shows_names=True, standings__person_id=actor.user_id
        )
        return super().scoped(actor, scope) | self.filter(contest__in=shown.values("pk"))


class AcknowledgementQuerySet(OwnedByPeopleQuerySet["Acknowledgement"]):
    """Own, or the tree's."""

    noun = Noun.QUOTA


class DisputeQuerySet(OwnedByPeopleQuerySet["Dispute"]):
    """Own, or the tree's; revenue operations, who answer them too, see what was written but no statement."""

    noun = Noun.PAY

    def visible_to(self, actor: Actor) -> Self:
        """By sight of pay; all for revenue operations."""
        return self if actor.has(Role.REVOPS) else super().visible_to(actor)


class DisputeMessageQuerySet(ScopedQuerySet["DisputeMessage"]):
    """Seen with the dispute."""

    noun = Noun.PAY

    def visible_to(self, actor: Actor) -> Self:
        """By sight of pay; all for revenue operations."""
        return self if actor.has(Role.REVOPS) else super().visible_to(actor)

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Messages of own disputes, or the tree's."""
        return self.filter(dispute__person_id__in=actor.people_ids if scope >= Scope.TREE else {actor.user_id})


class ScenarioQuerySet(ScopedQuerySet["Scenario"]):
    """Whoever sees all pay sees what other plans would have paid."""

    noun = Noun.PAY

    def scoped(self, actor: Actor, scope: Scope) -> Self:
        """Nobody below that: a scenario shows everybody's pay."""
        return self.none()


class PayrollMappingQuerySet(ScopedQuerySet["PayrollMapping"]):
    """Finance only."""

    noun = Noun.PAYROLL


class LedgerEntryQuerySet(OwnedByPeopleQuerySet["LedgerEntry"]):
    """Own, or the tree's."""

    noun = Noun.PAY


class PayrollFileQuerySet(ScopedQuerySet["PayrollFile"]):
    """Finance only."""

    noun = Noun.PAYROLL
