"""What can be imported: the kinds of records, their fields, the words headers use for them, and what names a record."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from salesops.values.outcomes import gettext_noop as _


class FieldType(StrEnum):
    """How the text of a field is read."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    EMAIL = "email"
    INTEGER = "integer"
    MONEY = "money"
    NUMBER = "number"
    RATE = "rate"
    DATE = "date"
    MOMENT = "moment"
    PERIOD = "period"
    CURRENCY = "currency"
    CHOICE = "choice"
    LOOKUP = "lookup"


NUMERIC: Final = frozenset({FieldType.INTEGER, FieldType.NUMBER, FieldType.MONEY, FieldType.RATE})


class LookupKind(StrEnum):
    """What a lookup finds: a record that is known to the portal."""

    PERSON = "person"
    ACCOUNT = "account"
    CONTACT = "contact"
    PRODUCT = "product"
    STAGE = "stage"
    POD = "pod"
    TERRITORY = "territory"
    SEGMENT = "segment"
    LEAD = "lead"
    DEAL = "deal"
    PLAN = "plan"


# By what a lookup may find its record; "any" tries them all and refuses to choose between two different ones.
ANY_KEY: Final = "any"
LOOKUP_KEYS: Final[dict[LookupKind, tuple[str, ...]]] = {
    LookupKind.PERSON: ("name", "email", "employee_number", "external_id"),
    LookupKind.ACCOUNT: ("name", "external_id", "email", "phone"),
    LookupKind.CONTACT: ("email", "name", "external_id", "phone"),
    LookupKind.PRODUCT: ("name", "code", "external_id"),
    LookupKind.STAGE: ("name", "code"),
    LookupKind.POD: ("name",),
    LookupKind.TERRITORY: ("code", "name"),
    LookupKind.SEGMENT: ("name", "code"),
    LookupKind.LEAD: ("email", "name", "external_id", "phone"),
    LookupKind.DEAL: ("name", "external_id"),
    LookupKind.PLAN: ("name",),
}
LOOKUP_KEY_LABELS: Final = {
    ANY_KEY: _("Any of its keys"),
    "name": _("Name"),
    "email": _("E-mail"),
    "phone": _("Telephone number"),
    "employee_number": _("Employee number"),
    "external_id": _("Id in the source"),
    "code": _("Code"),
}
# What can be made from its name alone when a file names one that is not there.
CREATABLE: Final = frozenset({LookupKind.ACCOUNT, LookupKind.PRODUCT, LookupKind.POD, LookupKind.TERRITORY})


@dataclass(frozen=True)
class Choice:
    """One value of a fixed list, and the words files use for it."""

    code: str
    label: str
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Field:
    """One field of a kind.

    label: plain English, to be translated where it is shown.
    synonyms: headers that mean this field, in any spelling of case, spaces and underscores.
    is_needed_to_create: a record can be changed without it, but not made.
    is_deferred: it points at a record of the same kind, so it can only be filled when all rows are in.
    max_length: most characters of a text.
    """

    code: str
    label: str
    type: FieldType
    synonyms: tuple[str, ...] = ()
    is_required: bool = False
    lookup: LookupKind | None = None
    choices: tuple[Choice, ...] = ()
    is_deferred: bool = False
    max_length: int = 200
    is_needed_to_create: bool = False

    @property
    def target(self) -> str:
        """The name of the value in a canonical record: money is kept as `<code>_minor`."""
        return f"{self.code}_minor" if self.type is FieldType.MONEY else self.code


@dataclass(frozen=True)
class Kind:
    """A kind of record that files can bring.

    needs: each entry is satisfied by any one of its alternatives, an alternative by all of its fields.
    identities: by what a record is found again, the first that the mapping can fill; a file imported twice changes
        nothing because of it.
    names: words in file names that speak for this kind.
    is_for_files: whether files bring it too; else only sources that are kept in step.
    """

    code: str
    label: str
    fields: tuple[Field, ...]
    needs: tuple[tuple[tuple[str, ...], ...], ...]
    identities: tuple[tuple[str, ...], ...]
    names: tuple[str, ...] = ()
    is_for_files: bool = True

    def field(self, code: str) -> Field | None:
        """The field of that code, or None."""
        return _FIELDS_OF[self.code].get(code)


