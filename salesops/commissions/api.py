"""Plans, quotas, transactions and pay for programs: within the same window and by the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from salesops.commissions.choices import TransactionKind
from salesops.commissions.contest_tables import ContestFilter
from salesops.commissions.errors import CommissionRefusedError, NotAllowedError
from salesops.commissions.filters import PlanFilter, QuotaFilter, StatementFilter
from salesops.commissions.models import (
    Adjustment,
    Contest,
    Credit,
    Period,
    Plan,
    PlanVersion,
    Quota,
    Statement,
    Transaction,
)
from salesops.commissions.pay_filters import AdjustmentFilter
from salesops.commissions.selectors.adjustments import (
    PREPARERS,
    adjustment_for,
    adjustments_for,
    may_see_adjustments,
    version_during,
)
from salesops.commissions.selectors.contests import contest_for, contests_for, standings_for
from salesops.commissions.selectors.periods import may_see_periods
from salesops.commissions.selectors.plans import plan_for, plans_for, quota_names, quotas_for, version_for
from salesops.commissions.selectors.statements import earnings_for, statement_for, statements_for
from salesops.commissions.selectors.transactions import (
    TRANSACTION_WRITERS,
    credits_for,
    transaction_for,
    transactions_for,
)
from salesops.commissions.serializers import (
    AdjustmentPrepareSerializer,
    AdjustmentSerializer,
    ContestDetailSerializer,
    ContestSerializer,
    ContestStandingSerializer,
    CreditSerializer,
    PeriodSerializer,
    PlanSerializer,
    PlanVersionDetailSerializer,
    PlanVersionSerializer,
    QuotaSerializer,
    QuotaSetSerializer,
    SettlementLineSerializer,
    StatementLineSerializer,
    StatementSerializer,
    TransactionCreateSerializer,
    TransactionEditSerializer,
    TransactionSerializer,
    TransactionVoidSerializer,
    TransactionWrittenSerializer,
)
from salesops.commissions.services.adjustments import prepare_adjustment
from salesops.commissions.services.plans import set_quota
from salesops.commissions.services.recording import (
    NewTransaction,
    Recorded,
    change_transaction,
    record_transaction,
    void_transaction,
)
from salesops.commissions.tables import QUOTA_SETTERS
from salesops.commissions.transaction_filters import (
    CreditFilter,
    PayPeriodFilter,
    PlanVersionFilter,
    TransactionFilter,
)
from salesops.core.actor import Noun
from salesops.core.viewsets import ScopedViewSet, actor_of, key_of, key_parameter
from salesops.values.money import MoneyError, check_currency


class SeesAdjustments(BasePermission):
    """For whoever sees adjustments in the pages; which ones is for the selector."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the actor sees any."""
        return may_see_adjustments(actor_of(request))


class SeesPeriods(BasePermission):
    """For whoever runs periods, or chooses one for an adjustment."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the actor sees periods."""
        return may_see_periods(actor_of(request)) or actor_of(request).has(*PREPARERS)


class PlanViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Plans, by name."""

    noun = Noun.PLAN
    serializer_class = PlanSerializer
    filterset_class = PlanFilter

    def get_queryset(self) -> QuerySet[Plan]:
        """The plans that the actor sees."""
        return Plan.objects.none() if self.is_description else plans_for(self.actor).order_by("name")

    @extend_schema(responses=PlanSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One plan."""
        return Response(PlanSerializer(plan_for(self.actor, key_of(pk))).data)


class PlanVersionViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Versions of plans, newest first; drafts for those who see all plans."""

    noun = Noun.PLAN
    serializer_class = PlanVersionSerializer
    filterset_class = PlanVersionFilter

    def get_queryset(self) -> QuerySet[PlanVersion]:
        """The versions that the actor sees."""
        if self.is_description:
            return PlanVersion.objects.none()
        return PlanVersion.objects.visible_to(self.actor).order_by("plan_id", "-number")

    @extend_schema(responses=PlanVersionDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One version with what it says."""
        return Response(PlanVersionDetailSerializer(version_for(self.actor, key_of(pk))).data)


class ContestViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Contests, the latest first; drafts for those who see all plans."""

    noun = Noun.PLAN
    serializer_class = ContestSerializer
    filterset_class = ContestFilter

    def get_queryset(self) -> QuerySet[Contest]:
        """The contests that the actor sees."""
        return Contest.objects.none() if self.is_description else contests_for(self.actor).order_by("-start_on", "pk")

    @extend_schema(responses=ContestDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One contest with what it says."""
        return Response(ContestDetailSerializer(contest_for(self.actor, key_of(pk))).data)

    @extend_schema(responses=ContestStandingSerializer(many=True))
    @action(detail=True, filterset_class=None)
    def standings(self, request: Request, pk: str) -> Response:
        """Who stands where, the highest total first, of those whom the actor sees: as they were last reckoned."""
        rows = standings_for(self.actor, contest_for(self.actor, key_of(pk)))
        return self.get_paginated_response(
            ContestStandingSerializer(self.paginate_queryset(rows) or [], many=True).data
        )


class PeriodViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Periods of pay, the latest first."""

    permission_classes = [SeesPeriods]
    serializer_class = PeriodSerializer
    filterset_class = PayPeriodFilter

    def get_queryset(self) -> QuerySet[Period]:
        """All of them: a period tells nobody's pay."""
        return Period.objects.order_by("-start_on", "kind", "pk")


class QuotaViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Quotas, the latest first."""

    noun = Noun.QUOTA
    serializer_class = QuotaSerializer
    filterset_class = QuotaFilter

    def get_queryset(self) -> QuerySet[Quota]:
        """The quotas that the actor sees."""
        return Quota.objects.none() if self.is_description else quotas_for(self.actor).order_by("-start_on", "-pk")

    @extend_schema(responses=QuotaSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One quota."""
        return Response(QuotaSerializer(quotas_for(self.actor).get_for(self.actor, pk=key_of(pk))).data)  # type: ignore[attr-defined]  # a scoped queryset

    @extend_schema(request=QuotaSetSerializer, responses={201: QuotaSerializer})
    def create(self, request: Request) -> Response:
        """Set what a person is to reach in a period; a quota of the same person, period and measure is replaced."""
        if not self.actor.has(*QUOTA_SETTERS):
            raise NotAllowedError("Only revenue operations and managers set quotas.")
        given = self.given(QuotaSetSerializer)
        quota = set_quota(
            actor=self.actor,
            person_id=given["person"].pk,
            period=given["period"],
            amount_minor=given["amount_minor"],
            currency=_currency(given["currency"]),
            measure=given["measure"],
            at=self.now,
        )
        shown: Any = quota
        shown.is_of_things = quota.measure in quota_names()[1]
        return Response(QuotaSerializer(shown).data, status=status.HTTP_201_CREATED)


