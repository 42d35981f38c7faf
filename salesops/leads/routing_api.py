"""Pools, and how leads are routed and given back, for programs."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from salesops.core.viewsets import ScopedViewSet, key_of
from salesops.leads.models import Pool
from salesops.leads.routing_serializers import (
    PoolMemberSerializer,
    PoolSerializer,
    PoolSetupSerializer,
    RoutingDecisionSerializer,
)
from salesops.leads.selectors import assignments_of, lead_for, leads_for
from salesops.leads.selectors.leads import lead_or_removed_for
from salesops.leads.selectors.pools import pool_for, pools_for, setups_of, standing_of, versions_of
from salesops.leads.selectors.ways import Gone, paths_seen, ways_of
from salesops.leads.serializers import LeadGiveBackSerializer, LeadMergeSerializer, LeadSerializer
from salesops.leads.services.merging import join_leads, part_leads
from salesops.leads.services.turns import give_back


class PoolViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Pools of people who take leads in turn, as far as the asker sees them."""

    serializer_class = PoolSerializer

    def get_queryset(self) -> QuerySet[Pool]:
        """By name."""
        return Pool.objects.none() if self.is_description else pools_for(self.actor)

    @extend_schema(responses=PoolSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One pool."""
        return Response(PoolSerializer(pool_for(self.actor, key_of(pk))).data)

    @extend_schema(responses=PoolMemberSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None)
    def members(self, request: Request, pk: str) -> Response:
        """Who is in it, the next first, with what they got and were entitled to in 30 days."""
        members: Any = standing_of(pool_for(self.actor, key_of(pk)), self.now).members
        return Response(PoolMemberSerializer(members, many=True).data)

    @extend_schema(responses=PoolSetupSerializer(many=True))
    @action(detail=True, methods=["get"])
    def setups(self, request: Request, pk: str) -> Response:
        """How it was set up, version by version, the newest first: by whom, since when, what was new."""
        pool = pool_for(self.actor, key_of(pk))
        found: Any = setups_of(self.actor, pool, self.paginate_queryset(versions_of(self.actor, pool)) or [])
        return self.get_paginated_response(PoolSetupSerializer(found, many=True).data)


class RoutingActions(ScopedViewSet):
    """What a lead's address has under it: how it was routed, giving it back, merging it into another."""

    @extend_schema(responses=RoutingDecisionSerializer)
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def routing(self, request: Request, pk: str) -> Response:
        """How it was routed last; 404 while no rule decided on it."""
        lead = lead_for(self.actor, key_of(pk))
        found: Any = assignments_of(self.actor, lead).filter(path__has_key="version").first()
        if found is None:
            raise Http404
        found.way = ways_of(self.actor, [Gone(found.pk, found.path, found.person_id)])[found.pk]
        found.path = paths_seen(self.actor, [found.path])[0]
        return Response(RoutingDecisionSerializer(found).data)

    @extend_schema(request=LeadGiveBackSerializer, responses={200: LeadSerializer, 204: None})
    @action(detail=True, methods=["post"], url_path="give-back")
    def give_back(self, request: Request, pk: str) -> Response:
        """Give it back, to go to somebody else by the rules; 204 when the giver does not see it any more."""
        lead = lead_for(self.actor, key_of(pk))
        give_back(actor=self.actor, lead_id=lead.pk, at=self.now, **self.given(LeadGiveBackSerializer))
        found = leads_for(self.actor).filter(pk=lead.pk).first()
        return Response(LeadSerializer(found).data) if found else Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=LeadMergeSerializer, responses={200: LeadSerializer, 204: None})
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Merge it into another lead, which is answered; 204 when the asker does not see that one any more."""
        lead, given = lead_for(self.actor, key_of(pk)), self.given(LeadMergeSerializer)
        merge = join_leads(
            actor=self.actor, lead_id=lead.pk, into=given["into"], at=self.now, reason=given.get("reason", "")
        )
        found = leads_for(self.actor).filter(pk=merge.stays_id).first()
        return Response(LeadSerializer(found).data) if found else Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=LeadSerializer)
    @action(detail=True, methods=["post"])
    def part(self, request: Request, pk: str) -> Response:
        """Take back that it was merged by hand: it is there again, with what was its own."""
        lead = lead_or_removed_for(self.actor, key_of(pk))
        return Response(LeadSerializer(part_leads(actor=self.actor, lead_id=lead.pk, at=self.now)).data)
