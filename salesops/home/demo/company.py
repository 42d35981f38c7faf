"""Nordlicht Instruments: its market, pods and people with their history. Pure: the same seed and day give the same company."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from salesops.home.demo import names
from salesops.home.demo.calendar import AHEAD, HISTORY, WorkingTime
from salesops.home.demo.rows import day_of, stream_of

COMPANY_NAME: Final = "Nordlicht Instruments"
MAIL_DOMAIN: Final = "nordlicht.example.com"

#: The three groups of functions between which work is divided.
FRONT, CLOSER, KEEPER = "front", "closer", "keeper"
GROUPS: Final = {"mdr": FRONT, "sdr": FRONT, "adr": FRONT, "ae": CLOSER, "kam": CLOSER, "onb": KEEPER, "csm": KEEPER}


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A part of the market and how selling goes there. Amounts are whole units of currency; times are days."""

    code: str
    name: str
    min_employees: int | None
    max_employees: int | None
    share: float  # of all deals
    amount: float  # the median deal
    spread: float  # sigma of the log-normal
    win_rate: float
    cycle: float  # median from opening to close
    monthly_churn: float
    products: tuple[str, ...]
    lead_value: float


SEGMENTS: Final = (
    SegmentFacts(
        "smb", "Small business", 1, 99, 0.54, 6_400, 0.62, 0.275, 27, 0.016, ("LUM-S", "LUM-M", "POL-1", "CLD-T"), 5_000
    ),
    SegmentFacts(
        "mid",
        "Mid-market",
        100,
        999,
        0.31,
        27_000,
        0.68,
        0.245,
        58,
        0.009,
        ("LUM-M", "POL-1", "POL-2", "CLD-B"),
        22_000,
    ),
    SegmentFacts(
        "enterprise",
        "Enterprise",
        1000,
        None,
        0.15,
        118_000,
        0.78,
        0.215,
        104,
        0.005,
        ("POL-2", "VEG-X", "CLD-E"),
        90_000,
    ),
)


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """Something Nordlicht sells; the price in whole units of currency."""

    code: str
    name: str
    series: str
    price: int
    is_recurring: bool = False
    is_active: bool = True


