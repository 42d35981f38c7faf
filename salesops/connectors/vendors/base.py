"""What a vendor says about itself: how one signs in, which objects it has, how they are paged, and what its replies mean.

A vendor's file holds one `Vendor`. It turns questions into requests and replies into raw rows; it knows no model, keeps
no state and makes no decision: budgets, retries, tokens, cursors, mappings and writing are shared (`services/`).
"""

from __future__ import annotations

import base64
import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from salesops.connectors.rules import proofs, pushes
from salesops.connectors.rules.mapping import RateUnit, Unknown
from salesops.connectors.rules.proofs import Delivery
from salesops.connectors.wire import Reply as Reply  # an answer of the vendor, read completely
from salesops.connectors.wire import WireError
from salesops.values.outcomes import Problem
from salesops.values.outcomes import gettext_noop as _

#: Plain JSON data: what is stored as a position in a sweep, or sent.
Json = dict[str, Any]
#: Turns a payload into the one that columns are read from (flattening, joining), the same for the same payload.
Shape = Callable[[Mapping[str, Any]], Mapping[str, Any]]

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


# --- What comes in -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as the vendor tells it.

    version: sorts as text, the newer the greater (`version_of`); of two tellings of a record the greater one stands.
    is_deleted: the vendor no longer has it. merged_into: the id of the record that took its place. has_parts: this is the
    first of the rows that one record of the vendor becomes, told together on one page; the others' ids are this one's, a
    colon and more. Those that a newer telling leaves out are gone, all of them when this one is deleted.
    """

    external_id: str
    version: str
    payload: Mapping[str, Any]
    is_deleted: bool = False
    merged_into: str = ""
    has_parts: bool = False


def version_of(moment: datetime | None, tie: int = 0) -> str:
    """A moment as a version: ISO text in UTC with microseconds, and a counter for systems that have a better one."""
    stamp = (moment or BEGINNING).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{stamp}#{tie:019d}" if tie else stamp


def moment_of(version: str) -> datetime | None:
    """The moment of a version; None where it is not made of one."""
    try:
        return datetime.strptime(version.partition("#")[0], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def gone(external_id: str, at: datetime | None) -> Raw:
    """The row of a record that is no longer there, as of a moment."""
    return Raw(external_id, version_of(at), {}, is_deleted=True)


def id_of(value: Any) -> str:
    """The id of a reference, told as such or with the whole record; "" where there is none."""
    return str(value.get("id") or "") if isinstance(value, Mapping) else str(value or "")


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of a sweep.

    since: records changed from this moment on, None for all; the overlap is taken off already. until: and before this
    one, where a closed window is wanted: a question that the vendor caps (Fault TOO_MANY) is halved until it fits.
    position: what the page before gave as `next`, None for the first page. token: what the last complete sweep gave as
    `horizon` ("" when there was none). size: how many rows are wanted at most; None leaves it to the vendor. asked_at: when
    the sweep began, by the vendor's clock where it is known. columns: the paths that the mapping needs, for vendors that
    give only what is asked for.
    """

    since: datetime | None = None
    until: datetime | None = None
    position: Json | None = None
    token: str = ""
    size: int | None = None
    asked_at: datetime = BEGINNING
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a sweep.

    next: the position of the following page as plain JSON, None when this was the last. A position that comes twice
    stops the sweep with a fault. horizon: on the last page, a token for the next sweep (delta links, sync tokens).
    total: how many records the sweep will bring, where the vendor says so.
    """

    raws: Sequence[Raw]
    next: Json | None = None
    horizon: str = ""
    total: int | None = None


# --- Objects and columns -------------------------------------------------------------------------------------------


class ColumnType(enum.StrEnum):
    """How the value of a column is to be understood."""

    TEXT = "text"
    NUMBER = "number"  # JSON number or decimal text, exact
    MINOR = "minor"  # whole minor units of the currency in `currency_column`
    DAY = "day"  # a bare day, never shifted by a zone
    MOMENT = "moment"  # ISO text with an offset (or naive UTC)
    UNIX = "unix"  # seconds since 1970
    MILLIS = "millis"  # milliseconds since 1970
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an object: a dotted path into the payload, and how its value is understood.

    currency_column: for MINOR, the path of the currency. is_writable: the vendor lets it be written.
    """

    path: str
    label: str = ""
    type: ColumnType = ColumnType.TEXT
    currency_column: str = ""
    is_writable: bool = False


