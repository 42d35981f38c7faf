"""One's own effort for programs. Nobody else's: a program that reads many people would leave no look behind."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import mixins
from rest_framework.routers import SimpleRouter

from salesops.core.actor import Noun
from salesops.core.viewsets import ScopedViewSet
from salesops.effort.models import EffortScore
from salesops.effort.selectors.scores import scores_for
from salesops.effort.serializers import EffortScoreSerializer


class EffortScoreViewSet(ScopedViewSet, mixins.ListModelMixin):
    """The weeks of whoever asks."""

    serializer_class = EffortScoreSerializer
    noun = Noun.EFFORT

    def get_queryset(self) -> QuerySet[EffortScore]:
        """Their own, the latest first; none where their legal entity has it switched off."""
        if self.is_description:
            return EffortScore.objects.none()
        return scores_for(self.actor).filter(person_id=self.actor.user_id).select_related("version")


router = SimpleRouter()
router.register("effort", EffortScoreViewSet, basename="effortscore")