PRODUCTS: Final = (
    ProductFacts("LUM-S", "Lumen S handheld spectrometer", "Lumen", 1_490),
    ProductFacts("LUM-M", "Lumen M bench spectrometer", "Lumen", 4_350),
    ProductFacts("LUM-1", "Lumen Classic", "Lumen", 2_100, is_active=False),
    ProductFacts("POL-1", "Polar 200 particle counter", "Polar", 7_900),
    ProductFacts("POL-2", "Polar 400 inline analyser", "Polar", 18_600),
    ProductFacts("VEG-X", "Vega X process line", "Vega", 46_000),
    ProductFacts("CLD-T", "Skylight Cloud Team, one year", "Skylight", 1_188, is_recurring=True),
    ProductFacts("CLD-B", "Skylight Cloud Business, one year", "Skylight", 5_988, is_recurring=True),
    ProductFacts("CLD-E", "Skylight Cloud Enterprise, one year", "Skylight", 23_988, is_recurring=True),
    ProductFacts("SVC-C", "Calibration service, one year", "Service", 960, is_recurring=True),
    ProductFacts("SVC-O", "Commissioning on site, a day", "Service", 1_450),
    ProductFacts("SVC-T", "Operator training", "Service", 690),
)
PRODUCT_NUMBERS: Final = {product.code: number for number, product in enumerate(PRODUCTS)}


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod: which segment it serves (by number), where its customers are, and in what currency it sells."""

    key: str
    name: str
    segment: int
    template: str
    zone: str
    is_in_second_currency: bool
    opened_days_ago: int
    lead_capacity: int
    territory: str
    places: tuple[tuple[str, str], ...]


_EAST = (
    ("United States", "Boston"),
    ("United States", "Philadelphia"),
    ("United States", "Atlanta"),
    ("Canada", "Toronto"),
)
_WEST = (
    ("United States", "Seattle"),
    ("United States", "San Diego"),
    ("United States", "Denver"),
    ("Canada", "Vancouver"),
)
_CENTRAL = (
    ("United States", "Chicago"),
    ("United States", "Austin"),
    ("Mexico", "Monterrey"),
    ("United States", "Columbus"),
)
_EUROPE = (
    ("Germany", "Hamburg"), ("Germany", "Dresden"), ("France", "Lyon"), ("Netherlands", "Utrecht"),
    ("Spain", "Bilbao"), ("Poland", "Gdańsk"), ("Austria", "Graz"),
)  # fmt: skip
_GLOBAL = (
    ("United States", "Houston"), ("United Kingdom", "Leeds"), ("Japan", "Nagoya"), ("Singapore", "Singapore"),
    ("Brazil", "Curitiba"), ("India", "Pune"), ("South Africa", "Durban"), ("Sweden", "Gothenburg"),
)  # fmt: skip

PODS: Final = (
    PodFacts("aurora", "Aurora", 0, "2:3:1", "America/New_York", False, 1500, 260, "AM-E", _EAST),
    PodFacts("borealis", "Borealis", 0, "2:3:1", "America/Los_Angeles", False, 1300, 260, "AM-W", _WEST),
    PodFacts("cirrus", "Cirrus", 1, "1:2:1", "America/Chicago", False, 1150, 180, "AM-C", _CENTRAL),
    PodFacts("drift", "Drift", 1, "1:2:1", "Europe/Berlin", True, 1000, 180, "EU", _EUROPE),
    PodFacts("ember", "Ember", 2, "1:1:1", "America/New_York", False, 980, 120, "GLOBAL", _GLOBAL),
)
POD_NUMBERS: Final = {pod.key: number for number, pod in enumerate(PODS)}

#: Code, name, country, region.
TERRITORIES: Final = (
    ("AM-E", "Americas East", "", "Americas"),
    ("AM-W", "Americas West", "", "Americas"),
    ("AM-C", "Americas Central", "", "Americas"),
    ("EU", "Europe", "", "EMEA"),
    ("GLOBAL", "Global accounts", "", "Worldwide"),
)
TERRITORY_NUMBERS: Final = {territory[0]: number for number, territory in enumerate(TERRITORIES)}


@dataclass(frozen=True, slots=True)
class Held:
    """A value held from a day until another (half-open; None is until further notice)."""

    value: str
    start: int
    end: int | None = None
    function: str = ""

    def holds_on(self, day: int) -> bool:
        """Whether it holds on a day."""
        return self.start <= day and (self.end is None or day < self.end)


@dataclass(slots=True)
class Person:
    """Somebody at Nordlicht. Other people are named by their key; `pods` hold pod keys with the function there."""

    key: str
    number: int
    name: str
    email: str
    title: str
    zone: str
    started: int
    left: int | None = None
    heir: str | None = None
    skill: float = 1.0
    opens_at: int = 540
    closes_at: int = 1050
    weekdays: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    roles: list[Held] = field(default_factory=list)
    functions: list[Held] = field(default_factory=list)
    managers: list[Held] = field(default_factory=list)
    pods: list[Held] = field(default_factory=list)
    leaves: list[Held] = field(default_factory=list)

    def working_time(self, *, today: int, now: int) -> WorkingTime:
        """When this person works; `now` is the moment at which history ends."""
        away = [(leave.start, leave.end or leave.start + 1) for leave in self.leaves]
        away.append((today - HISTORY - 30, self.started))
        if self.left is not None:
            away.append((self.left, today + AHEAD))
        return WorkingTime(
            zone=self.zone,
            opens_at=self.opens_at,
            closes_at=self.closes_at,
            weekdays=self.weekdays,
            away=away,
            today=today,
            now=now,
        )


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in the company that a person fills; numbers are days ago."""

    key: str
    title: str
    pod: str = ""
    function: str = ""
    role: str = "rep"
    manager: str = ""
    zone: str = ""
    joined: int = 0
    left: int = 0
    heir: str = ""
    was_in: tuple[str, int] = ("", 0)  # pod, until
    was: tuple[str, int] = ("", 0)  # function, until
    was_rep_until: int = 0
    parental: tuple[int, int] = (0, 0)
    is_part_time: bool = False
    is_away_today: bool = False


_AE, _SDR, _CSM = "Account executive", "Sales development representative", "Customer success manager"

