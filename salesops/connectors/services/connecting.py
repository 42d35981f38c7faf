"""Connections from the first choice to the last: made, tested, mapped, previewed, started, paused, begun anew, ended."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import F
from django.utils.text import slugify
from django.utils.translation import gettext as _

from salesops.audit.services import record
from salesops.connectors.choices import SUDDENLY_EMPTY, ConnectionState, Master, StreamState
from salesops.connectors.models import Connection, RawRecord, Source, Stream
from salesops.connectors.rules.fields import KINDS, FieldType
from salesops.connectors.rules.mapping import FieldRule
from salesops.connectors.rules.mapping import Mapping as FieldMapping
from salesops.connectors.rules.tables import cell_text
from salesops.connectors.selectors.connections import present
from salesops.connectors.services import credentials
from salesops.connectors.services.applying import Applier, RawFate
from salesops.connectors.services.authorizing import speaks_for_records
from salesops.connectors.services.calling import Caller
from salesops.connectors.vendors import vendor_of
from salesops.connectors.vendors.base import ADDRESS, Ask, Column, Identity, Object, Raw, Setting, Word
from salesops.connectors.wire import is_named
from salesops.core.actor import Actor, Noun, Scope, system_actor
from salesops.deals.choices import StageKind
from salesops.deals.models import Stage
from salesops.jobs import services as jobs
from salesops.values.names import fold_name

#: The job that keeps a connection in step.
SYNC: Final = "connectors.sync"
#: How many records a preview shows.
PREVIEWED: Final = 100
#: The order in which objects are brought: what others refer to goes first.
ORDER: Final = (
    "owners", "people", "products", "accounts", "contacts", "leads", "deals", "deal_lines", "deal_splits",
    "stage_changes", "subscriptions", "transactions", "activities",
)  # fmt: skip


def check_may_connect(actor: Actor) -> int:
    """Refuse whoever may not bring records in: raises PermissionDenied. Gives the person's key."""
    if actor.sight(Noun.IMPORT) < Scope.ALL or actor.user_id is None:
        raise PermissionDenied
    return actor.user_id


def create(
    *, actor: Actor, vendor: str, name: str, options: Mapping[str, str], given: Mapping[str, str], at: datetime
) -> Connection:
    """Make a connection in draft. `options`: the vendor's settings that are no secrets, `given`: those that are.

    Raises PermissionDenied, ValidationError by the name of the setting.
    """
    person_id = check_may_connect(actor)
    known = vendor_of(vendor)
    settings_ = settings_of(vendor)
    _check_settings(settings_, {**options, **given})
    _check_way_in(vendor, {**options, **given})
    with transaction.atomic():
        source = Source.objects.create(code=_free_code(name or known.label), name=name or known.label)
        connection = Connection.objects.create(
            source=source,
            vendor=vendor,
            options={each.name: options.get(each.name, each.default) for each in settings_ if not each.is_secret},
            hook_token=secrets.token_urlsafe(32),
            made_by_id=person_id,
            made_at=at,
        )
        for each in settings_:
            if each.is_secret and given.get(each.name):
                credentials.keep(connection, each.name, given[each.name], at=at)
        record(actor=actor, action="connection.created", subject=connection, after={"vendor": vendor}, at=at)
    return connection