_FUNCTIONS: Final = (
    Choice("mdr", _("MDR · market development"), ("market development representative", "market development")),
    Choice("sdr", _("SDR · sales development"), ("sales development representative", "sales development")),
    Choice("adr", _("ADR · account development"), ("bdr", "account development representative", "account development")),
    Choice(
        "ae", _("AE · account executive"), ("account executive", "sales representative", "sales rep", "salesperson")
    ),
    Choice("kam", _("KAM · key account manager"), ("key account manager", "key account", "account manager")),
    Choice("onb", _("ONB · onboarding"), ("onboarding", "onboarding manager", "implementation")),
    Choice("csm", _("CSM · customer success"), ("customer success manager", "customer success")),
)
_ROLES: Final = (
    Choice("rep", _("Rep"), ("sales representative", "sales rep", "representative", "agent", "user")),
    Choice("manager", _("Manager"), ("sales manager", "team lead", "director", "vice president of sales")),
    Choice("revops", _("Revenue operations"), ("revenue operations", "sales operations", "operations")),
    Choice("finance", _("Finance"), ("controller", "accounting", "payroll")),
    Choice("executive", _("Executive"), ("ceo", "cro", "board")),
    Choice("admin", _("Administrator"), ("administrator",)),
)
_ACCOUNT_STATUSES: Final = (
    Choice("prospect", _("Prospect"), ("target", "lead")),
    Choice("customer", _("Customer"), ("client", "active")),
    Choice("former", _("Former customer"), ("churned", "lost", "inactive")),
)
_LEAD_STATUSES: Final = (
    Choice("new", _("New"), ("open", "open - not contacted", "untouched")),
    Choice("working", _("Working"), ("contacted", "working - contacted", "in progress", "attempted to contact")),
    Choice("qualified", _("Qualified"), ("sql", "sales qualified")),
    Choice("nurturing", _("Nurturing"), ("nurture",)),
    Choice("converted", _("Converted"), ("closed - converted",)),
    Choice("disqualified", _("Disqualified"), ("unqualified", "closed - not converted", "junk")),
)
_LEAD_ORIGINS: Final = (
    Choice("inbound", _("Inbound"), ("web", "website", "web form", "organic", "chat")),
    Choice("outbound", _("Outbound"), ("cold call", "prospecting", "purchased list")),
    Choice("event", _("Event"), ("trade show", "conference", "webinar")),
    Choice("partner", _("Partner"), ("reseller",)),
    Choice("referral", _("Referral"), ("employee referral", "customer referral", "word of mouth")),
    Choice("import", _("Imported"), ("other",)),
)
_TRANSACTION_KINDS: Final = (
    Choice("booking", _("Booking"), ("order", "sale", "new business", "new")),
    Choice("renewal", _("Renewal"), ("renewed",)),
    Choice("expansion", _("Expansion"), ("upsell", "up-sell", "cross-sell", "upgrade")),
    Choice("contraction", _("Contraction"), ("downsell", "down-sell", "downgrade")),
    Choice("cancellation", _("Cancellation"), ("churn", "cancelled", "canceled")),
    Choice("invoice", _("Invoice"), ("invoiced", "billing")),
    Choice("payment", _("Payment received"), ("paid", "receipt", "cash")),
    Choice("refund", _("Refund"), ("refunded", "return", "chargeback")),
    Choice("credit_note", _("Credit note"), ("credit memo", "credit")),
    Choice("usage", _("Usage"), ("consumption", "overage")),
    Choice("pipeline", _("Accepted pipeline"), ("sql", "sao", "accepted opportunity")),
    Choice("meeting", _("Meeting held"), ("meeting", "demo", "demo held")),
    Choice("objective", _("Objective reached"), ("mbo", "milestone")),
    Choice("adjustment", _("Adjustment"), ("correction",)),
)

_ACTIVITY_KINDS: Final = (
    Choice("call", _("Call"), ("phone call", "phone", "inbound call", "outbound call")),
    Choice("mail", _("Mail"), ("email", "e-mail", "incoming email", "outgoing email")),
    Choice("meeting", _("Meeting"), ("appointment", "event", "demo")),
    Choice("note", _("Note"), ("comment",)),
    Choice("task", _("Task"), ("to do", "todo", "follow up")),
)
_OUTCOMES: Final = (
    Choice("reached", _("Reached"), ("connected", "answered", "completed", "answer")),
    Choice("no_answer", _("No answer"), ("missed", "busy", "unanswered", "no-answer", "not reached")),
    Choice("left_message", _("Left a message"), ("voicemail", "left voicemail", "left live message")),
    Choice("held", _("Held"), ("took place", "attended")),
    Choice("no_show", _("Did not show up"), ("no show", "no-show")),
    Choice("replied", _("Replied"), ("reply", "answered mail")),
)
_CONSENTS: Final = (
    Choice(
        "given", _("Consent given"), ("given", "opted in", "opt-in", "opt in", "subscribed", "consented", "granted")
    ),
    Choice(
        "refused",
        _("Refused to be contacted"),
        ("refused", "opted out", "opt-out", "opt out", "unsubscribed", "do not contact", "denied"),
    ),
    Choice("unknown", _("Not known"), ("unknown", "not asked", "pending", "none")),
)
_DIRECTIONS: Final = (
    Choice("inbound", _("From them"), ("incoming", "in", "received")),
    Choice("outbound", _("To them"), ("outgoing", "out", "sent")),
)
_YES_NO: Final = (
    Choice("yes", _("Yes"), ("true", "1", "y", "overlay")),
    Choice("no", _("No"), ("false", "0", "n", "revenue")),
)


