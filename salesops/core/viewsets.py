"""What the API views of all rooms share: the actor, the window, and how a service's refusal is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from rest_framework import status, viewsets
from rest_framework.exceptions import APIException
from rest_framework.exceptions import ValidationError as RefusedError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from salesops.core import features
from salesops.core.actor import Actor, Noun, Scope


class ConflictError(APIException):
    """Somebody changed the row since it was read."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "stale"


class SeesNoun(BasePermission):
    """For actors who see single rows of the view's `noun`; which ones is for the selectors."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the actor sees any row at all."""
        noun: Noun = getattr(view, "noun", Noun.WORK)
        return actor_of(request).sight(noun) >= Scope.OWN


class ApiIsOn(BasePermission):
    """Nobody, while an administrator has switched the API off."""

    @property
    def message(self) -> str:
        """What the program is told."""
        return features.off_text(features.API)

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the API answers at all."""
        return features.is_on(features.API)


def actor_of(request: Request) -> Actor:
    """Who asks."""
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set by pods.middleware
    return actor


def now_of(request: Request) -> datetime:
    """The moment of the request."""
    now: datetime = request.now  # type: ignore[attr-defined]  # set by pods.middleware
    return now


def key_of(pk: str) -> int:
    """The key of an address; 0, which is nobody's, for what is no key."""
    return int(pk) if pk.isdecimal() and len(pk) <= 18 else 0


class ScopedViewSet(viewsets.GenericViewSet[Any]):
    """Rows that the actor sees; what a service refuses is answered by field, what was changed meanwhile with 409."""

    permission_classes = [SeesNoun]
    noun: ClassVar[Noun] = Noun.WORK

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return actor_of(self.request)

    @property
    def now(self) -> datetime:
        """The moment of the request."""
        return now_of(self.request)

    def get_permissions(self) -> list[Any]:
        """Whatever a view asks for, the API must be on."""
        return [*super().get_permissions(), ApiIsOn()]

    @property
    def is_description(self) -> bool:
        """Whether the views are only being described, without anybody asking."""
        return bool(getattr(self, "swagger_fake_view", False))

    def get_serializer_context(self) -> dict[str, Any]:
        """Serializers offer what the actor may choose."""
        context = dict(super().get_serializer_context())
        if not self.is_description:
            context |= {"actor": self.actor, "at": self.now}
        return context

    def given(self, serializer_class: Any) -> dict[str, Any]:
        """What was sent, checked. Raises 400 by field."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def handle_exception(self, exc: Exception) -> Response:
        """A service's refusal as the API says it."""
        return super().handle_exception(refused(exc) if isinstance(exc, ValidationError) else exc)


def refused(error: ValidationError) -> APIException:
    """A service's refusal: 409 for a newer row, else 400 with the words by field."""
    if getattr(error, "code", "") == "stale":
        return ConflictError(" ".join(error.messages))
    if hasattr(error, "error_dict"):
        words = error.message_dict
        return RefusedError({"non_field_errors" if name == "__all__" else name: said for name, said in words.items()})
    return RefusedError({"non_field_errors": error.messages})