def columns_of(*names: str) -> tuple[Column, ...]:
    """Columns written as path:type (text when it says none), with a ! behind those that may be written."""
    parts = [(each, *each.removesuffix("!").partition(":")) for each in names]
    return tuple(
        Column(path, path, ColumnType(type) if type else ColumnType.TEXT, is_writable=each.endswith("!"))
        for each, path, _colon, type in parts
    )


@dataclass(frozen=True, slots=True)
class Proposal:
    """How a field is filled unless a person decides otherwise: from a column, a constant or a template of columns.

    choices: words of the vendor and the portal's choices. lookup_by: by which key a reference is found. on_unknown: what
    happens when it is not. rate_unit: what 60 means in a share. master: who wins, by `Master`'s value.
    """

    field: str
    column: str | None = None
    constant: str | None = None
    template: str | None = None
    choices: tuple[tuple[str, str], ...] = ()
    lookup_by: str = "any"
    on_unknown: Unknown = Unknown.REFUSE
    when_blank: str | None = None
    clears: bool = True
    is_rounded: bool = False
    rate_unit: RateUnit | None = None
    master: str = "crm"


def by_id(field: str, column: str) -> Proposal:
    """A reference by the vendor's id; empty where what it names is not here."""
    return Proposal(field, column, lookup_by="external_id", on_unknown=Unknown.EMPTY)


@dataclass(frozen=True, slots=True)
class Object:
    """A kind of record that a vendor has, and the portal's kind that it becomes.

    code: the vendor's name of it. kind: as in `rules.fields.KINDS`. columns: what is always there; `Vendor.columns` may
    find more. proposal: the mapping that is proposed. overlap: how far a sweep reaches back before the last one, for
    clocks, late commits and lagging indexes. shape: what columns are read from, where it is not the payload itself.
    reach: of activities that are asked for by when they happened: how far back. is_whole: every sweep reads all. sweeps_deletes: what no longer comes when all is read is gone. is_offered: wanted unless
    switched off. link: template of the record's page at the vendor with {id}, {base} and the settings of the connection.
    """

    code: str
    kind: str
    label: str
    columns: tuple[Column, ...]
    proposal: tuple[Proposal, ...]
    overlap: timedelta = timedelta(minutes=5)
    shape: Shape | None = None
    reach: timedelta | None = None
    is_whole: bool = False
    sweeps_deletes: bool = False
    is_offered: bool = True
    link: str = ""

    def column(self, path: str) -> Column | None:
        """The column of a path, or None."""
        return next((column for column in self.columns if column.path == path), None)


@dataclass(frozen=True, slots=True)
class Word:
    """A word that records of a customer use for a field, such as the id of a stage. label: as people there call it.
    kind: "open", "won" or "lost" where the vendor says so. share: how far along it is, 0 to 1."""

    text: str
    label: str = ""
    kind: str = ""
    share: float | None = None


#: The words of a vendor that keeps apart the stage of a deal and how it ended.
ENDS: Final = (Word("won", "Won", "won", 1.0), Word("lost", "Lost", "lost", 0.0))


# --- Talking -------------------------------------------------------------------------------------------------------


class Http(Protocol):
    """The way to the vendor for one connection: signs, keeps the budget, waits and retries, renews the token.

    Addresses may be relative to the vendor's base. What comes back is a good reply (below 400) or one whose status is in
    `expect`; everything else is raised as a Fault or a Wait.
    """

    settings: Mapping[str, str]

    def get(
        self,
        url: str,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        expect: Sequence[int] = (),
    ) -> Reply:
        """Ask for something."""
        ...

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Sequence[int] = (),
        is_safe: bool = False,
    ) -> Reply:
        """Send something. `is_safe`: may be repeated (searches by POST)."""
        ...

    def secret(self, name: str) -> str:
        """A credential of the connection, for schemes that put it elsewhere than into a header ("" when unset)."""
        ...

    def await_turn(self) -> None:
        """Take a request from the connection's budget; `get` and `send` do it themselves. May raise a Wait."""
        ...

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock at its first reply in this sweep, by the Date header."""
        ...


class FaultKind(enum.StrEnum):
    """What went wrong, as far as it decides what happens next."""

    PASSING = "passing"  # try again later
    LIMITED = "limited"  # wait, then go on
    UNAUTHORIZED = "unauthorized"  # the token is no longer good: renew it, else a person connects anew
    FORBIDDEN = "forbidden"  # the vendor does not let us see this: a person must give rights
    REFUSED = "refused"  # the request itself is wrong: a person must look
    GONE = "gone"  # the cursor or token is too old: sweep all again
    MISSING = "missing"  # the one record asked for is not there
    ENDLESS = "endless"  # the pages do not end
    TOO_MANY = "too_many"  # the vendor caps this question: ask by smaller windows
    CHANGED = "changed"  # written elsewhere since it was read


class Fault(Exception):  # noqa: N818 - an answer about the vendor
    """The vendor cannot or will not answer. Carries the words to show; never a secret."""

    def __init__(self, kind: FaultKind, problem: Problem, *, wait: timedelta | None = None) -> None:
        super().__init__(str(problem.text()))
        self.kind = kind
        self.problem = problem
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a vendor says about a reply that is not good: the kind, its own words, and for how long to wait if it says."""

    kind: FaultKind
    words: str = ""
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What an error reply says of itself: words for a person and the vendor's code, "" where it has none."""

    words: str = ""
    code: str = ""


