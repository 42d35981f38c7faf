"""What the API views of all rooms share: the actor, the window, and how a service's refusal is answered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status, viewsets
from rest_framework.exceptions import APIException
from rest_framework.exceptions import ValidationError as RefusedError
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from salesops.core import features
from salesops.core.actor import Actor, Noun, Scope
from salesops.core.refusals import after_refusal
from salesops.core.services import Answer, answer_once

#: The header by which a program says that a request is the same as one before.
KEY_HEADER: Final = "Idempotency-Key"
_MOST_KEY: Final = 200


def key_parameter(*, is_needed: bool) -> OpenApiParameter:
    """The header as the description of the API tells it."""
    return OpenApiParameter(
        KEY_HEADER,
        str,
        OpenApiParameter.HEADER,
        required=is_needed,
        description="At most 200 printable signs, new for each request; the same key again gives the same answer.",
    )


class ConflictError(APIException):
    """Somebody changed the row since it was read."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "stale"


class KeyBusyError(ConflictError):
    """The first request with this key is still being worked on."""

    default_code = "key-busy"
    wait = 1  # seconds, told as Retry-After


class KeyReusedError(APIException):
    """The key stands for another request."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "key-reused"


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

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Whoever may ask: what writes is done once for the key of the request, if it has one."""
        super().initial(request, *args, **kwargs)
        name = str(request.method).lower()
        handler = getattr(self, name, None)
        if request.method not in SAFE_METHODS and handler is not None and KEY_HEADER in request.headers:
            setattr(self, name, partial(self._once, handler))

    def need_key(self) -> None:
        """Raises 400 for a request without a key: done twice, it would be money twice."""
        if not self.request.headers.get(KEY_HEADER, "").strip():
            raise RefusedError({KEY_HEADER: [_("Give a key in this header, so that nothing is done twice.")]})

    def _once(self, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
        """Do what is asked once for the request's key; the same request again gets the same answer.

        Raises 400 for a key that cannot be kept, 409 while the first request with it is being worked on, 422 when it
        stands for another request.
        """
        key = request.headers[KEY_HEADER].strip()
        if not key:
            return handler(request, *args, **kwargs)
        if len(key) > _MOST_KEY or not (key.isascii() and key.isprintable()):
            raise RefusedError({KEY_HEADER: [_("A key has at most 200 printable signs of ASCII.")]})

        def answered() -> Answer:
            response = handler(request, *args, **kwargs)
            return Answer(response.status_code, JSONRenderer().render(response.data).decode())

        answer, is_now = answer_once(actor=self.actor, key=key, digest=digest_of(request), at=self.now, act=answered)
        response = Response(json.loads(answer.body) if answer.body else None, status=answer.status)
        if not is_now:
            response.headers["Idempotency-Replayed"] = "true"
        return response

    def handle_exception(self, exc: Exception) -> Response:
        """A service's refusal as the API says it."""
        after_refusal(exc)
        return super().handle_exception(refused(exc) if isinstance(exc, ValidationError) else exc)


class PortalSchema(AutoSchema):
    """What the description of the API says of every view: all that writes takes a key."""

    def get_override_parameters(self) -> list[Any]:
        """With the header of keys."""
        is_keyed = isinstance(self.view, ScopedViewSet) and self.method not in SAFE_METHODS
        return [*super().get_override_parameters(), *([key_parameter(is_needed=False)] if is_keyed else [])]


#: Refusals that are told by a status of their own.
_CODED: Final[dict[str, type[APIException]]] = {
    "stale": ConflictError,
    "key-busy": KeyBusyError,
    "key-reused": KeyReusedError,
}


def digest_of(request: Request) -> str:
    """SHA-256 of what is asked: method, address and body; the order of the fields does not matter."""
    data = dict(request.data.lists()) if isinstance(request.data, QueryDict) else request.data
    text = json.dumps([request.method, request.get_full_path(), data], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def refused(error: ValidationError) -> APIException:
    """A service's refusal: 409 for a newer row or a busy key, 422 for a key of something else, else 400 by field."""
    kind = _CODED.get(getattr(error, "code", None) or "")
    if kind is not None:
        return kind(" ".join(error.messages))
    if hasattr(error, "error_dict"):
        words = error.message_dict
        return RefusedError({"non_field_errors" if name == "__all__" else name: said for name, said in words.items()})
    return RefusedError({"non_field_errors": error.messages})