def _text(code: str, label: str, *synonyms: str, required: bool = False, most: int = 200) -> Field:
    return Field(code, label, FieldType.TEXT, synonyms, is_required=required, max_length=most)


def _typed(code: str, label: str, kind: FieldType, *synonyms: str, required: bool = False) -> Field:
    return Field(code, label, kind, synonyms, is_required=required)


def _lookup(
    code: str, label: str, kind: LookupKind, *synonyms: str, required: bool = False, deferred: bool = False
) -> Field:
    return Field(code, label, FieldType.LOOKUP, synonyms, is_required=required, lookup=kind, is_deferred=deferred)


def _external_id(*synonyms: str) -> Field:
    return _text("external_id", _("Id in the source"), "id", "external id", "record id", *synonyms, most=80)


def _currency() -> Field:
    return _typed(
        "currency", _("Currency"), FieldType.CURRENCY, "currency code", "currency iso code", "ccy", "币种", "幣別"
    )


def _start_on(*synonyms: str, required: bool = True) -> Field:
    return _typed(
        "start_on",
        _("From"),
        FieldType.DATE,
        *synonyms,
        "start date",
        "start",
        "from",
        "from date",
        "valid from",
        "effective date",
        "effective from",
        "begin date",
        required=required,
    )


def _end_on() -> Field:
    return _typed(
        "end_on",
        _("Until (first day on which it no longer holds)"),
        FieldType.DATE,
        "end date",
        "end",
        "until",
        "to",
        "to date",
        "valid to",
        "effective to",
    )


PERSON_WORDS: Final = (
    "person",
    "person id",
    "employee",
    "employee id",
    "employee key",
    "employee number",
    "sales person",
    "salesperson",
    "sales rep",
    "rep",
    "representative",
    "sales agent",
    "agent",
    "user",
    "e-mail",
    "email",
    "owner",
    "人员",
    "员工",
    "銷售人員",
    "销售人员",
)

PEOPLE: Final = Kind(
    "people",
    _("People"),
    (
        Field(
            "email",
            _("E-mail"),
            FieldType.EMAIL,
            ("email address", "e-mail", "mail", "work email", "邮箱", "電郵"),
            is_needed_to_create=True,
        ),
        _text(
            "name",
            _("Name"),
            "full name",
            "employee name",
            "sales agent",
            "sales rep",
            "salesperson",
            "agent",
            "姓名",
            most=120,
        ),
        _text("first_name", _("First name"), "given name", "forename", "名", most=60),
        _text("last_name", _("Last name"), "surname", "family name", "姓", most=60),
        _text(
            "employee_number",
            _("Employee number"),
            "employee no",
            "employee key",
            "employee id",
            "staff number",
            "personnel number",
            "工号",
            most=40,
        ),
        _text("external_id", _("Id in the source"), "external id", "person id", "user id", "owner id", "id", most=80),
        _text("payroll_number", _("Payroll number"), "payroll id", "payroll no", most=40),
        _text("title", _("Title"), "job title", "position", "职位", "職稱", most=120),
        _lookup(
            "manager",
            _("Manager"),
            LookupKind.PERSON,
            "manager name",
            "manager email",
            "manager id",
            "manager employee key",
            "reports to",
            "supervisor",
            "line manager",
            "经理",
            "主管",
            deferred=True,
        ),
        Field("function", _("Job function"), FieldType.CHOICE, ("function", "sales function"), choices=_FUNCTIONS),
        Field("role", _("Role"), FieldType.CHOICE, ("role", "portal role", "access role"), choices=_ROLES),
        _typed(
            "started_on",
            _("First day"),
            FieldType.DATE,
            "hire date",
            "hired on",
            "start date",
            "started on",
            "joined on",
            "join date",
            "date of hire",
            "入职日期",
        ),
        _typed(
            "left_on",
            _("Left on"),
            FieldType.DATE,
            "end date",
            "termination date",
            "leave date",
            "left on",
            "last day",
            "离职日期",
        ),
        _lookup("pod", _("Pod"), LookupKind.POD, "team", "sales team", "office", "regional office"),
    ),
    needs=((("name",), ("first_name", "last_name")),),
    identities=(("external_id",), ("employee_number",), ("email",), ("name",)),
    names=("people", "employees", "employee", "staff", "users", "agents", "team", "teams"),
)