def change(
    *, actor: Actor, connection: Connection, options: Mapping[str, str], given: Mapping[str, str], at: datetime
) -> Connection:
    """Change settings, and those secrets that are given anew; a webhook's secret keeps the one before it good for a day.

    Secrets do not follow to another address: where that changes, they are forgotten and must be given, or signed in for,
    again.
    """
    check_may_connect(actor)
    settings_ = settings_of(connection.vendor)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        before = dict(row.options)
        # What a sign-in told (the address of the company, say) is nothing that a person types.
        asked = {each.name for each in settings_ if not each.is_secret}
        merged = {**before, **{name: value for name, value in options.items() if name in asked}}
        _check_settings([each for each in settings_ if not each.is_secret or each.name in given], {**merged, **given})
        row.options = merged
        if any(before.get(name, "") != merged.get(name, "") for name in vendor_of(row.vendor).decide_versions):
            # Versions are written in another way from now on: what was told before is older than whatever comes.
            row.streams.update(revision=F("revision") + 1, cursor={})
            RawRecord.objects.filter(stream__connection=row).update(version="", digest="")
        if (before.get(ADDRESS.name) or "") != (merged.get(ADDRESS.name) or ""):
            credentials.forget(row)
        changed = []
        for each in settings_:
            if each.is_secret and given.get(each.name):
                if each.name == vendor_of(row.vendor).hook_credential:
                    old = credentials.opened(row, each.name)
                    if old is not None:
                        credentials.keep(
                            row, f"{each.name}_before", old.reveal(), at=at, expires_at=at + credentials.BEFORE_LIVES
                        )
                credentials.keep(row, each.name, given[each.name], at=at)
                changed.append(each.name)
        if changed:
            _mend(row, at=at)
        row.save()
        record(
            actor=actor,
            action="connection.changed",
            subject=row,
            before={name: value for name, value in before.items() if merged.get(name) != value},
            after={name: value for name, value in merged.items() if before.get(name) != value}
            | ({"secrets": ", ".join(changed)} if changed else {}),
            at=at,
        )
    return row


def _mend(row: Connection, *, at: datetime) -> None:
    """A new secret mends what the old one broke; what was disconnected waits for somebody to start it."""
    if row.state == ConnectionState.BROKEN:
        row.state, row.next_sync_at, row.error, row.failures = ConnectionState.RUNNING, at, {}, 0
    elif row.state == ConnectionState.DISCONNECTED:
        row.state = ConnectionState.PAUSED if row.streams.exists() else ConnectionState.DRAFT
        row.error, row.failures, row.failing_since = {}, 0, None


def configure(
    *,
    actor: Actor,
    connection: Connection,
    name: str,
    sync_every: int,
    brake_deals: int,
    brake_minor: int,
    at: datetime,
) -> Connection:
    """Change how a connection is called, how many minutes lie between its syncs, and how much may change in one go.

    brake_minor: in minor units of the company's currency. Raises ValidationError by name.
    """
    check_may_connect(actor)
    if not name.strip():
        raise ValidationError({"source_name": _("This is needed.")})
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        source = Source.objects.select_for_update().get(pk=row.source_id)
        before = _kept_as(row, source)
        source.name = name.strip()[:80]
        source.save(update_fields=["name"])
        row.sync_every, row.brake_deals, row.brake_minor = sync_every, brake_deals, brake_minor
        row.save(update_fields=["sync_every", "brake_deals", "brake_minor"])
        after = _kept_as(row, source)
        if before != after:
            record(
                actor=actor,
                action="connection.changed",
                subject=row,
                before={name: value for name, value in before.items() if after[name] != value},
                after={name: value for name, value in after.items() if before[name] != value},
                at=at,
            )
    return row


def _kept_as(row: Connection, source: Source) -> dict[str, str | int]:
    return {
        "name": source.name,
        "sync_every": row.sync_every,
        "brake_deals": row.brake_deals,
        "brake_minor": row.brake_minor,
    }


def identify(*, actor: Actor, connection: Connection, at: datetime, http: Caller | None = None) -> Identity:
    """Ask the vendor whose account it is, and keep the answer. Raises Fault, Wait or WireError with words.

    Raises ValidationError, and pauses, where somebody signed in at another account than the one whose records are here.
    """
    check_may_connect(actor)
    if http is None:
        with Caller(connection) as opened:
            identity = opened.vendor.identify(opened)
    else:
        identity = http.vendor.identify(http)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        is_another = (
            vendor_of(row.vendor).oauth is not None
            and row.account_id != identity.account_id[:120]
            and speaks_for_records(row)
        )
        if is_another and row.state == ConnectionState.RUNNING:
            row.state = ConnectionState.PAUSED
            row.save(update_fields=["state"])
    if is_another:
        raise ValidationError(
            _(
                "This is %(account)s; the records that are here came from %(known)s. Sign in there, or make another"
                " connection. This one is paused."
            )
            % {"account": identity.account_name or identity.account_id, "known": row.account_name or row.account_id}
        )
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        row.account_id, row.account_name = identity.account_id[:120], identity.account_name[:200]
        row.options = {**row.options, **identity.settings}
        row.save(update_fields=["account_id", "account_name", "options"])
    return identity


