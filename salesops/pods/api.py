"""Pods, their members, segments and territories for programs: to read, within the same window as the pages."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from salesops.core.actor import Noun
from salesops.core.viewsets import ScopedViewSet, key_of
from salesops.pods.models import Pod, Segment, Territory
from salesops.pods.selectors import memberships_for, pod_for, pods_for, territories_for
from salesops.pods.serializers import MembershipSerializer, PodSerializer, SegmentSerializer, TerritorySerializer


class PodViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Pods."""

    noun = Noun.POD
    serializer_class = PodSerializer

    def get_queryset(self) -> QuerySet[Pod]:
        """The pods that the actor sees, by name."""
        return Pod.objects.none() if self.is_description else pods_for(self.actor)

    @extend_schema(responses=PodSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One pod."""
        return Response(PodSerializer(pod_for(self.actor, key_of(pk))).data)

    @extend_schema(responses=MembershipSerializer(many=True))
    @action(detail=True, methods=["get"])
    def memberships(self, request: Request, pk: str) -> Response:
        """Who was, is and will be in the pod, by the first day."""
        pod = pod_for(self.actor, key_of(pk))
        rows = memberships_for(self.actor).filter(pod=pod).order_by("start_on", "pk")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(MembershipSerializer(page or [], many=True).data)


class SegmentViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Segments, in their order."""

    noun = Noun.POD
    serializer_class = SegmentSerializer

    def get_queryset(self) -> QuerySet[Segment]:
        """All of them."""
        return Segment.objects.all()


class TerritoryViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Territories, by name."""

    noun = Noun.POD
    serializer_class = TerritorySerializer

    def get_queryset(self) -> QuerySet[Territory]:
        """All of them."""
        return Territory.objects.none() if self.is_description else territories_for(self.actor)


router = SimpleRouter()
router.register("pods", PodViewSet, basename="pod")
router.register("segments", SegmentViewSet, basename="segment")
router.register("territories", TerritoryViewSet, basename="territory")
