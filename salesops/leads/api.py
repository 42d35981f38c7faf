"""Leads for programs: within the same window and by the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from salesops.core.viewsets import key_of
from salesops.leads.filters import LeadFilter
from salesops.leads.models import Lead, LeadSpiced
from salesops.leads.routing_api import PoolViewSet, RoutingActions
from salesops.leads.score_api import ScoreActions
from salesops.leads.selectors import assignments_of, lead_for, leads_for
from salesops.leads.selectors.spiced import lead_spiced_for
from salesops.leads.selectors.ways import paths_seen
from salesops.leads.serializers import (
    LeadAssignmentSerializer,
    LeadAssignSerializer,
    LeadConvertSerializer,
    LeadCreateSerializer,
    LeadEditSerializer,
    LeadSerializer,
    LeadStatusChangeSerializer,
    SpicedSerializer,
)
from salesops.leads.services import assign_lead, convert_lead, create_lead, edit_lead, set_lead_spiced, set_status


class LeadViewSet(ScoreActions, RoutingActions, mixins.ListModelMixin):
    """Leads."""

    serializer_class = LeadSerializer
    filterset_class = LeadFilter

    def get_queryset(self) -> QuerySet[Lead]:
        """The leads that the actor sees, newest first."""
        return Lead.objects.none() if self.is_description else leads_for(self.actor).select_related("spiced")

    def _shown(self, lead: Lead, code: int = status.HTTP_200_OK) -> Response:
        return Response(LeadSerializer(lead).data, status=code)

    @extend_schema(responses=LeadSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One lead."""
        return self._shown(lead_for(self.actor, key_of(pk)))

    @extend_schema(request=LeadCreateSerializer, responses={201: LeadSerializer, 200: LeadSerializer, 204: None})
    def create(self, request: Request) -> Response:
        """Make a lead. 200 with the lead that was there already for who came again; 204 when the asker does not see it."""
        lead = create_lead(actor=self.actor, at=self.now, **self.given(LeadCreateSerializer))
        if lead.merged_into_id is None:
            return self._shown(lead, status.HTTP_201_CREATED)
        found = leads_for(self.actor).filter(pk=lead.merged_into_id).first()
        return self._shown(found) if found else Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=LeadEditSerializer, responses=LeadSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change fields; 409 when the lead is newer than `seen_at`."""
        lead = lead_for(self.actor, key_of(pk))
        given = self.given(LeadEditSerializer)
        return self._shown(edit_lead(actor=self.actor, lead_id=lead.pk, at=self.now, **given))

    @extend_schema(request=LeadStatusChangeSerializer, responses=LeadSerializer)
    @action(detail=True, methods=["post"], url_path="status")
    def change_status(self, request: Request, pk: str) -> Response:
        """Move to another status."""
        lead = lead_for(self.actor, key_of(pk))
        given = self.given(LeadStatusChangeSerializer)
        return self._shown(set_status(actor=self.actor, lead_id=lead.pk, at=self.now, **given))

    @extend_schema(responses=SpicedSerializer)
    @action(detail=True, methods=["get"], filterset_class=None)
    def spiced(self, request: Request, pk: str) -> Response:
        """What is known by SPICED."""
        lead = lead_for(self.actor, key_of(pk))
        return Response(SpicedSerializer(lead_spiced_for(self.actor, lead.pk) or LeadSpiced()).data)

    @extend_schema(request=SpicedSerializer, responses=SpicedSerializer)
    @spiced.mapping.patch
    def write_spiced(self, request: Request, pk: str) -> Response:
        """Write what is known; 409 when the words are newer than `seen_at`."""
        lead = lead_for(self.actor, key_of(pk))
        row = set_lead_spiced(actor=self.actor, lead_id=lead.pk, at=self.now, **self.given(SpicedSerializer))
        return Response(SpicedSerializer(row).data)

    @extend_schema(request=LeadAssignSerializer, responses={200: LeadSerializer, 204: None})
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Give to another owner or pod; 204 when the giver does not see it any more."""
        lead = lead_for(self.actor, key_of(pk))
        assign_lead(actor=self.actor, lead_id=lead.pk, at=self.now, **self.given(LeadAssignSerializer))
        found = leads_for(self.actor).filter(pk=lead.pk).first()
        return self._shown(found) if found else Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=LeadConvertSerializer, responses=LeadSerializer)
    @action(detail=True, methods=["post"])
    def convert(self, request: Request, pk: str) -> Response:
        """Turn into an account and a contact."""
        lead = lead_for(self.actor, key_of(pk))
        given = self.given(LeadConvertSerializer)
        account = given.get("account")
        done = convert_lead(
            actor=self.actor,
            lead_id=lead.pk,
            at=self.now,
            account_id=account.pk if account else None,
            account_name=given.get("account_name", ""),
        )
        return self._shown(done.lead)

    @extend_schema(responses=LeadAssignmentSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None)
    def assignments(self, request: Request, pk: str) -> Response:
        """Each time the lead was given to somebody, the latest first."""
        lead = lead_for(self.actor, key_of(pk))
        page: Any = self.paginate_queryset(assignments_of(self.actor, lead)) or []
        # Who in a pool stood how is for those who see the pool.
        for each, path in zip(page, paths_seen(self.actor, [each.path for each in page]), strict=True):
            each.path = path
        return self.get_paginated_response(LeadAssignmentSerializer(page, many=True).data)


router = SimpleRouter()
router.register("pools", PoolViewSet, basename="pool")
router.register("leads", LeadViewSet, basename="lead")