def discover(*, actor: Actor, connection: Connection, at: datetime, http: Caller | None = None) -> list[Stream]:
    """Make a stream of each object that the vendor has, with its columns and the mapping that is proposed; those that
    are there keep what people decided and learn new columns."""
    check_may_connect(actor)
    if http is None:
        with Caller(connection) as opened:
            return discover(actor=actor, connection=connection, at=at, http=opened)
    vendor = http.vendor
    found: list[tuple[Object, list[Column], Mapping[str, Sequence[Word]]]] = []
    for each in vendor.objects_for(connection.options):
        columns = list(vendor.columns(each, http))
        if columns:  # an object that this customer does not have has none
            found.append((each, columns, vendor.words(each, http)))
    with transaction.atomic():
        # Only what is found out here is written: a sweep or a person may be at the rest.
        known = {stream.object: stream for stream in Stream.objects.select_for_update().filter(connection=connection)}
        for number, (each, columns, words) in enumerate(sorted(found, key=lambda one: _rank(one[0].kind))):
            plain = [asdict(column) for column in columns]
            stream = known.get(each.code)
            if stream is not None:
                stream.position, stream.columns = number, plain
                stream.save(update_fields=["position", "columns"])
            else:
                Stream.objects.create(
                    connection=connection,
                    object=each.code,
                    kind=each.kind,
                    is_wanted=each.is_offered,
                    mapping=proposed(each, columns, words, currency=_currency_of(connection)).as_plain(),
                    masters={one.field: one.master for one in each.proposal if one.master != Master.CRM},
                    position=number,
                    columns=plain,
                )
    return list(Stream.objects.filter(connection=connection))


def proposed(
    object: Object,
    columns: Collection[Column],
    words: Mapping[str, Sequence[Word]] | None = None,
    *,
    currency: str | None = None,
) -> FieldMapping:
    """The mapping that an object's file proposes, as far as its columns are there. The vendor's stages are proposed as
    the portal's: by their name, else by what they mean and how far along they are. `currency`: of amounts beside which none stands."""
    paths = {column.path for column in columns}
    kind = KINDS[object.kind]
    rules = []
    for each in object.proposal:
        field = kind.field(each.field)
        if field is None or (each.column is not None and each.column not in paths):
            continue
        rules.append(
            FieldRule(
                field=each.field,
                column=each.column,
                constant=each.constant,
                template=each.template,
                when_blank=each.when_blank,
                choices=each.choices + _stages_meant((words or {}).get(each.field, ())),
                lookup_by=each.lookup_by,
                on_unknown=each.on_unknown,
                is_rounded=each.is_rounded,
                rate_unit=each.rate_unit,
                currency=currency if field.type is FieldType.MONEY else None,
                clears=each.clears and not field.is_required,
            )
        )
    return FieldMapping(object.kind, tuple(rules))


def _currency_of(connection: Connection) -> str:
    """The currency of amounts beside which none stands: the account's at the vendor, else the company's."""
    return str(connection.options.get("currency") or settings.COMPANY_CURRENCY)


def _stages_meant(words: Sequence[Word]) -> tuple[tuple[str, str], ...]:
    """Words of a vendor and the codes of the portal's stages that they are taken to mean."""
    if not words:
        return ()
    stages = list(Stage.objects.filter(is_active=True).order_by("position"))
    names = {fold_name(stage.name): stage for stage in stages} | {fold_name(stage.code): stage for stage in stages}
    pairs = []
    for word in words:
        stage = names.get(fold_name(word.text)) or names.get(fold_name(word.label))
        alike = [each for each in stages if each.kind == (word.kind or StageKind.OPEN)]
        if stage is None and alike:
            share = (word.share or 0) * 10_000
            stage = (
                min(alike, key=lambda each: abs(each.probability_bp - share)) if word.share is not None else alike[0]
            )
        if stage is not None:
            pairs.append((word.text, stage.code))
    return tuple(pairs)


