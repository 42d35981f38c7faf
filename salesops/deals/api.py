"""Deals for programs: read, make, edit, move, give away; within the same window and by the same services as the pages."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from salesops.core.viewsets import ScopedViewSet, key_of
from salesops.deals.filters import DealFilter, DecisionFilter, EscalationFilter, HandOffFilter
from salesops.deals.guard_serializers import (
    DecisionSerializer,
    EscalationAnswerSerializer,
    EscalationSerializer,
    HandOffAnswerSerializer,
    HandOffGiveSerializer,
    HandOffSerializer,
    RatingSerializer,
)
from salesops.deals.models import Deal, DealSpiced, GuardDecision, GuardEscalation, HandOff, Product, Stage
from salesops.deals.selectors import deal_for, deals_for, products_for, stage_changes_for
from salesops.deals.selectors.deals import deal_spiced_of
from salesops.deals.selectors.guard import decisions_for, escalation_for, escalations_for
from salesops.deals.selectors.handoffs import hand_off_for, hand_offs_for
from salesops.deals.serializers import (
    DealCreateSerializer,
    DealDetailSerializer,
    DealEditSerializer,
    DealMoveSerializer,
    DealReassignSerializer,
    DealSerializer,
    ProductSerializer,
    StageChangeSerializer,
    StageSerializer,
)
from salesops.deals.services import create_deal, edit_deal, move_deal, reassign
from salesops.deals.services.guard import answer_escalation
from salesops.deals.services.handoffs import answer_hand_off, give_hand_off, rate_hand_off
from salesops.deals.services.spiced import set_deal_spiced
from salesops.leads.serializers import SpicedSerializer


class DealViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Deals."""

    serializer_class = DealSerializer
    filterset_class = DealFilter

    def get_queryset(self) -> QuerySet[Deal]:
        """The deals that the actor sees, newest first."""
        return Deal.objects.none() if self.is_description else deals_for(self.actor).select_related("spiced")

    def _shown(self, deal: Deal, code: int = status.HTTP_200_OK) -> Response:
        return Response(DealDetailSerializer(deal, context=self.get_serializer_context()).data, status=code)

    @extend_schema(responses=DealDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One deal with its lines and shares."""
        return self._shown(deal_for(self.actor, key_of(pk)))

    @extend_schema(request=DealCreateSerializer, responses={201: DealDetailSerializer})
    def create(self, request: Request) -> Response:
        """Make a deal."""
        deal = create_deal(actor=self.actor, at=self.now, **self.given(DealCreateSerializer))
        return self._shown(deal, status.HTTP_201_CREATED)

    @extend_schema(request=DealEditSerializer, responses=DealDetailSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change fields; `version` must be the one read, else 409."""
        deal = deal_for(self.actor, key_of(pk))
        given = self.given(DealEditSerializer)
        version = given.pop("version")
        return self._shown(edit_deal(actor=self.actor, deal_id=deal.pk, version=version, at=self.now, changes=given))

    @extend_schema(request=DealMoveSerializer, responses=DealDetailSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response:
        """Move to a stage."""
        deal = deal_for(self.actor, key_of(pk))
        return self._shown(move_deal(actor=self.actor, deal_id=deal.pk, at=self.now, **self.given(DealMoveSerializer)))

    @extend_schema(request=DealReassignSerializer, responses={200: DealDetailSerializer, 204: None})
    @action(detail=True, methods=["post"])
    def reassign(self, request: Request, pk: str) -> Response:
        """Give to another owner or pod; 204 when the giver does not see it any more."""
        deal = deal_for(self.actor, key_of(pk))
        moved = reassign(actor=self.actor, deal_id=deal.pk, at=self.now, **self.given(DealReassignSerializer))
        if not deals_for(self.actor).filter(pk=moved.pk).exists():
            return Response(status=status.HTTP_204_NO_CONTENT)
        return self._shown(moved)

    @extend_schema(responses=SpicedSerializer)
    @action(detail=True, methods=["get"], filterset_class=None)
    def spiced(self, request: Request, pk: str) -> Response:
        """What is known by SPICED."""
        row = deal_spiced_of(deal_for(self.actor, key_of(pk)))
        return Response(SpicedSerializer(row or DealSpiced()).data)

    @extend_schema(request=SpicedSerializer, responses=SpicedSerializer)
    @spiced.mapping.patch
    def write_spiced(self, request: Request, pk: str) -> Response:
        """Write what is known; 409 when the words are newer than `seen_at`."""
        deal = deal_for(self.actor, key_of(pk))
        row = set_deal_spiced(actor=self.actor, deal_id=deal.pk, at=self.now, **self.given(SpicedSerializer))
        return Response(SpicedSerializer(row).data)

    @extend_schema(responses=StageChangeSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def stage_changes(self, request: Request, pk: str) -> Response:
        """The moves of a deal, the latest first."""
        deal = deal_for(self.actor, key_of(pk))
        page = self.paginate_queryset(stage_changes_for(self.actor, deal))
        return self.get_paginated_response(StageChangeSerializer(page or [], many=True).data)


class EscalationViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Approvals that the selling guard asks for."""

    serializer_class = EscalationSerializer
    filterset_class = EscalationFilter

    def get_queryset(self) -> QuerySet[GuardEscalation]:
        """Those of deals that the actor sees, newest first."""
        return GuardEscalation.objects.none() if self.is_description else escalations_for(self.actor)

    @extend_schema(request=EscalationAnswerSerializer, responses=EscalationSerializer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: str) -> Response:
        """Approve or refuse; never one's own."""
        row = escalation_for(self.actor, key_of(pk))
        given = self.given(EscalationAnswerSerializer)
        row = answer_escalation(actor=self.actor, escalation_id=row.pk, at=self.now, **given)
        return Response(EscalationSerializer(row).data)


class DecisionViewSet(ScopedViewSet, mixins.ListModelMixin):
    """What the selling guard said."""

    serializer_class = DecisionSerializer
    filterset_class = DecisionFilter

    def get_queryset(self) -> QuerySet[GuardDecision]:
        """About deals that the actor sees, newest first."""
        return GuardDecision.objects.none() if self.is_description else decisions_for(self.actor)


class HandOffViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Hand-offs."""

    serializer_class = HandOffSerializer
    filterset_class = HandOffFilter

    def get_queryset(self) -> QuerySet[HandOff]:
        """Those that the actor gave or got, or that people below did, newest first."""
        return HandOff.objects.none() if self.is_description else hand_offs_for(self.actor)

    @extend_schema(responses=HandOffSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One hand-off."""
        return Response(HandOffSerializer(hand_off_for(self.actor, key_of(pk))).data)

    @extend_schema(request=HandOffGiveSerializer, responses={201: HandOffSerializer})
    def create(self, request: Request) -> Response:
        """Hand a deal, an account or a lead to somebody of the next function."""
        given = self.given(HandOffGiveSerializer)
        about = {f"{name}_id": given.pop(name, None) for name in ("deal", "account", "lead")}
        row = give_hand_off(actor=self.actor, at=self.now, **about, **given)
        return Response(HandOffSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=HandOffAnswerSerializer, responses=HandOffSerializer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, pk: str) -> Response:
        """Accept or decline; for the receiver."""
        row = hand_off_for(self.actor, key_of(pk))
        given = self.given(HandOffAnswerSerializer)
        row = answer_hand_off(actor=self.actor, hand_off_id=row.pk, at=self.now, **given)
        return Response(HandOffSerializer(row).data)

    @extend_schema(request=RatingSerializer, responses=HandOffSerializer)
    @action(detail=True, methods=["post"])
    def rate(self, request: Request, pk: str) -> Response:
        """The five ratings; for the receiver."""
        row = hand_off_for(self.actor, key_of(pk))
        row = rate_hand_off(actor=self.actor, hand_off_id=row.pk, at=self.now, **self.given(RatingSerializer))
        return Response(HandOffSerializer(row).data)


class StageViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Stages, in the order of the board."""

    serializer_class = StageSerializer

    def get_queryset(self) -> QuerySet[Stage]:
        """All of them, those out of use too."""
        return Stage.objects.all()


class ProductViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Products, by name."""

    serializer_class = ProductSerializer

    def get_queryset(self) -> QuerySet[Product]:
        """All of them."""
        return Product.objects.none() if self.is_description else products_for(self.actor)


router = SimpleRouter()
router.register("deals", DealViewSet, basename="deal")
router.register("approvals", EscalationViewSet, basename="approval")
router.register("guard-decisions", DecisionViewSet, basename="guarddecision")
router.register("hand-offs", HandOffViewSet, basename="handoff")
router.register("stages", StageViewSet, basename="stage")
router.register("products", ProductViewSet, basename="product")