TERRITORIES: Final = Kind(
    "territories",
    _("Territories"),
    (
        _text("code", _("Code"), "territory id", "territory code", "territory key", "id", required=True, most=40),
        _text("name", _("Name"), "territory", "territory name", required=True, most=80),
        _text("country", _("Country"), "country code", "country region", "国家", most=80),
        _text("region", _("Region"), "group", "area", "regional office", "区域", most=80),
    ),
    needs=(),
    identities=(("code",),),
    names=("territory", "territories", "regions"),
)

TERRITORY_ASSIGNMENTS: Final = Kind(
    "territory_assignments",
    _("People in territories"),
    (
        _lookup("person", _("Person"), LookupKind.PERSON, *PERSON_WORDS, required=True),
        _lookup(
            "territory",
            _("Territory"),
            LookupKind.TERRITORY,
            "territory id",
            "territory name",
            "territory code",
            required=True,
        ),
        _start_on(),
        _end_on(),
    ),
    needs=(),
    identities=(("person", "territory", "start_on"),),
    names=("territory_history", "territory history", "territory assignments", "territory members"),
)

PODS: Final = Kind(
    "pods",
    _("Pods"),
    (
        _text("name", _("Name"), "pod", "pod name", "team", "team name", required=True, most=80),
        _lookup("segment", _("Segment"), LookupKind.SEGMENT, "market segment"),
        _typed("opened_on", _("Opened on"), FieldType.DATE, "start date", "since", required=True),
    ),
    needs=(),
    identities=(("name",),),
    names=("pods", "teams"),
)

POD_MEMBERSHIPS: Final = Kind(
    "pod_memberships",
    _("People in pods"),
    (
        _lookup("person", _("Person"), LookupKind.PERSON, *PERSON_WORDS, required=True),
        _lookup(
            "pod", _("Pod"), LookupKind.POD, "pod name", "team", "team name", "regional office", "office", required=True
        ),
        Field("function", _("Job function"), FieldType.CHOICE, ("function", "role in pod"), True, choices=_FUNCTIONS),
        _start_on(),
        _end_on(),
    ),
    needs=(),
    identities=(("person", "start_on"),),
    names=("pod members", "pod memberships", "team members", "sales teams"),
)

QUOTAS: Final = Kind(
    "quotas",
    _("Quotas"),
    (
        _lookup("person", _("Person"), LookupKind.PERSON, *PERSON_WORDS, required=True),
        _typed(
            "period",
            _("Period"),
            FieldType.PERIOD,
            "quarter",
            "month",
            "quota date",
            "quota period",
            "date",
            "period start",
            "期间",
            "季度",
            required=True,
        ),
        _typed(
            "amount",
            _("Quota"),
            FieldType.MONEY,
            "sales quota",
            "quota amount",
            "target",
            "sales target",
            "amount",
            "配额",
            "目标",
            required=True,
        ),
        _currency(),
        _text("measure", _("Measure"), "quota measure", "metric", most=40),
    ),
    needs=(),
    identities=(("person", "period", "measure"), ("person", "period")),
    names=("quota", "quotas", "quota_history", "targets"),
)

COMMISSION_RATES: Final = Kind(
    "commission_rates",
    _("People on plans, with their rates"),
    (
        _lookup("person", _("Person"), LookupKind.PERSON, *PERSON_WORDS, required=True),
        _lookup("plan", _("Plan"), LookupKind.PLAN, "plan name", "commission plan", "compensation plan", required=True),
        _typed(
            "rate",
            _("Personal rate"),
            FieldType.RATE,
            "commission pct",
            "commission percent",
            "commission rate",
            "commission",
            "rate",
            "佣金比例",
            "提成",
        ),
        _typed("target_pay", _("Target pay of a period"), FieldType.MONEY, "target variable", "variable pay"),
        _currency(),
        _start_on(),
        _end_on(),
    ),
    needs=((("rate",), ("target_pay",)),),
    identities=(("person", "plan", "start_on"),),
    names=("sales_person", "sales person", "commission", "commission rates", "rates", "compensation"),
)

