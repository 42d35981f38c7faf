"""The description of the API as a page of the portal, made from the same schema that programs fetch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from drf_spectacular.generators import SchemaGenerator

from salesops.core import features
from salesops.core.views.base import PortalView

#: The colour of each method.
_TONES: Final = {"get": "blue", "post": "green", "put": "amber", "patch": "amber", "delete": "red"}


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter of an address, or a field of what is sent."""

    name: str
    kind: str
    is_several: bool = False
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method does at one address."""

    tag: str
    method: str
    tone: str
    path: str
    text: str
    query: tuple[Value, ...]
    headers: tuple[Value, ...]
    body: tuple[Value, ...]
    answers: str


class ApiPageView(PortalView):
    """Every address of the API, with what it takes and answers."""

    feature = features.API

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        tags = [(tag, list(rows)) for tag, rows in groupby(operations(), key=lambda each: each.tag)]
        return render(request, "core/api_page.html", {"title": _("API"), "tags": tags})


@cache
def operations() -> tuple[Operation, ...]:
    """All operations by tag, in the order of the schema. The schema does not change while the process lives."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    schemas = schema["components"]["schemas"]
    found = [
        Operation(
            tag=given["tags"][0],
            method=method.upper(),
            tone=_TONES.get(method, "grey"),
            path=path,
            text=given.get("description", ""),
            query=tuple(
                _value(each["name"], each["schema"], schemas)
                for each in given.get("parameters", ())
                if each["in"] == "query"
            ),
            headers=tuple(
                _value(each["name"], each["schema"], schemas, is_needed=each.get("required", False))
                for each in given.get("parameters", ())
                if each["in"] == "header"
            ),
            body=_body(given, schemas),
            answers=", ".join(given["responses"]),
        )
        for path, methods in schema["paths"].items()
        for method, given in methods.items()
    ]
    return tuple(sorted(found, key=lambda each: each.tag))


def _body(given: dict[str, Any], schemas: dict[str, Any]) -> tuple[Value, ...]:
    if "requestBody" not in given:
        return ()
    schema = _resolved(given["requestBody"]["content"]["application/json"]["schema"], schemas)
    needed = set(schema.get("required", ()))
    return tuple(
        _value(name, each, schemas, is_needed=name in needed)
        for name, each in schema.get("properties", {}).items()
        if not each.get("readOnly")
    )


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference points to; a choice or a nullable reference is its first part."""
    for several in ("allOf", "oneOf"):
        if several in schema:
            return _resolved(schema[several][0], schemas)
    name = schema.get("$ref", "").rpartition("/")[2]
    return _resolved(schemas[name], schemas) if name else schema


def _value(name: str, schema: dict[str, Any], schemas: dict[str, Any], *, is_needed: bool = False) -> Value:
    """A value with its type for reading: "integer", "date", "open | won | lost"; of a list, what it is a list of."""
    found = _resolved(schema, schemas)
    is_several = found.get("type") == "array"
    if is_several:
        found = _resolved(found["items"], schemas)
    if "enum" in found:
        kind = " | ".join(str(each) for each in found["enum"] if each not in ("", None))
    else:
        kind = str(found.get("format", "") if found.get("type") == "string" else "") or str(found.get("type", ""))
    return Value(name, kind, is_several, is_needed)