def decide_mapping(
    *,
    actor: Actor,
    stream: Stream,
    mapping: FieldMapping,
    masters: Mapping[str, str],
    is_wanted: bool,
    at: datetime,
) -> Stream:
    """Keep what a person decided about an object. A changed mapping is applied to everything once more.

    Raises ValidationError with what is still missing.
    """
    check_may_connect(actor)
    if is_wanted and (missing := mapping.missing()):
        raise ValidationError([problem.text(_) for problem in missing])
    unknown = [name for name, value in masters.items() if value not in Master.values]
    if unknown:
        raise ValidationError(_("There is no such rule of who wins: %(names)s.") % {"names": ", ".join(unknown)})
    with transaction.atomic():
        row = Stream.objects.select_for_update().select_related("connection").get(pk=stream.pk)
        before = {"mapping": row.mapping, "masters": row.masters, "is_wanted": row.is_wanted}
        row.mapping = mapping.as_plain()
        row.masters = {name: value for name, value in masters.items() if value != Master.CRM}
        row.is_wanted = is_wanted
        after = {"mapping": row.mapping, "masters": row.masters, "is_wanted": row.is_wanted}
        if before != after:
            row.revision += 1  # a sweep under way goes on by what is wanted now
        if before["mapping"] != after["mapping"]:
            row.cursor = {}  # everything is read once more; by another mapping nothing of it is known
        row.save()
        record(
            actor=actor,
            action="connection.mapping_changed",
            subject=row.connection,
            before={"object": row.object, **{k: v for k, v in before.items() if after[k] != v}},
            after={"object": row.object, **{k: v for k, v in after.items() if before[k] != v}},
            at=at,
        )
    return row


def sample(
    *, actor: Actor, stream: Stream, at: datetime, http: Caller | None = None
) -> tuple[list[Raw], list[RawFate]]:
    """The first records of an object and what would become of them; nothing is written. Raises Fault, Wait, WireError."""
    check_may_connect(actor)
    if http is None:
        with Caller(stream.connection) as opened:
            return sample(actor=actor, stream=stream, at=at, http=opened)
    applier = Applier(stream, actor=system_actor())
    page = http.vendor.read(applier.object, Ask(size=PREVIEWED, asked_at=at, columns=applier.mapping.columns), http)
    raws = list(page.raws)[:PREVIEWED]
    return raws, applier.preview(raws, at=at)


def cells_of(stream: Stream, raws: Sequence[Raw]) -> list[dict[str, str]]:
    """What the columns that the mapping uses hold in these records, as text by path."""
    applier = Applier(stream, actor=system_actor())
    return [
        {path: cell_text(cell) for path, cell in zip(applier.flattener.headers, applier.row_of(raw).cells, strict=True)}
        for raw in raws
    ]


def choose(*, actor: Actor, connection: Connection, objects: Collection[str], at: datetime) -> int:
    """Say which objects are kept in step; what the others brought stays. Gives how many are.

    Raises ValidationError with what is still missing in the mapping of one that is wanted.
    """
    check_may_connect(actor)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        streams = list(row.streams.select_for_update().order_by("position"))
        changed = [stream for stream in streams if stream.is_wanted != (stream.object in objects)]
        for stream in changed:
            stream.is_wanted = not stream.is_wanted
            if stream.is_wanted and (missing := FieldMapping.from_plain(stream.mapping).unwrap().missing()):
                raise ValidationError(f"{stream.object}: " + " ".join(problem.text(_) for problem in missing))
            stream.save(update_fields=["is_wanted"])
        if changed:
            record(
                actor=actor,
                action="connection.objects_chosen",
                subject=row,
                after={stream.object: stream.is_wanted for stream in changed},
                at=at,
            )
    return sum(stream.is_wanted for stream in streams)