ACCOUNTS: Final = Kind(
    "accounts",
    _("Accounts"),
    (
        _text(
            "name",
            _("Name"),
            "account",
            "account name",
            "company",
            "company name",
            "customer",
            "customer name",
            "reseller",
            "organization",
            "公司",
            "公司名称",
            "客户",
            "客户名称",
            required=True,
        ),
        _external_id("account id", "account key", "company id", "customer id", "customer key", "reseller key"),
        _lookup(
            "parent",
            _("Parent"),
            LookupKind.ACCOUNT,
            "parent account",
            "subsidiary of",
            "parent company",
            "母公司",
            deferred=True,
        ),
        Field(
            "status", _("Status"), FieldType.CHOICE, ("account status", "customer status"), choices=_ACCOUNT_STATUSES
        ),
        _text("industry", _("Industry"), "sector", "business type", "vertical", "行业", "行業", most=80),
        _text("country", _("Country"), "office location", "billing country", "country region", "国家", most=80),
        _text("city", _("City"), "town", "billing city", "城市", most=80),
        _text("website", _("Website"), "web site", "url", "domain", "homepage", "网站"),
        _typed(
            "employees",
            _("Employees"),
            FieldType.INTEGER,
            "number of employees",
            "employee count",
            "headcount",
            "员工人数",
        ),
        _typed("revenue", _("Annual revenue"), FieldType.MONEY, "annual revenue", "turnover", "营业额"),
        _currency(),
        _typed("founded_year", _("Founded"), FieldType.INTEGER, "year established", "year founded", "founded"),
        _lookup("owner", _("Owner"), LookupKind.PERSON, "account owner", "owner name", "account manager", "负责人"),
        _lookup("segment", _("Segment"), LookupKind.SEGMENT, "market segment"),
        _lookup("territory", _("Territory"), LookupKind.TERRITORY, "territory id", "territory name"),
    ),
    needs=(),
    identities=(("external_id",), ("name",)),
    names=("accounts", "account", "companies", "customers", "resellers"),
)

CONTACTS: Final = Kind(
    "contacts",
    _("Contacts"),
    (
        _text("name", _("Name"), "contact", "contact name", "full name", "联系人", most=120),
        _text("first_name", _("First name"), "given name", "名", most=60),
        _text("last_name", _("Last name"), "surname", "姓", most=60),
        _lookup(
            "account",
            _("Account"),
            LookupKind.ACCOUNT,
            "account name",
            "account id",
            "company",
            "company name",
            "customer",
            "公司",
            required=True,
        ),
        _text("title", _("Title"), "job title", "position", "职位", most=120),
        _typed("email", _("E-mail"), FieldType.EMAIL, "email address", "e-mail", "mail", "邮箱"),
        _text("phone", _("Phone"), "telephone", "phone number", "mobile", "电话", most=40),
        Field(
            "consent",
            _("May be contacted"),
            FieldType.CHOICE,
            ("consent", "opt-in status", "marketing consent"),
            choices=_CONSENTS,
        ),
        _external_id("contact id", "contact key"),
    ),
    needs=((("name",), ("first_name", "last_name")),),
    identities=(("external_id",), ("email",), ("name", "account")),
    names=("contacts", "contact"),
)

LEADS: Final = Kind(
    "leads",
    _("Leads"),
    (
        _text("name", _("Name"), "lead", "lead name", "contact", "full name", "contact name", "线索", most=120),
        _text("first_name", _("First name"), "given name", "名", most=60),
        _text("last_name", _("Last name"), "surname", "姓", most=60),
        _text("company", _("Company"), "company name", "account", "organization", "公司"),
        _text("title", _("Title"), "job title", "position", most=120),
        _typed("email", _("E-mail"), FieldType.EMAIL, "email address", "e-mail", "mail", "邮箱"),
        _text("phone", _("Phone"), "telephone", "phone number", "mobile", "电话", most=40),
        _text("country", _("Country"), "国家", most=80),
        _typed("employees", _("Employees"), FieldType.INTEGER, "number of employees", "employee count"),
        Field("origin", _("Origin"), FieldType.CHOICE, ("lead source", "source", "来源"), choices=_LEAD_ORIGINS),
        _text("campaign", _("Campaign"), "campaign name", "utm campaign", most=80),
        Field("status", _("Status"), FieldType.CHOICE, ("lead status", "状态"), choices=_LEAD_STATUSES),
        Field(
            "consent",
            _("May be contacted"),
            FieldType.CHOICE,
            ("consent", "opt-in status", "marketing consent"),
            choices=_CONSENTS,
        ),
        _text("disqualified_because", _("Disqualified because"), "disqualification reason"),
        _lookup("owner", _("Owner"), LookupKind.PERSON, "lead owner", "owner name", "assigned to", "负责人"),
        _lookup("account", _("Account"), LookupKind.ACCOUNT, "matched account", "account id"),
        _typed(
            "estimated",
            _("Estimated value"),
            FieldType.MONEY,
            "value",
            "expected revenue",
            "lead value",
            "potential value",
        ),
        _currency(),
        _typed("created_on", _("Created on"), FieldType.DATE, "created", "create date", "created date", "创建日期"),
        _external_id("lead id", "lead key"),
        Field("note", _("Note"), FieldType.LONG_TEXT, ("notes", "description", "comments", "备注"), max_length=5_000),
    ),
    needs=((("name",), ("first_name", "last_name")),),
    identities=(("external_id",), ("email",), ("name", "company")),
    names=("leads", "lead"),
)