def said_in(reply: Reply, pick: Callable[[Any], Said]) -> Said:
    """What an error reply says, picked out of its JSON; nothing where it is no JSON of the form that the vendor writes (a
    proxy answered, or half of it came): the status alone counts then."""
    try:
        return pick(reply.json())
    except (WireError, AttributeError, LookupError, TypeError, ValueError):
        return Said()


#: What a status means with most vendors, unless it is good (below 400) or a failure of theirs (from 500 on).
_KINDS: Final[Mapping[int, FaultKind]] = {
    401: FaultKind.UNAUTHORIZED,
    403: FaultKind.FORBIDDEN,
    404: FaultKind.MISSING,
    408: FaultKind.PASSING,
    409: FaultKind.CHANGED,
    410: FaultKind.GONE,
    412: FaultKind.CHANGED,
    420: FaultKind.PASSING,
    423: FaultKind.PASSING,
    425: FaultKind.PASSING,
    429: FaultKind.LIMITED,
}


def kind_of(status: int) -> FaultKind | None:
    """What a status means with most vendors; None for a good one."""
    if status < 400:
        return None
    return FaultKind.PASSING if status >= 500 else _KINDS.get(status, FaultKind.REFUSED)


# --- Signing in ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """Something a person must say to connect. Secrets are sealed; the others are kept with the connection.

    pattern: a regular expression for the whole text, so that nobody can smuggle another address into it.
    """

    name: str
    label: str
    hint: str = ""
    is_secret: bool = False
    is_required: bool = True
    pattern: str = r"[^\s]{1,500}"
    default: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    is_long: bool = False


#: Another address in place of the vendor's own; every vendor that is asked by HTTP offers it to administrators.
ADDRESS: Final = Setting(
    "address",
    _("Another address"),
    hint=_("Only where requests go through a proxy of your own; it must be among the allowed addresses."),
    is_required=False,
    pattern=r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?/?",
)


@dataclass(frozen=True, slots=True)
class OAuth:
    """OAuth 2 by authorisation code.

    Addresses may hold {setting} of the connection. client_auth: "basic" or "body". rotates: each renewal brings a new
    refresh token and the old one dies. expires_in: how long a token lives where the reply does not say.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...] = ()
    uses_pkce: bool = False
    client_auth: str = "body"
    rotates: bool = False
    expires_in: timedelta | None = None
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the connection speaks for: the account at the vendor and what it calls itself.

    settings: what it tells that the connection goes by; what it leaves empty is left out, so that what is known stays.
    """

    account_id: str
    account_name: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        told = {name: value for name, value in self.settings.items() if value}
        object.__setattr__(self, "settings", told)


# --- Webhooks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a webhook tells: which record of which object changed, and how.

    key: by what a delivery counts once, "" where each does. object: the vendor's object code, "" when the connection has
    nothing to do with it. external_id: "" when all of the object is to be swept. raw: the record where the event carries it
    whole, else it is fetched.
    """

    key: str
    object: str
    external_id: str
    occurred_at: datetime | None = None
    is_deleted: bool = False
    merged_into: str = ""
    raw: Raw | None = None
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an outgoing change: the record as the vendor tells it now, where the reply says so."""

    raw: Raw | None = None


# --- The vendor ----------------------------------------------------------------------------------------------------


class Vendor(ABC):
    """What is different about one vendor."""

    code: ClassVar[str]
    label: ClassVar[str]
    #: "crm", "billing", "activity" or "sql": how it is grouped where one is chosen.
    family: ClassVar[str] = "crm"
    #: The address that relative ones hang on, with its closing slash, where it is the same for all accounts.
    api_url: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()
    oauth: ClassVar[OAuth | None] = None
    objects: ClassVar[tuple[Object, ...]] = ()
    #: Requests in so many seconds that the vendor allows where its replies do not say.
    allowance: ClassVar[tuple[int, float]] = (10, 1.0)
    #: Settings that decide how versions are written: when one is changed, what was told before is older than all to come.
    decide_versions: ClassVar[tuple[str, ...]] = ()
    #: Whose proofs and forms its webhooks have (`rules.proofs.CHECKS`, `rules.pushes.READERS`; "": it has none), and the
    #: credential that proves.
    hook_scheme: ClassVar[str] = ""
    hook_credential: ClassVar[str] = "webhook_secret"
    #: What webhooks call an object, where it is not its code.
    hook_words: ClassVar[Mapping[str, str]] = {}
    #: What a person does at the vendor to make webhooks come, in a sentence or two.
    webhook_help: ClassVar[str] = ""
    #: How many seconds one exchange may take.
    deadline: ClassVar[float] = 60.0
    #: What codes of error replies mean, where that is not what their status means.
    codes: ClassVar[Mapping[str, FaultKind]] = {}

    @property
    def has_webhooks(self) -> bool:
        """Whether it tells changes by itself."""
        return bool(self.hook_scheme)

    def object(self, code: str) -> Object:
        """The object of a code. Raises KeyError."""
        for each in self.objects:
            if each.code == code:
                return each
        raise KeyError(code)

    def objects_for(self, settings: Mapping[str, str]) -> tuple[Object, ...]:
        """The objects of a connection; the same for all where the vendor does not depend on its settings."""
        return self.objects

    def base(self, settings: Mapping[str, str]) -> str:
        """The address that relative ones hang on, with its closing slash, from the settings of a connection.

        Where the setting `address` is filled (a proxy of the company, a sandbox), it stands in for the vendor's own
        origin: `elsewhere`.
        """
        return elsewhere(self.api_url, settings)

    def sign_in(self, settings: Mapping[str, str]) -> OAuth | None:
        """How one signs in, for the settings of a connection."""
        if self.oauth is None or not settings.get("address"):
            return self.oauth
        return replace(
            self.oauth,
            authorize_url=elsewhere(self.oauth.authorize_url, settings),
            token_url=elsewhere(self.oauth.token_url, settings),
        )

    def sign(self, headers: dict[str, str], http: Http) -> None:
        """Add what proves who asks, and what every request needs, to the headers of a request: the token of the sign-in."""
        headers["Authorization"] = f"Bearer {http.secret('access_token')}"

    @abstractmethod
    def identify(self, http: Http) -> Identity:
        """Ask whose account it is: the test of a connection."""

    @abstractmethod
    def read(self, object: Object, ask: Ask, http: Http) -> Page:
        """One page of a sweep.

        Nothing that was there all the time may be left out, whatever changes while paging: ask by a key that only grows
        (modified, id) where the vendor sorts; one that pages by number must notice that something moved.
        """

    def columns(self, object: Object, http: Http) -> Sequence[Column]:
        """The columns of an object with those that only this customer has. Where nothing can be asked: the known ones."""
        return object.columns

    def words(self, object: Object, http: Http) -> Mapping[str, Sequence[Word]]:
        """By field: the words that this customer's records use for it, such as the names of stages."""
        return {}

    def fetch(self, object: Object, external_ids: Sequence[str], http: Http, columns: Sequence[str] = ()) -> list[Raw]:
        """The records of these ids as they are now, at most a hundred; those that are gone come as deleted.

        Raises NotImplementedError where the vendor cannot be asked for single records.
        """
        raise NotImplementedError

    def deletions(self, object: Object, ask: Ask, http: Http) -> Page | None:
        """One page of what was deleted or merged since, where that is asked for apart from the sweep; None: never."""
        return None

    def ids(self, object: Object, ask: Ask, http: Http) -> Page:
        """One page of a census: every record with its version, for reconciling. Payloads may be empty."""
        return self.read(object, ask, http)

    def write(
        self,
        object: Object,
        external_id: str,
        values: Mapping[str, Any],
        http: Http,
        *,
        key: str,
        base: Mapping[str, Any],
    ) -> Written:
        """Write columns of a record. `values` by path, as plain JSON in the vendor's own spelling (`spell`); `key` is the
        same for each attempt at one change; `base` is the payload as it was last seen. Raises Fault CHANGED when somebody
        else was faster."""
        raise NotImplementedError

    def spell(self, column: Column, value: Any) -> Any:
        """A portal value (text, Decimal in major units, date, None) as the vendor writes it."""
        if isinstance(value, Decimal):
            return format(value, "f")
        if hasattr(value, "isoformat"):
            return value.isoformat()
        return value

    def verdict(self, reply: Reply) -> Verdict | None:
        """What a reply means that is not good; None for a good one."""
        usual = kind_of(reply.status)
        if usual is None:
            return None
        said = said_in(reply, self.said)
        return self.meant(reply, said) or Verdict(self.codes.get(said.code, usual), said.words)

    def said(self, told: Any) -> Said:
        """Words and code of an error reply, from its JSON. One of another form than the vendor's may raise what reading it
        so raises (`said_in`)."""
        return Said()

    def meant(self, reply: Reply, said: Said) -> Verdict | None:
        """What an error reply means that neither its status nor its code says; None: just what they say."""
        return None

    def proof(self, delivery: Delivery, secrets: Mapping[str, Sequence[str]]) -> proofs.Verdict:
        """Check a webhook delivery. `secrets`: the valid values by credential name, newest first."""
        return proofs.CHECKS[self.hook_scheme](delivery, secrets.get(self.hook_credential, ()))

    def answer(self, delivery: Delivery, secrets: Mapping[str, Sequence[str]]) -> proofs.Answer | None:
        """The answer to a question whether the address is ours; None for a delivery that asks no such thing."""
        ask = proofs.QUESTIONS.get(self.hook_scheme)
        return ask(delivery, secrets.get(self.hook_credential, ())) if ask else None

    def events(self, body: bytes, headers: Mapping[str, str]) -> list[Event]:
        """What a proven delivery tells. Raises `pushes.Unreadable` for a body of another form than the vendor's."""
        codes = {each.code.lower(): each.code for each in self.objects}
        return [
            Event(
                key=told.key,
                object=(code := self.hook_words.get(told.object) or codes.get(told.object.lower(), "")),
                external_id=told.external_id,
                occurred_at=told.occurred_at,
                is_deleted=told.is_deleted,
                merged_into=told.merged_into,
                raw=self.pushed(code, told) if code and told.record is not None else None,
                account_id=told.account_id,
            )
            for told in pushes.READERS[self.hook_scheme](body, headers)
        ]

    def pushed(self, object: str, told: pushes.Pushed) -> Raw | None:
        """The row of a record that an event carries, where it has the same form and version as in a sweep; None: it is
        fetched."""
        return None

    def link(self, object: Object, external_id: str, settings: Mapping[str, str]) -> str:
        """The record's page at the vendor; "" where there is none."""
        return object.link.format(id=external_id, base=self.base(settings), **settings) if object.link else ""


