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
from salesops.deals.filters import DealFilter
from salesops.deals.models import Deal, Product, Stage
from salesops.deals.selectors import deal_for, deals_for, products_for, stage_changes_for
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

    @extend_schema(responses=StageChangeSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def stage_changes(self, request: Request, pk: str) -> Response:
        """The moves of a deal, the latest first."""
        deal = deal_for(self.actor, key_of(pk))
        page = self.paginate_queryset(stage_changes_for(self.actor, deal))
        return self.get_paginated_response(StageChangeSerializer(page or [], many=True).data)


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
router.register("stages", StageViewSet, basename="stage")
router.register("products", ProductViewSet, basename="product")