PRODUCTS: Final = Kind(
    "products",
    _("Products"),
    (
        _text("name", _("Name"), "product", "product name", "产品", "产品名称", required=True, most=120),
        _text("code", _("Code"), "product code", "sku", "product id", "product key", "item number", most=60),
        _text("series", _("Series"), "product series", "family", "product family", "category", "系列", most=60),
        _typed("price", _("List price"), FieldType.MONEY, "sales price", "unit price", "list price", "价格"),
        _currency(),
    ),
    needs=(),
    identities=(("code",), ("name",)),
    names=("products", "product", "price list"),
)

DEALS: Final = Kind(
    "deals",
    _("Deals"),
    (
        _external_id(
            "deal id", "opportunity id", "opportunity key", "order number", "order id", "deal key", "商机编号", "订单号"
        ),
        Field(
            "name",
            _("Name"),
            FieldType.TEXT,
            ("deal", "deal name", "opportunity", "opportunity name", "商机", "商机名称"),
            is_needed_to_create=True,
        ),
        _lookup(
            "account",
            _("Account"),
            LookupKind.ACCOUNT,
            "account name",
            "account id",
            "company",
            "company name",
            "customer",
            "reseller key",
            "reseller",
            "客户",
            "公司",
        ),
        _lookup(
            "owner",
            _("Owner"),
            LookupKind.PERSON,
            "deal owner",
            "opportunity owner",
            "owner name",
            "sales agent",
            "sales rep",
            "salesperson",
            "sales person",
            "agent",
            "employee key",
            "负责人",
            "销售",
        ),
        _lookup("product", _("Product"), LookupKind.PRODUCT, "product name", "product code", "sku", "产品"),
        _lookup("stage", _("Stage"), LookupKind.STAGE, "deal stage", "stage name", "sales stage", "阶段", "階段"),
        _typed(
            "amount",
            _("Amount"),
            FieldType.MONEY,
            "close value",
            "deal amount",
            "deal value",
            "value",
            "contract value",
            "net value",
            "total value",
            "total",
            "order amount",
            "order value",
            "金额",
            "金額",
        ),
        _currency(),
        _typed(
            "opened_on",
            _("Opened on"),
            FieldType.DATE,
            "engage date",
            "create date",
            "created date",
            "created",
            "open date",
            "order date",
            "创建日期",
        ),
        _typed(
            "expected_close_on",
            _("Expected close"),
            FieldType.DATE,
            "expected close date",
            "forecast date",
            "estimated close date",
            "预计成交日期",
        ),
        _typed(
            "closed_on",
            _("Closed on"),
            FieldType.DATE,
            "close date",
            "closed date",
            "closing date",
            "won date",
            "成交日期",
        ),
        _typed(
            "term_months",
            _("Term in months"),
            FieldType.INTEGER,
            "term",
            "contract term",
            "contract months",
            "contract length",
        ),
        _lookup("contact", _("Contact"), LookupKind.CONTACT, "primary contact", "contact id", "buyer"),
        _lookup("lead", _("Lead"), LookupKind.LEAD, "lead id", "converted from"),
        _lookup("pod", _("Pod"), LookupKind.POD, "team", "sales team"),
        _text("lost_because", _("Lost because"), "loss reason", "lost reason", "closed lost reason"),
        _text("next_step", _("Next step"), "next steps"),
        Field("note", _("Note"), FieldType.LONG_TEXT, ("notes", "description", "comments", "备注"), max_length=5_000),
    ),
    needs=((("external_id",),),),
    identities=(("external_id",),),
    names=("deals", "deal", "opportunities", "pipeline", "sales_pipeline", "orders", "reseller_orders"),
)

