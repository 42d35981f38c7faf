"""Activities for programs: read, log, correct, tick off; within the same window and by the same services as the pages."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from salesops.activities.filters import ActivityFilter
from salesops.activities.models import Activity
from salesops.activities.selectors import activities_for, activity_for
from salesops.activities.serializers import (
    ActivityEditSerializer,
    ActivityLogSerializer,
    ActivitySerializer,
    TaskDoneSerializer,
)
from salesops.activities.services import complete_task, edit_activity, log_activity
from salesops.core.viewsets import ScopedViewSet, key_of


class ActivityViewSet(ScopedViewSet, mixins.ListModelMixin):
    """Activities and tasks."""

    serializer_class = ActivitySerializer
    filterset_class = ActivityFilter

    def get_queryset(self) -> QuerySet[Activity]:
        """Those that the actor sees, newest first."""
        return Activity.objects.none() if getattr(self, "swagger_fake_view", False) else activities_for(self.actor)

    def _shown(self, activity: Activity, code: int = status.HTTP_200_OK) -> Response:
        return Response(ActivitySerializer(activity).data, status=code)

    @extend_schema(responses=ActivitySerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One activity."""
        return self._shown(activity_for(self.actor, key_of(pk)))

    @extend_schema(request=ActivityLogSerializer, responses={201: ActivitySerializer})
    def create(self, request: Request) -> Response:
        """Log what was done, or set a task."""
        activity = log_activity(actor=self.actor, at=self.now, **self.given(ActivityLogSerializer))
        return self._shown(activity, status.HTTP_201_CREATED)

    @extend_schema(request=ActivityEditSerializer, responses=ActivitySerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Correct it."""
        activity = activity_for(self.actor, key_of(pk))
        changes = self.given(ActivityEditSerializer)
        return self._shown(edit_activity(actor=self.actor, activity_id=activity.pk, at=self.now, changes=changes))

    @extend_schema(request=TaskDoneSerializer, responses=ActivitySerializer)
    @action(detail=True, methods=["post"])
    def done(self, request: Request, pk: str) -> Response:
        """Tick a task off."""
        activity = activity_for(self.actor, key_of(pk))
        return self._shown(
            complete_task(actor=self.actor, activity_id=activity.pk, at=self.now, **self.given(TaskDoneSerializer))
        )


router = SimpleRouter()
router.register("activities", ActivityViewSet, basename="activity")