#: Three levels: the chief revenue officer, two directors, a lead for each pod, and the pods.
_SLOTS: Final = (
    _Slot("cro", "Chief revenue officer", role="executive"),
    _Slot("director_small", "Director of sales, small business", role="manager", manager="cro"),
    _Slot(
        "director_large",
        "Director of sales, mid-market and enterprise",
        role="manager",
        manager="cro",
        zone="Europe/Berlin",
    ),
    _Slot("aurora_lead", "Pod lead", "aurora", role="manager", manager="director_small"),
    _Slot("borealis_lead", "Pod lead", "borealis", role="manager", manager="director_small"),
    _Slot("cirrus_lead", "Pod lead", "cirrus", role="manager", manager="director_large"),
    _Slot("drift_lead", "Pod lead", "drift", role="manager", manager="director_large"),
    _Slot("ember_lead", "Pod lead", "ember", "ae", role="manager", manager="director_large", was_rep_until=300),
    _Slot("aurora_mdr", "Market development representative", "aurora", "mdr"),
    _Slot("aurora_sdr1", _SDR, "aurora", "sdr", parental=(310, 222)),
    _Slot("aurora_sdr2", _SDR, "aurora", "sdr", joined=430),
    _Slot("aurora_ae1", _AE, "aurora", "ae"),
    _Slot("aurora_ae2", _AE, "aurora", "ae"),
    _Slot("aurora_ae3", _AE, "aurora", "ae", left=150, heir="aurora_ae2"),
    _Slot("aurora_ae4", _AE, "aurora", "ae", joined=24),
    _Slot("aurora_csm", _CSM, "aurora", "csm"),
    _Slot("borealis_sdr1", _SDR, "borealis", "sdr"),
    _Slot("borealis_sdr2", _SDR, "borealis", "sdr", joined=48),
    _Slot("borealis_ae1", _AE, "borealis", "ae"),
    _Slot("borealis_ae2", _AE, "borealis", "ae", is_away_today=True),
    _Slot("borealis_ae3", _AE, "borealis", "ae", joined=505),
    _Slot("borealis_csm", _CSM, "borealis", "csm"),
    _Slot("cirrus_sdr", _SDR, "cirrus", "sdr"),
    _Slot("cirrus_ae1", _AE, "cirrus", "ae"),
    _Slot("cirrus_ae2", _AE, "cirrus", "ae", was_in=("borealis", 240)),
    _Slot("cirrus_onb", "Onboarding manager", "cirrus", "onb"),
    _Slot("cirrus_csm", _CSM, "cirrus", "csm", is_part_time=True),
    _Slot("drift_sdr1", _SDR, "drift", "sdr"),
    _Slot("drift_sdr2", _SDR, "drift", "sdr", joined=330),
    _Slot("drift_ae1", _AE, "drift", "ae", was=("sdr", 400)),
    _Slot("drift_ae2", _AE, "drift", "ae"),
    _Slot("drift_ae3", _AE, "drift", "ae", joined=81),
    _Slot("drift_csm", _CSM, "drift", "csm"),
    _Slot("ember_adr1", "Account development representative", "ember", "adr"),
    _Slot("ember_adr2", "Account development representative", "ember", "adr", zone="Asia/Singapore", joined=620),
    _Slot("ember_ae1", "Senior account executive", "ember", "ae"),
    _Slot("ember_kam1", "Key account manager", "ember", "kam", zone="Europe/London"),
    _Slot("ember_kam2", "Key account manager", "ember", "kam", zone="Asia/Singapore"),
    _Slot("ember_csm", "Senior customer success manager", "ember", "csm"),
    _Slot("revops1", "Head of revenue operations", role="revops", manager="cro"),
    _Slot("revops2", "Revenue operations analyst", role="revops", manager="revops1", joined=560),
    _Slot("finance1", "Payroll accountant", role="finance", zone="Europe/Berlin"),
    _Slot("finance2", "Financial controller", role="finance", zone="Europe/Berlin"),
    _Slot("admin", "Systems administrator", role="admin", zone="Europe/Berlin"),
)

#: Offers of hours: minutes after midnight.
_HOURS: Final = ((480, 990), (510, 1020), (540, 1050), (540, 1080), (570, 1080))


def _monday(day: int) -> int:
    return day - day_of(day).weekday()


def _fits(leaves: list[Held], start: int, end: int) -> bool:
    return all(end <= leave.start or (leave.end is not None and start >= leave.end) for leave in leaves)


def _leaves(slot: _Slot, stream: random.Random, *, started: int, until: int, today: int) -> list[Held]:
    """Two or three holidays a year, a few days ill, and what the slot says; never two at a time."""
    leaves: list[Held] = []
    if slot.parental[0]:
        leaves.append(Held("parental", _monday(today - slot.parental[0]), _monday(today - slot.parental[1])))
    if slot.is_away_today:
        leaves.append(Held("vacation", _monday(today), _monday(today) + 7))
    first = max(started + 60, today - HISTORY)
    for year_start in range(today - HISTORY, today + 90, 182):
        for kind, chance, longest in (
            ("vacation", 1.0, 0),
            ("vacation", 0.45, 0),
            ("sick", 0.7, 3),
            ("sick", 0.25, 5),
            ("other", 0.08, 1),
        ):
            roll, place, length = stream.random(), stream.random(), stream.random()
            if roll > chance:
                continue
            start = year_start + int(place * 175)
            if kind == "vacation":
                start = _monday(start)
                end = start + (14 if length > 0.55 else 7)
            else:
                end = start + 1 + int(length * longest)
                if start > today or day_of(start).weekday() > 4:
                    continue
            if start >= first and end <= min(until, today + 90) and _fits(leaves, start, end):
                leaves.append(Held(kind, start, end))
    return sorted(leaves, key=lambda leave: leave.start)