TRANSACTIONS: Final = Kind(
    "transactions",
    _("Transactions"),
    (
        _text(
            "source_key",
            _("Source key"),
            "transaction id",
            "transaction key",
            "transaction number",
            "transaction",
            "id",
            "external id",
            "invoice number",
            "invoice id",
            "document number",
            required=True,
            most=120,
        ),
        Field(
            "kind",
            _("What happened"),
            FieldType.CHOICE,
            ("kind", "type", "transaction type", "transaction kind", "event"),
            choices=_TRANSACTION_KINDS,
        ),
        _typed(
            "effective_on",
            _("Day that counts"),
            FieldType.DATE,
            "day",
            "date",
            "effective date",
            "transaction date",
            "booking date",
            "invoice date",
            "posting date",
            required=True,
        ),
        _typed(
            "amount",
            _("Amount"),
            FieldType.MONEY,
            "value",
            "transaction amount",
            "invoice amount",
            "net amount",
            "total",
            "金额",
            required=True,
        ),
        _currency(),
        _typed("quantity", _("Quantity"), FieldType.INTEGER, "qty", "units", "seats", "count"),
        _lookup("account", _("Account"), LookupKind.ACCOUNT, "account name", "customer", "customer name", "company"),
        _lookup("deal", _("Deal"), LookupKind.DEAL, "deal name", "deal id", "opportunity", "opportunity id"),
        _lookup("product", _("Product"), LookupKind.PRODUCT, "product name", "product code", "sku"),
        _lookup("credited_to", _("Credited to"), LookupKind.PERSON, "credited person", "credit to", *PERSON_WORDS),
        _text(
            "reverses",
            _("Takes back (source key)"),
            "reverses",
            "reversal of",
            "refund of",
            "refunds",
            "credit of",
            "original transaction",
            "original id",
            most=120,
        ),
        _typed("term_months", _("Term in months"), FieldType.INTEGER, "term", "contract term", "contract months"),
    ),
    needs=((("account",), ("deal",), ("credited_to",), ("reverses",)),),
    identities=(("source_key",),),
    names=("transactions", "transaction", "invoices", "payments", "refunds", "renewals", "usage"),
)

_OF_A_DEAL: Final = ("deal id", "deal name", "opportunity", "opportunity id", "order", "order number")

OWNERS: Final = Kind(
    "owners",
    _("Owners"),
    (
        _external_id("owner id", "user id"),
        _typed("email", _("E-mail"), FieldType.EMAIL, "email address", "e-mail", "mail"),
        _text("name", _("Name"), "full name", most=120),
        _text("first_name", _("First name"), "given name", most=60),
        _text("last_name", _("Last name"), "surname", most=60),
    ),
    needs=((("email",), ("name",), ("first_name", "last_name")),),
    identities=(("external_id",), ("email",)),
    is_for_files=False,
)

DEAL_LINES: Final = Kind(
    "deal_lines",
    _("Lines of deals"),
    (
        _external_id("line id", "line item id", "item id"),
        _lookup("deal", _("Deal"), LookupKind.DEAL, *_OF_A_DEAL, required=True),
        _lookup(
            "product", _("Product"), LookupKind.PRODUCT, "product name", "product code", "product id", "sku", "item"
        ),
        _typed("quantity", _("Quantity"), FieldType.NUMBER, "qty", "units", "seats", "licences"),
        _typed("unit_price", _("Unit price"), FieldType.MONEY, "price", "sales price", "price each"),
        _typed("discount", _("Discount"), FieldType.RATE, "discount percent", "discount pct", "discount percentage"),
        _typed(
            "amount", _("Amount"), FieldType.MONEY, "total", "line total", "total price", "net amount", "line amount"
        ),
        _currency(),
        _text("note", _("Note"), "line description", "description"),
    ),
    needs=((("external_id",),),),
    identities=(("external_id",),),
    names=("deal lines", "line items", "order lines", "opportunity products", "opportunity line items"),
)

DEAL_SPLITS: Final = Kind(
    "deal_splits",
    _("Shares in deals"),
    (
        _external_id("split id", "share id"),
        _lookup("deal", _("Deal"), LookupKind.DEAL, *_OF_A_DEAL, required=True),
        _lookup("person", _("Person"), LookupKind.PERSON, *PERSON_WORDS, required=True),
        _typed(
            "share",
            _("Share"),
            FieldType.RATE,
            "split",
            "split percentage",
            "split percent",
            "percentage",
            required=True,
        ),
        Field("function", _("Job function"), FieldType.CHOICE, ("split role",), choices=_FUNCTIONS),
        Field("overlay", _("On top"), FieldType.CHOICE, ("is overlay", "split type"), choices=_YES_NO),
    ),
    needs=(),
    identities=(("external_id",), ("deal", "person")),
    names=("deal splits", "splits", "opportunity splits", "deal shares"),
)