def start(*, actor: Actor, connection: Connection, at: datetime) -> Connection:
    """Begin to keep a connection in step, or go on after a pause."""
    check_may_connect(actor)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if row.state == ConnectionState.RUNNING:
            return row
        if row.state == ConnectionState.DISCONNECTED:
            raise ValidationError(_("Connect anew first: its secrets were forgotten."))
        wanted = list(row.streams.filter(is_wanted=True))
        if not wanted:
            raise ValidationError(_("Choose at least one object."))
        for stream in wanted:
            missing = FieldMapping.from_plain(stream.mapping).unwrap().missing()
            if missing:
                raise ValidationError(f"{stream.object}: " + " ".join(problem.text(_) for problem in missing))
        before = row.state
        row.state, row.next_sync_at = ConnectionState.RUNNING, at
        row.save(update_fields=["state", "next_sync_at"])
        record(
            actor=actor,
            action="connection.started",
            subject=row,
            before={"state": before},
            after={"state": row.state},
            at=at,
        )
        enqueue_sync(row, at=at)
    return row


def pause(*, actor: Actor, connection: Connection, at: datetime) -> Connection:
    """Leave a connection alone until somebody starts it again; webhooks are still kept. What runs stops at its next page."""
    check_may_connect(actor)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if row.state not in (ConnectionState.RUNNING, ConnectionState.BROKEN):
            raise ValidationError(_("It is not running."))
        before = row.state
        row.state = ConnectionState.PAUSED
        row.save(update_fields=["state"])
        record(
            actor=actor,
            action="connection.paused",
            subject=row,
            before={"state": before},
            after={"state": row.state},
            at=at,
        )
    return row


def sync_now(*, actor: Actor, connection: Connection, at: datetime) -> None:
    """Do not wait for the next turn."""
    check_may_connect(actor)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if row.state != ConnectionState.RUNNING:
            raise ValidationError(_("It is not running. Start it first."))
        row.next_sync_at = at
        row.save(update_fields=["next_sync_at"])
        enqueue_sync(row, at=at)


def resync(*, actor: Actor, connection: Connection, objects: Collection[str] | None = None, at: datetime) -> int:
    """Read everything once more, of all objects or of some. What is the same changes nothing. Gives how many objects."""
    check_may_connect(actor)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        streams = row.streams.filter(is_wanted=True)
        if objects is not None:
            streams = streams.filter(object__in=objects)
        count = streams.update(
            cursor={},
            revision=F("revision") + 1,
            state=StreamState.FIRST_LOAD,
            load_done=0,
            load_total=None,
            load_began_at=None,
        )
        record(
            actor=actor,
            action="connection.resync",
            subject=row,
            after={"objects": ", ".join(sorted(objects)) if objects is not None else "*"},
            at=at,
        )
        if row.state == ConnectionState.RUNNING:
            row.next_sync_at = at
            row.save(update_fields=["next_sync_at"])
            enqueue_sync(row, at=at)
    return count


def confirm_empty(*, actor: Actor, stream: Stream, at: datetime) -> int:
    """Let the next sweep over an object that suddenly came empty remove what is here, if it comes empty once more. It holds
    for that sweep and for so many records. Gives how many. Raises PermissionDenied, ValidationError where the object has no
    such problem or its connection is not running."""
    check_may_connect(actor)
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=stream.connection_id)
        row = Stream.objects.select_for_update().get(pk=stream.pk)
        if row.error.get("code") != SUDDENLY_EMPTY:
            raise ValidationError(_("The object has no such problem any more. Load the page again."))
        if connection.state != ConnectionState.RUNNING:
            raise ValidationError(_("It is not running. Start it first."))
        count = present(row)
        row.cursor = {**row.cursor, "may_be_empty": count}
        row.revision += 1  # a sweep under way does not know of it
        row.save(update_fields=["cursor", "revision"])
        record(
            actor=actor,
            action="connection.emptied",
            subject=connection,
            after={"object": row.object, "records": count},
            at=at,
        )
        connection.next_sync_at = at
        connection.save(update_fields=["next_sync_at"])
        enqueue_sync(connection, at=at)
    return count


def disconnect(*, actor: Actor, connection: Connection, at: datetime) -> Connection:
    """End a connection: its secrets are forgotten, what it brought stays, with its origin."""
    check_may_connect(actor)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        before = row.state
        row.state, row.next_sync_at = ConnectionState.DISCONNECTED, None
        row.hook_token = secrets.token_urlsafe(32)
        row.save(update_fields=["state", "next_sync_at", "hook_token"])
        forgotten = credentials.forget(row)
        record(
            actor=actor,
            action="connection.disconnected",
            subject=row,
            before={"state": before},
            after={"state": row.state, "secrets": forgotten},
            at=at,
        )
    return row


