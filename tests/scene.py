"""A scene around the cast: one of each thing, belonging to Ana of pod North, for tests that walk over all pages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, timedelta

from salesops.accounts.models import Account, Contact
from salesops.activities.models import Activity
from salesops.audit.models import AuditEntry
from salesops.commissions.models import (
    Adjustment,
    Contest,
    Dispute,
    Earning,
    PayrollFile,
    PayrollMapping,
    Period,
    Plan,
    PlanEvent,
    PlanVersion,
    Quota,
    Scenario,
    Statement,
    Transaction,
)
from salesops.commissions.services.adjustments import prepare_adjustment
from salesops.commissions.services.contests import NewContest, activate_contest, save_contest
from salesops.commissions.services.disputes import open_dispute
from salesops.commissions.services.plans import save_draft, set_quota
from salesops.commissions.services.scenarios import calculate_scenario, create_scenario
from salesops.connectors.models import Connection, FileImport, Hold, RawRecord, RejectedRow, Source, Stream
from salesops.connectors.services.uploads import upload
from salesops.deals.models import Deal, GuardDecision, GuardEscalation, GuardPolicy, HandOff, Product, Stage
from salesops.deals.services.policies import draft_policy, put_guard_rule
from salesops.effort.models import EffortContest, EffortPolicy, EffortScore, EffortVersion
from salesops.effort.services.versions import activate_effort_version, draft_effort_version
from salesops.jobs.models import Job
from salesops.jobs.services import enqueue
from salesops.leads.models import (
    Lead,
    LeadAssignment,
    LeadScore,
    Pool,
    PoolMember,
    PoolVersion,
    RoutingRule,
    RoutingVersion,
    ScoreGroup,
    ScoreVersion,
    ServiceLevel,
)
from salesops.leads.services.pools import keep_setups
from salesops.leads.services.routing_versions import draft_routing_version
from salesops.leads.services.score_versions import draft_score_version
from salesops.notices.models import Notice
from salesops.people.models import Leave, LegalEntity, RoleGrant, User
from salesops.pods.models import PodMembership, Territory, TerritoryAssignment
from salesops.reorganisations.models import Reorganisation, ReorganisationChange
from salesops.reorganisations.services import create_reorganisation, rehearse, save_move
from salesops.values.periods import parse_label
from tests.cast import NOW, TODAY, Cast
from tests.commissions.pay import FLAT_8, calculated, definition, plan_in_force, won
from tests.connectors.connected import connected


@dataclass
class Scene:
    """The things, by what they are."""

    cast: Cast
    account: Account
    contact: Contact
    lead: Lead
    deal: Deal
    product: Product
    task: Activity
    plan: Plan
    version: PlanVersion
    draft: PlanVersion
    quota: Quota
    period: Period
    statement: Statement
    scenario: Scenario
    sales_contest: Contest
    sales_contest_draft: Contest
    reorganisation: Reorganisation
    earning: Earning
    payroll_file: PayrollFile
    payroll_mapping: PayrollMapping
    adjustment: Adjustment
    dispute: Dispute
    event: PlanEvent
    transaction: Transaction
    file_import: FileImport
    rejected_row: RejectedRow
    connection: Connection
    stream: Stream
    raw_record: RawRecord
    hold: Hold
    job: Job
    notice: Notice
    entry: AuditEntry
    grant: RoleGrant
    leave: Leave
    territory: Territory
    assignment: TerritoryAssignment
    membership: PodMembership
    score_version: ScoreVersion
    pool: Pool
    pool_version: PoolVersion
    routing_version: RoutingVersion
    policy: GuardPolicy
    escalation: GuardEscalation
    hand_off: HandOff
    entity: LegalEntity
    effort_version: EffortVersion
    effort_score: EffortScore
    contest: EffortContest


def make_scene(cast: Cast) -> Scene:
    """Write one of each thing to the database."""
    ana = cast.ana
    account = Account.objects.create(
        name="Amber Optics",
        match_name="amber optics",
        owner=ana,
        pod=cast.north,
        segment=cast.smb,
        country="Germany",
        created_at=NOW,
    )
    contact = Contact.objects.create(account=account, name="Ines Iversen", email="ines@amber.example", created_at=NOW)
    lead = Lead.objects.create(name="Lia Lopez", company="Lagoon Labs", owner=ana, pod=cast.north, created_at=NOW)
    stage = Stage.objects.filter(kind="open").order_by("position").first()
    if stage is None:
        stage = Stage.objects.create(code="prospecting", name="Prospecting", position=1)
    product = Product.objects.create(code="lens", name="Lens", match_name="lens", price_minor=12_000, currency="USD")
    deal = Deal.objects.create(
        name="Amber Optics lenses",
        account=account,
        contact=contact,
        owner=ana,
        pod=cast.north,
        product=product,
        stage=stage,
        amount_minor=1_200_000,
        currency="USD",
        opened_on=TODAY - timedelta(days=20),
        expected_close_on=TODAY + timedelta(days=10),
        created_at=NOW,
        stage_entered_at=NOW,
    )
    task = Activity.objects.create(
        kind="task", subject="Call Ines", person=ana, deal=deal, account=account, due_at=NOW, created_at=NOW
    )
    plan = plan_in_force(cast, FLAT_8, people=("ana", "alba"))
    draft = save_draft(
        actor=cast.actor("rita"), plan=plan, definition=definition(FLAT_8), start_on=TODAY + timedelta(days=200), at=NOW
    )
    quota = set_quota(
        actor=cast.actor("rita"),
        person_id=ana.pk,
        period=parse_label("2026Q2"),
        amount_minor=10_000_00,
        currency="USD",
        at=NOW,
    )
    won(cast, "ana", 1_000_00)
    period = calculated(cast)
    statement = Statement.objects.get(person=ana, period=period)
    payroll_file = PayrollFile.objects.create(
        number=1,
        period=period,
        format="gusto",
        name="gusto-2026Q1-USD-1.csv",
        content=b"last_name\r\n",
        sha256=hashlib.sha256(b"last_name\r\n").hexdigest(),
        people=0,
        total_minor=0,
        currency="USD",
        released_by=cast.finn,
        released_at=NOW,
    )
    payroll_mapping = PayrollMapping.objects.create(
        name="Our program",
        columns=[{"header": "Number", "field": "employee_id"}, {"header": "Pay", "field": "amount"}],
        created_at=NOW,
    )
    adjustment = prepare_adjustment(
        actor=cast.actor("rita"),
        person_id=ana.pk,
        plan=plan,
        period=period,
        amount_minor=50_00,
        reason="Promised in writing in April",
        at=NOW,
    )
    dispute = open_dispute(
        actor=cast.actor("ana"), statement=statement, line="", subject="A deal is missing", message="Which?", at=NOW
    )
    event = PlanEvent.objects.create(plan=plan, person=ana, kind="bonus", on=TODAY, reference="spiff", recorded_at=NOW)
    transaction = Transaction.objects.create(
        source_key="INV-1",
        kind="invoice",
        deal=deal,
        account=account,
        effective_on=TODAY,
        amount_minor=1_200_000,
        currency="USD",
        recorded_at=NOW,
    )
    north_july = NewContest(
        key="july",
        name="July",
        plan=plan,
        start=date(2026, 7, 1),
        end=date(2026, 8, 1),
        pods=(cast.north,),
        prizes_minor=(100_000,),
    )
    sales_contest = save_contest(actor=cast.actor("rita"), new=north_july, at=NOW)
    activate_contest(actor=cast.actor("finn"), contest=sales_contest, at=NOW)
    later = save_contest(actor=cast.actor("rita"), new=replace(north_july, key="july_2"), at=NOW)
    scenario = create_scenario(
        actor=cast.actor("rita"), name="Tried", period=period, changes={plan.pk: draft.definition}, at=NOW
    )
    calculate_scenario(scenario=scenario, at=NOW)
    reorganisation = create_reorganisation(
        actor=cast.actor("rita"),
        at=NOW,
        values={"name": "Summer", "effective_on": TODAY, "explanation": "South grows."},
    )
    save_move(
        actor=cast.actor("rita"),
        reorganisation_id=reorganisation.pk,
        person=ana,
        values={"to_pod": cast.south, "successor": cast.sam},
        at=NOW,
    )
    rehearse(reorganisation=reorganisation, actor=cast.actor("rita"), at=NOW)
    ReorganisationChange.objects.create(
        reorganisation=reorganisation, kind="leads.lead", object_id=lead.pk, label="Lia Lopez", said_after="Sam · North"
    )
    source = Source.objects.create(code="crm", name="CRM")
    file_import = upload(
        actor=cast.actor("rita"), name="leads.csv", chunks=[b"name,company\nLena Lund,Lagoon\n"], source=source, at=NOW
    )
    rejected_row = RejectedRow.objects.create(file_import=file_import, line=2, cells=["Lena Lund", "Lagoon"])
    connection, stream, raw_record, hold = connected(cast, deal)
    job = enqueue(
        kind="commissions.calculate",
        key="scene",
        payload={"period": period.pk},
        actor=cast.actor("rita"),
        at=NOW,
        title="Calculate 2026Q2",
    )
    notice = Notice.objects.create(person=ana, key="scene", title="Look", created_at=NOW)
    territory = Territory.objects.create(code="DE", name="Germany")
    score_version = draft_score_version(actor=cast.actor("rita"), at=NOW)
    # A draft: nothing is routed until rules are in force.
    pool = Pool.objects.create(name="Inbound")
    PoolMember.objects.create(pool=pool, person=ana, tie_key=1)
    keep_setups(pools=[pool.pk], actor=cast.actor("rita"), at=NOW)
    LeadAssignment.objects.create(
        lead=lead,
        person=ana,
        pod=cast.north,
        assigned_at=NOW,
        method="rule",
        path={
            "version": 1,
            "steps": [],
            "rule": [1, "Everything"],
            "pools": [{"pool": pool.pk, "method": "weighted", "candidates": [[ana.pk, 1, 0, 0, 1]], "out": []}],
        },
    )
    routing_version = draft_routing_version(actor=cast.actor("rita"), at=NOW)
    RoutingRule.objects.create(version=routing_version, position=1, name="Everything", pool=pool)
    ServiceLevel.objects.create(version=routing_version, position=1, name="Any", warn_minutes=60)
    ScoreGroup.objects.create(version=score_version, name="Mail", limit=20)
    LeadScore.objects.create(lead=lead, version=score_version, fit=60, engagement=30, grade="B2", scored_at=NOW)
    # A draft as well: nothing is held against it until it is in force.
    policy = draft_policy(actor=cast.actor("rita"), at=NOW)
    put_guard_rule(
        actor=cast.actor("rita"),
        policy_id=policy.pk,
        kind="discount",
        name="Cap",
        effect="escalate",
        max_discount_bp=2_500,
        at=NOW,
    )
    decision = GuardDecision.objects.create(
        deal=deal, policy=policy, occasion="lines", outcome="escalate", actor=ana, decided_at=NOW
    )
    escalation = GuardEscalation.objects.create(
        deal=deal,
        decision=decision,
        owner=ana,
        asked_by=ana,
        asked_at=NOW,
        state="approved",
        answered_by=cast.rita,
        answered_at=NOW,
    )
    entity = LegalEntity.objects.create(name="Amber Sales GmbH", country="Germany")
    User.objects.filter(pk=ana.pk).update(legal_entity=entity)
    EffortPolicy.objects.create(
        entity=entity, is_on=True, counted_from=TODAY - timedelta(days=60), purpose="To help", notice="Ask us"
    )
    published = draft_effort_version(actor=cast.actor("rita"), at=NOW)
    activate_effort_version(actor=cast.actor("rita"), version_id=published.pk, at=NOW)
    effort_score = EffortScore.objects.create(
        person=ana,
        week_on=TODAY - timedelta(days=9),
        version=published,
        function="ae",
        score=64_00,
        band="middle",
        quality_bp=4_000,
        days=500,
        parts=[["call", 30, 12, "40", 25, 18_75, False]],
        is_whole=True,
        scored_at=NOW,
    )
    contest = EffortContest.objects.create(person=ana, on=TODAY - timedelta(days=9), reason="A fair", asked_at=NOW)
    return Scene(
        cast=cast,
        account=account,
        contact=contact,
        lead=lead,
        deal=deal,
        product=product,
        task=task,
        plan=plan,
        version=plan.versions.get(number=1),
        draft=draft,
        quota=quota,
        period=period,
        statement=statement,
        earning=statement.earnings.get(),
        payroll_file=payroll_file,
        payroll_mapping=payroll_mapping,
        adjustment=adjustment,
        dispute=dispute,
        event=event,
        transaction=transaction,
        scenario=scenario,
        sales_contest=sales_contest,
        sales_contest_draft=later,
        reorganisation=reorganisation,
        file_import=file_import,
        rejected_row=rejected_row,
        connection=connection,
        stream=stream,
        raw_record=raw_record,
        hold=hold,
        job=job,
        notice=notice,
        entry=AuditEntry.objects.order_by("sequence").first(),
        grant=RoleGrant.objects.get(person=ana),
        leave=Leave.objects.create(person=ana, start_on=TODAY + timedelta(days=30), end_on=TODAY + timedelta(days=40)),
        territory=territory,
        assignment=TerritoryAssignment.objects.create(territory=territory, person=ana, start_on=TODAY),
        membership=PodMembership.objects.get(person=ana),
        score_version=score_version,
        pool=pool,
        pool_version=pool.versions.get(),
        routing_version=routing_version,
        policy=policy,
        escalation=escalation,
        hand_off=HandOff.objects.create(
            deal=deal, pair="ae-csm", giver=ana, receiver=cast.carl, pod=cast.north, sent_at=NOW
        ),
        entity=entity,
        effort_version=draft_effort_version(actor=cast.actor("rita"), at=NOW),
        effort_score=effort_score,
        contest=contest,
    )