class TransactionViewSet(ScopedViewSet, mixins.ListModelMixin):
    """What happened to the business, the latest day first."""

    serializer_class = TransactionSerializer
    filterset_class = TransactionFilter

    def get_queryset(self) -> QuerySet[Transaction]:
        """The transactions that the actor sees."""
        return Transaction.objects.none() if self.is_description else transactions_for(self.actor)

    def _need_writer(self, pk: str = "") -> None:
        """Refuse those who do not record; what one does not see is not there, for them too."""
        if pk:
            transaction_for(self.actor, key_of(pk))
        if not self.actor.has(*TRANSACTION_WRITERS):
            raise NotAllowedError("Only revenue operations and finance record transactions.")

    def _written(self, done: Recorded, code: int = status.HTTP_200_OK) -> Response:
        context = {**self.get_serializer_context(), "notice": done.notice}
        return Response(TransactionWrittenSerializer(done.transaction, context=context).data, status=code)

    @extend_schema(responses=TransactionSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One transaction."""
        return Response(TransactionSerializer(transaction_for(self.actor, key_of(pk))).data)

    @extend_schema(
        request=TransactionCreateSerializer,
        responses={201: TransactionWrittenSerializer},
        parameters=[key_parameter(is_needed=True)],
    )
    def create(self, request: Request) -> Response:
        """Record something that happened, once for the key. `notice` says what a locked period makes of it."""
        self._need_writer()
        self.need_key()
        given = self.given(TransactionCreateSerializer)
        kind = TransactionKind(given.pop("kind"))
        new = NewTransaction(kind=kind, **_by_id(given))
        return self._written(record_transaction(actor=self.actor, new=new, at=self.now), status.HTTP_201_CREATED)

    @extend_schema(
        request=TransactionEditSerializer,
        responses=TransactionWrittenSerializer,
        parameters=[key_parameter(is_needed=True)],
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change fields. What a locked statement credits becomes an adjustment in an open period: `notice` says so."""
        self._need_writer(pk)
        self.need_key()
        given = self.given(TransactionEditSerializer)
        seen_at, reason = given.pop("seen_at", None), given.pop("reason", "")
        return self._written(
            change_transaction(
                actor=self.actor,
                transaction_id=key_of(pk),
                changes=_by_id(given),
                seen_at=seen_at,
                reason=reason,
                at=self.now,
            )
        )

    @extend_schema(
        request=TransactionVoidSerializer,
        responses=TransactionWrittenSerializer,
        parameters=[key_parameter(is_needed=True)],
    )
    @action(detail=True, methods=["post"])
    def void(self, request: Request, pk: str) -> Response:
        """Let it no longer count; `notice` says what a locked period makes of that."""
        self._need_writer(pk)
        self.need_key()
        reason = self.given(TransactionVoidSerializer)["reason"]
        return self._written(void_transaction(actor=self.actor, transaction_id=key_of(pk), reason=reason, at=self.now))


class CreditViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Who was credited with what, the latest day first."""

    noun = Noun.PAY
    serializer_class = CreditSerializer
    filterset_class = CreditFilter

    def get_queryset(self) -> QuerySet[Credit]:
        """The credits that the actor sees."""
        return Credit.objects.none() if self.is_description else credits_for(self.actor)

    @extend_schema(responses=CreditSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One credit."""
        return Response(CreditSerializer(Credit.objects.get_for(self.actor, pk=key_of(pk))).data)


class StatementViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Statements, the latest period first."""

    noun = Noun.PAY
    serializer_class = StatementSerializer
    filterset_class = StatementFilter

    def get_queryset(self) -> QuerySet[Statement]:
        """The statements that the actor sees."""
        if self.is_description:
            return Statement.objects.none()
        return statements_for(self.actor).defer("bundle", "carried").order_by("-period__start_on", "-pk")

    @extend_schema(responses=StatementSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One statement."""
        return Response(StatementSerializer(statement_for(self.actor, key_of(pk))).data)

    @extend_schema(responses=StatementLineSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def lines(self, request: Request, pk: str) -> Response:
        """Its lines, by component, in the order in which they were walked."""
        statement = statement_for(self.actor, key_of(pk))
        rows = earnings_for(self.actor, statement).order_by("component", "position")
        return self.get_paginated_response(StatementLineSerializer(self.paginate_queryset(rows) or [], many=True).data)

    @extend_schema(responses=SettlementLineSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def settlement_lines(self, request: Request, pk: str) -> Response:
        """The steps from what was earned to what is paid, in their order."""
        statement = statement_for(self.actor, key_of(pk))
        rows = statement.settlement_lines.order_by("position")
        return self.get_paginated_response(SettlementLineSerializer(self.paginate_queryset(rows) or [], many=True).data)


class AdjustmentViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Adjustments, the latest first. Programs prepare them; people approve them in the pages."""

    permission_classes = [SeesAdjustments]
    serializer_class = AdjustmentSerializer
    filterset_class = AdjustmentFilter

    def get_queryset(self) -> QuerySet[Adjustment]:
        """The adjustments that the actor sees."""
        if self.is_description:
            return Adjustment.objects.none()
        return adjustments_for(self.actor).order_by("-prepared_at", "-pk")

    @extend_schema(responses=AdjustmentSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One adjustment."""
        return Response(AdjustmentSerializer(adjustment_for(self.actor, key_of(pk))).data)

    @extend_schema(
        request=AdjustmentPrepareSerializer,
        responses={201: AdjustmentSerializer},
        parameters=[key_parameter(is_needed=True)],
    )
    def create(self, request: Request) -> Response:
        """Prepare one, once for the key. It waits until somebody else in finance approves it."""
        if not self.actor.has(*PREPARERS):
            raise NotAllowedError("Only revenue operations, finance and managers prepare adjustments.")
        self.need_key()
        given = self.given(AdjustmentPrepareSerializer)
        version = version_during(given["plan"], given["period"])
        if version is not None and version.currency != given.pop("currency"):
            raise CommissionRefusedError({"currency": f"The plan pays in {version.currency}."})
        given.pop("currency", None)
        row = prepare_adjustment(actor=self.actor, person_id=given.pop("person").pk, at=self.now, **given)
        return Response(AdjustmentSerializer(row).data, status=status.HTTP_201_CREATED)


def _by_id(given: dict[str, Any]) -> dict[str, Any]:
    """What was given, with rows as their ids."""
    return {
        f"{name}_id" if name in ("deal", "account", "product", "credited_to", "reverses") else name: value.pk
        if hasattr(value, "pk")
        else value
        for name, value in given.items()
    }


def _currency(given: str) -> str:
    try:
        return check_currency(given)
    except MoneyError as error:
        raise CommissionRefusedError({"currency": f"“{given}” is not a currency code such as EUR."}) from error


router = SimpleRouter()
router.register("plans", PlanViewSet, basename="plan")
router.register("plan-versions", PlanVersionViewSet, basename="planversion")
router.register("contests", ContestViewSet, basename="contest")
router.register("periods", PeriodViewSet, basename="period")
router.register("quotas", QuotaViewSet, basename="quota")
router.register("transactions", TransactionViewSet, basename="transaction")
router.register("credits", CreditViewSet, basename="credit")
router.register("statements", StatementViewSet, basename="statement")
router.register("adjustments", AdjustmentViewSet, basename="adjustment")