STAGE_CHANGES: Final = Kind(
    "stage_changes",
    _("Stage changes of deals"),
    (
        _external_id("change id", "history id"),
        _lookup("deal", _("Deal"), LookupKind.DEAL, *_OF_A_DEAL, required=True),
        _lookup("from_stage", _("From stage"), LookupKind.STAGE, "old stage", "previous stage", "old value"),
        _lookup("to_stage", _("To stage"), LookupKind.STAGE, "new stage", "new value", required=True),
        _typed("changed_at", _("Changed at"), FieldType.MOMENT, "change date", "last modified date", required=True),
        _lookup("changed_by", _("Changed by"), LookupKind.PERSON, "last modified by"),
        _typed("amount", _("Amount then"), FieldType.MONEY, "amount at the time"),
        _currency(),
    ),
    needs=((("external_id",),),),
    identities=(("external_id",),),
    names=("stage changes", "stage history", "opportunity history", "deal history"),
)

ACTIVITIES: Final = Kind(
    "activities",
    _("Activities"),
    (
        _external_id("activity id", "call id", "engagement id"),
        Field("kind", _("Kind"), FieldType.CHOICE, ("activity type", "task type"), choices=_ACTIVITY_KINDS),
        _text("subject", _("Subject"), "activity subject", "call title", most=1_000),
        Field("note", _("Note"), FieldType.LONG_TEXT, ("call notes", "comments"), max_length=50_000),
        _lookup("person", _("Person"), LookupKind.PERSON, *PERSON_WORDS, required=True),
        _lookup("lead", _("Lead"), LookupKind.LEAD, "lead id", "lead name"),
        _lookup("deal", _("Deal"), LookupKind.DEAL, "deal id", "deal name", "opportunity id"),
        _lookup("account", _("Account"), LookupKind.ACCOUNT, "account name", "account id", "company"),
        _lookup("contact", _("Contact"), LookupKind.CONTACT, "contact name", "contact id"),
        _typed(
            "happened_at", _("Happened at"), FieldType.MOMENT, "activity date", "call time", "started at", "call start"
        ),
        _typed("due_at", _("Due at"), FieldType.MOMENT, "due date", "task due date"),
        _typed("done_at", _("Done at"), FieldType.MOMENT, "completed at", "completed date"),
        _typed("duration_seconds", _("Seconds"), FieldType.INTEGER, "call duration", "duration", "duration in seconds"),
        Field(
            "outcome", _("Outcome"), FieldType.CHOICE, ("call result", "call disposition", "result"), choices=_OUTCOMES
        ),
        Field("direction", _("Direction"), FieldType.CHOICE, ("call direction", "call type"), choices=_DIRECTIONS),
    ),
    needs=((("external_id",),), (("happened_at",), ("due_at",))),
    identities=(("external_id",),),
    names=("activities", "activity", "calls", "call log", "engagements"),
)

SUBSCRIPTIONS: Final = Kind(
    "subscriptions",
    _("Subscriptions"),
    (
        _external_id("subscription id", "contract id"),
        _lookup("account", _("Account"), LookupKind.ACCOUNT, "account name", "account id", "customer", "customer id"),
        _text("name", _("Name"), "subscription", "subscription name", "plan", most=120),
        _typed("mrr", _("Monthly recurring revenue"), FieldType.MONEY, "monthly revenue", "monthly amount"),
        _currency(),
        _typed("seats", _("Seats"), FieldType.INTEGER, "licences", "licenses"),
        _start_on(required=False),
        _end_on(),
    ),
    needs=((("external_id",),),),
    identities=(("external_id",),),
    names=("subscriptions", "subscription", "contracts"),
)

KINDS: Final[dict[str, Kind]] = {
    kind.code: kind
    for kind in (
        DEALS,
        ACCOUNTS,
        CONTACTS,
        LEADS,
        PRODUCTS,
        PEOPLE,
        PODS,
        POD_MEMBERSHIPS,
        TERRITORIES,
        TERRITORY_ASSIGNMENTS,
        QUOTAS,
        COMMISSION_RATES,
        TRANSACTIONS,
        OWNERS,
        DEAL_LINES,
        DEAL_SPLITS,
        STAGE_CHANGES,
        ACTIVITIES,
        SUBSCRIPTIONS,
    )
}
_FIELDS_OF: Final = {kind.code: {field.code: field for field in kind.fields} for kind in KINDS.values()}