def elsewhere(url: str, settings: Mapping[str, str]) -> str:
    """An address of the vendor, at the connection's `address` where that is set: the path stays."""
    address = settings.get("address", "").rstrip("/")
    if not address:
        return url
    _scheme, _, rest = url.partition("://")
    _host, slash, path = rest.partition("/")
    return f"{address}{slash}{path}"


def basic(user: str, password: str = "") -> str:
    """What stands in the header Authorization for HTTP Basic."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def zone_of(name: Any) -> str:
    """A time zone that a vendor names, where it is known here; "" for any other, so that the company's own is used."""
    try:
        return ZoneInfo(str(name or "")).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""


def endless(where: str) -> Fault:
    """The fault of pages that do not end."""
    return Fault(
        FaultKind.ENDLESS,
        Problem.of(
            "endless",
            _("The pages of %(object)s do not end: the same page was given twice."),
            remedy=_("Nothing was lost. It is tried again; when it comes back, tell the vendor."),
            object=where,
        ),
    )


def overtaken(vendor: str, names: Iterable[str]) -> Fault:
    """The fault of a write to columns that somebody else has changed since they were read."""
    return Fault(
        FaultKind.CHANGED,
        Problem.of(
            "vendor-changed",
            _("It was changed at %(vendor)s in the meantime (%(words)s)."),
            remedy=_("The change there is brought in first."),
            vendor=vendor,
            words=", ".join(names),
        ),
    )