@dataclass(frozen=True, slots=True)
class Company:
    """The whole company on a day; `people` are in the order of their numbers."""

    seed: int
    today: int
    people: tuple[Person, ...]
    by_key: dict[str, Person]
    currency: str
    second_currency: str

    def currency_of(self, pod: int) -> str:
        """The currency in which a pod sells."""
        return self.second_currency if PODS[pod].is_in_second_currency else self.currency


def make_company(*, seed: int, today: int, currency: str) -> Company:
    """Staff the company. `today` is a day number; `currency` the company's own, one pod sells in another."""
    stream = stream_of(seed, "people")
    people: list[Person] = []
    taken: set[str] = set()
    for number, slot in enumerate(_SLOTS):
        name, address = names.person(stream)
        while not taken.isdisjoint(name.split()):  # colleagues share neither first nor last name
            name, address = names.person(stream)
        taken.update(name.split())
        people.append(_person(slot, number, name, address, stream, today))
    second = "EUR" if currency != "EUR" else "USD"
    return Company(seed, today, tuple(people), {person.key: person for person in people}, currency, second)


def _line(slot: _Slot, started: int, until: int | None, today: int) -> list[Held]:
    """Who a person reported to: the pod's lead, or the lead's own manager in the time before the lead was promoted."""
    manager = slot.manager or (f"{slot.pod}_lead" if slot.pod else "")
    if not manager:
        return []
    lead = next(other for other in _SLOTS if other.key == manager)
    promoted = _monday(today - lead.was_rep_until) if lead.was_rep_until else started
    if started >= promoted:
        return [Held(manager, started, until)]
    return [Held(lead.manager, started, promoted), Held(manager, promoted, until)]


def _person(slot: _Slot, number: int, name: str, address: str, stream: random.Random, today: int) -> Person:
    tenure, roll, hours = stream.random(), stream.random(), _HOURS[int(stream.random() * len(_HOURS))]
    opened = PODS[POD_NUMBERS[slot.pod]].opened_days_ago if slot.pod else 1500
    if slot.role != "rep" and not slot.joined and not slot.was_rep_until:
        opened = tenure = 1700  # those who lead or look after everybody were there first
    started = _monday(today - (slot.joined or min(opened - 7, 860 + int(tenure * 800))) + 6)
    until = _monday(today - slot.left) if slot.left else None
    pod = PODS[POD_NUMBERS[slot.pod]] if slot.pod else None
    zone = slot.zone or (pod.zone if pod else "America/New_York")
    person = Person(
        key=slot.key,
        number=number,
        name=name,
        email=f"{address}@{MAIL_DOMAIN}",
        title=slot.title,
        zone=zone,
        started=started,
        left=until,
        heir=slot.heir or None,
        skill=0.72 + 0.56 * roll,
        opens_at=hours[0],
        closes_at=hours[1],
        weekdays=frozenset({1, 2, 3, 4}) if slot.is_part_time else frozenset({1, 2, 3, 4, 5}),
    )
    person.managers = _line(slot, started, until, today)
    person.leaves = _leaves(slot, stream, started=started, until=until or today + 90, today=today)
    if slot.was_rep_until:
        change = _monday(today - slot.was_rep_until)
        person.roles = [Held("rep", started, change), Held("manager", change)]
        person.functions = [Held("ae", started, change)]
        person.pods = [Held(slot.pod, started, change, "ae")]
        return person
    person.roles = [Held(slot.role, started, until)]
    if not slot.function:
        return person
    person.functions = [Held(slot.function, started, until)]
    person.pods = [Held(slot.pod, started, until, slot.function)]
    earlier_pod, moved = slot.was_in
    if earlier_pod:
        change = _monday(today - moved)
        person.pods = [Held(earlier_pod, started, change, slot.function), Held(slot.pod, change, until, slot.function)]
        person.managers = [Held(f"{earlier_pod}_lead", started, change), Held(f"{slot.pod}_lead", change, until)]
    earlier_function, promoted = slot.was
    if earlier_function:
        change = _monday(today - promoted)
        person.functions = [Held(earlier_function, started, change), Held(slot.function, change, until)]
        person.pods = [Held(slot.pod, started, change, earlier_function), Held(slot.pod, change, until, slot.function)]
    return person
