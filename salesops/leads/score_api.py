"""The score of a lead and what it did, for programs."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from salesops.accounts.services.guards import check_may_edit
from salesops.core.viewsets import ScopedViewSet, key_of
from salesops.leads.models import LeadScore, LeadSignal
from salesops.leads.score_serializers import LeadScoreSerializer, LeadSignalSerializer, SignalCreateSerializer
from salesops.leads.selectors import lead_for
from salesops.leads.services.scores import note_signal


class ScoreActions(ScopedViewSet):
    """What a lead's address has under it: its score, its signals."""

    @extend_schema(responses=LeadScoreSerializer)
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def score(self, request: Request, pk: str) -> Response:
        """The score as last calculated; 404 while there is none."""
        lead = lead_for(self.actor, key_of(pk))
        found = LeadScore.objects.visible_to(self.actor).filter(lead=lead).select_related("version").first()
        if found is None:
            raise Http404
        return Response(LeadScoreSerializer(found).data)

    @extend_schema(responses=LeadSignalSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def signals(self, request: Request, pk: str) -> Response:
        """What the lead did, the latest first."""
        lead = lead_for(self.actor, key_of(pk))
        rows = LeadSignal.objects.visible_to(self.actor).filter(lead=lead)
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(LeadSignalSerializer(page or [], many=True).data)

    @extend_schema(request=SignalCreateSerializer, responses={201: LeadSignalSerializer, 200: LeadSignalSerializer})
    @signals.mapping.post
    def note_signal(self, request: Request, pk: str) -> Response:
        """Keep that the lead did something: 201, or 200 when this key told it before."""
        check_may_edit(self.actor)
        lead = lead_for(self.actor, key_of(pk))
        given = {"happened_at": self.now} | self.given(SignalCreateSerializer)
        is_new = note_signal(lead_id=lead.pk, at=self.now, **given)
        kept = LeadSignal.objects.visible_to(self.actor).get(key=given["key"])
        return Response(
            LeadSignalSerializer(kept).data, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        )