def enqueue_sync(connection: Connection, *, at: datetime) -> None:
    """Ring for the job that brings a connection up to date; while one runs, that one is meant."""
    jobs.enqueue(
        kind=SYNC,
        key=f"sync:{connection.pk}",
        payload={"connection_id": connection.pk},
        actor=system_actor(),
        at=at,
        title=_("Sync of %(name)s") % {"name": connection.source.name},
        url=connection.get_absolute_url(),
    )


def enqueue_due(*, at: datetime) -> int:
    """Ring for every connection that is due. Gives how many."""
    due = Connection.objects.select_related("source").filter(state=ConnectionState.RUNNING, next_sync_at__lte=at)
    for connection in due:
        enqueue_sync(connection, at=at)
    return len(due)


def keys_of(vendor: str) -> list[str]:
    """The names of the secrets with which a vendor lets in without a sign-in."""
    known = vendor_of(vendor)
    return [each.name for each in known.settings if each.is_secret and each.name != known.hook_credential]


def _check_way_in(vendor: str, given: Mapping[str, Any]) -> None:
    """Where one may sign in or give a key, one of the two is needed."""
    keys = keys_of(vendor)
    if vendor_of(vendor).oauth and keys and not any(given.get(name) for name in (*keys, "client_id")):
        raise ValidationError({keys[0]: _("Give a key, or the client id of your app to sign in with.")})


def _oauth_settings(vendor: str) -> list[Setting]:
    """What is needed to sign in by OAuth: the app that the company registered at the vendor."""
    if vendor_of(vendor).oauth is None:
        return []
    has_key = bool(keys_of(vendor))
    hint = _("Only to sign in: with a token or key of its own it stays empty.") if has_key else ""
    return [
        Setting("client_id", _("Client id of your app"), hint=hint, is_required=not has_key),
        Setting("client_secret", _("Client secret of your app"), is_secret=True, is_required=False),
    ]


def _hook_settings(vendor: str) -> list[Setting]:
    """The secret that proves webhooks, where it is none of those that are asked for anyway."""
    known = vendor_of(vendor)
    names = {each.name for each in (*known.settings, *_oauth_settings(vendor))}
    if not known.has_webhooks or known.hook_credential in names:
        return []
    return [Setting(known.hook_credential, _("Secret of the webhooks"), is_secret=True, is_required=False)]


def settings_of(vendor: str) -> list[Setting]:
    """All that a person is asked for to connect a vendor."""
    known = vendor_of(vendor)
    by_http = () if known.family == "sql" else (ADDRESS,)
    return [*known.settings, *_oauth_settings(vendor), *_hook_settings(vendor), *by_http]


def _check_settings(settings_: Collection[Setting], given: Mapping[str, Any]) -> None:
    problems: dict[str, str] = {}
    for each in settings_:
        value = str(given.get(each.name) or each.default or "")
        if not value:
            if each.is_required:
                problems[each.name] = _("This is needed.")
        elif each.choices and value not in dict(each.choices):
            problems[each.name] = _("Choose one of those that are offered.")
        elif not each.is_long and not re.fullmatch(each.pattern, value):
            problems[each.name] = _("This does not look right. %(hint)s") % {"hint": each.hint}
        elif each.name == ADDRESS.name and not is_named(value):
            problems[each.name] = _(
                "An administrator must name this address in CONNECTORS_ALLOWED_ADDRESSES first: secrets would go there."
            )
    if problems:
        raise ValidationError(problems)


def _rank(kind: str) -> int:
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def _free_code(name: str) -> str:
    """A code for a source that no other has."""
    base = slugify(name)[:30] or "source"
    taken = set(Source.objects.filter(code__startswith=base).values_list("code", flat=True))
    code, number = base, 2
    while code in taken:
        code, number = f"{base}-{number}", number + 1
    return code
