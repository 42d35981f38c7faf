"""Every address of the portal × every role, with the answer expected. An address without a row fails.

Who asks: `rep` is Ana of pod North, whose rows the scene holds; `other` is Alba, a rep of pod South; `manager` is Max,
Ana's; the rest hold one role each; `norole` may log in and nothing else. Anyone not named in a row is expected to get
`otherwise`. `anonymous` is sent to the log-in page everywhere but on OPEN addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.scene import Scene

WHO = {
    "rep": "ana",
    "other": "alba",
    "manager": "max",
    "revops": "rita",
    "finance": "finn",
    "executive": "elsa",
    "admin": "ada",
    "norole": "norm",
}


@dataclass(frozen=True)
class Row:
    """One address: how to reach it and who gets what. `expect` maps a status to the people who get it."""

    name: str
    expect: dict[int, str]
    otherwise: int = 403
    method: str = "GET"
    kwargs: Callable[[Scene], dict[str, Any]] = field(default=lambda scene: {})
    data: Callable[[Scene], dict[str, Any]] = field(default=lambda scene: {})

    def status_for(self, who: str) -> int:
        """The status that this person should get."""
        for status, people in self.expect.items():
            if who in people.split():
                return status
        return self.otherwise


WORKERS = "rep other manager revops admin"
SEEING = "rep other manager revops finance admin"
HOLDERS = "rep manager revops admin"
READERS = "rep manager revops finance admin"
CONFIGURING = "revops admin"
RULING = "manager revops admin"
EVERYONE = "rep other manager revops finance executive admin norole"
HIRED = "rep other manager revops finance executive admin"
PAID = "rep manager finance"
PLANNING = "revops finance admin"


def score_part(scene: Scene, name: str) -> dict[str, Any]:
    """The keys of the first rule or group of the scene's score rules."""
    version = scene.score_version
    part = (version.rules if name == "rule" else version.groups).order_by("pk")[0]
    return {"pk": version.pk, name: part.pk}


#: Addresses that need no log-in: they say whether the portal lives, and nothing else; or ask for a proof of their own.
OPEN = {"healthz", "readyz", "metrics", "hook"}


def routing_part(scene: Scene, name: str) -> dict[str, Any]:
    """The keys of the first rule or service level of the scene's routing rules."""
    version = scene.routing_version
    part = (version.rules if name == "rule" else version.levels).order_by("position")[0]
    return {"pk": version.pk, name: part.pk}


def guard_rule(scene: Scene) -> dict[str, Any]:
    """The keys of the first rule of the scene's selling policy."""
    return {"pk": scene.policy.pk, "rule": scene.policy.rules.order_by("position")[0].pk}


#: GET of every address. Lists that act on many rows answer a GET by going back to the list; what only takes a POST
#: answers 405 to those who may post, and its POST has a row of its own below.
ROWS: list[Row] = [
    # --- home ---
    Row("home:day", {200: EVERYONE}),
    Row("home:search", {200: EVERYONE}),
    # --- people ---
    Row("people:person_list", {200: EVERYONE}),
    Row("people:person_tree", {200: EVERYONE}),
    Row("people:person_invite", {200: "admin"}),
    Row("people:settings_edit", {200: EVERYONE}),
    Row("people:person_detail", {200: HIRED, 404: "norole"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:person_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:role_grant", {200: "admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:role_revoke", {200: "admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk, "grant": s.grant.pk}),
    Row("people:function_set", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:function_end", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:manager_set", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:manager_end", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:hours_edit", {200: "rep revops admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:leave_add", {200: "manager revops executive admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row(
        "people:leave_cancel",
        {200: "manager revops executive admin"},
        kwargs=lambda s: {"pk": s.cast.ana.pk, "leave": s.leave.pk},
    ),
    Row("people:person_leave", {200: "admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:person_deactivate", {200: "admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:person_reactivate", {200: "admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:password_link", {200: "admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    Row("people:factor_reset", {200: "admin"}, kwargs=lambda s: {"pk": s.cast.ana.pk}),
    # --- pods ---
    Row("pods:pod_list", {200: HIRED}),
    Row("pods:pod_create", {200: CONFIGURING}),
    Row("pods:member_list", {200: HIRED}),
    Row("pods:territory_list", {200: HIRED}),
    Row("pods:territory_create", {200: CONFIGURING}),
    Row("pods:territory_detail", {200: HIRED}, kwargs=lambda s: {"pk": s.territory.pk}),
    Row("pods:territory_assign", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.territory.pk}),
    Row("pods:territory_end", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.assignment.pk}),
    Row("pods:member_move", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.membership.pk}),
    Row("pods:member_end", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.membership.pk}),
    Row(
        "pods:pod_detail",
        {200: "rep manager revops finance executive admin", 404: "other"},
        kwargs=lambda s: {"pk": s.cast.north.pk},
    ),
    Row("pods:pod_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.north.pk}),
    Row("pods:pod_close", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.north.pk}),
    Row("pods:member_add", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.cast.north.pk}),
    # --- accounts ---
    Row("accounts:account_list", {200: SEEING}),
    Row("accounts:account_create", {200: WORKERS}),
    Row("accounts:account_options", {200: SEEING}),
    Row("accounts:account_bulk_edit", {302: WORKERS}),
    Row("accounts:account_bulk_assign", {302: WORKERS}),
    Row("accounts:contact_list", {200: SEEING}),
    Row("accounts:contact_create", {200: WORKERS}),
    Row("accounts:contact_detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.contact.pk}),
    Row("accounts:contact_restore", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.contact.pk}),
    Row("accounts:contact_edit", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.contact.pk}),
    Row("accounts:account_detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.account.pk}),
    Row("accounts:account_restore", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.account.pk}),
    Row("accounts:account_edit", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.account.pk}),
    Row("accounts:account_assign", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.account.pk}),
    Row("accounts:account_responsible", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.account.pk}),
    # --- leads ---
    Row("leads:lead_list", {200: SEEING}),
    Row("leads:lead_create", {200: WORKERS}),
    Row("leads:lead_board", {200: RULING}),
    Row("leads:board_suggest", {405: RULING}),
    Row("leads:board_assign", {405: RULING}),
    Row("leads:board_undo", {405: RULING}),
    Row("leads:lead_bulk_edit", {302: WORKERS}),
    Row("leads:lead_bulk_assign", {302: WORKERS}),
    Row("leads:lead_detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_restore", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_edit", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_spiced", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_status", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_assign", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_give_back", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_convert", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_merge", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:lead_part", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:response_report", {200: RULING}),
    Row("leads:pool_list", {200: SEEING}),
    Row("leads:pool_detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.pool.pk}),
    Row("leads:routingversion_list", {200: RULING}),
    Row("leads:routingversion_create", {200: CONFIGURING}),
    Row("leads:routingversion_detail", {200: RULING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:routingversion_try", {200: RULING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:routingversion_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:routingversion_activate", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:routingversion_discard", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:routingversion_dry_run", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:routingrule_create", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:servicelevel_create", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.routing_version.pk}),
    Row("leads:routingrule_edit", {200: CONFIGURING}, kwargs=lambda s: routing_part(s, "rule")),
    Row("leads:routingrule_drop", {200: CONFIGURING}, kwargs=lambda s: routing_part(s, "rule")),
    Row("leads:servicelevel_edit", {200: CONFIGURING}, kwargs=lambda s: routing_part(s, "level")),
    Row("leads:servicelevel_drop", {200: CONFIGURING}, kwargs=lambda s: routing_part(s, "level")),
    Row("leads:learned_score", {200: RULING}),
    Row("leads:scoreversion_list", {200: RULING}),
    Row("leads:scoreversion_create", {200: CONFIGURING}),
    Row("leads:scoreversion_detail", {200: RULING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scoreversion_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scoreversion_activate", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scoreversion_discard", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scoreversion_compare", {200: RULING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scoreversion_try", {200: RULING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scorerule_create", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scorerule_edit", {200: CONFIGURING}, kwargs=lambda s: score_part(s, "rule")),
    Row("leads:scorerule_drop", {200: CONFIGURING}, kwargs=lambda s: score_part(s, "rule")),
    Row("leads:scoregroup_create", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("leads:scoregroup_edit", {200: CONFIGURING}, kwargs=lambda s: score_part(s, "group")),
    Row("leads:scoregroup_drop", {200: CONFIGURING}, kwargs=lambda s: score_part(s, "group")),
    # --- deals ---
    Row("deals:account_deals", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.account.pk}),
    Row("deals:deal_list", {200: SEEING}),
    Row("deals:deal_create", {200: WORKERS}),
    Row("deals:deal_board", {200: SEEING}),
    Row("deals:forecast", {200: HIRED}),
    Row("deals:product_list", {200: SEEING}),
    Row("deals:escalation_list", {200: SEEING}),
    Row("deals:escalation_answer", {200: "manager revops"}, kwargs=lambda s: {"pk": s.escalation.pk}),
    Row("deals:decision_list", {200: SEEING}),
    Row("deals:handoff_list", {200: SEEING}),
    Row("deals:handoff_create", {404: WORKERS}),
    Row("deals:handoff_report", {200: "manager revops finance admin"}),
    Row("deals:handoff_detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.hand_off.pk}),
    Row("deals:handoff_answer", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.hand_off.pk}),
    Row("deals:handoff_rate", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.hand_off.pk}),
    Row("deals:guard_report", {200: "manager revops finance admin"}),
    Row("deals:policy_list", {200: SEEING}),
    Row("deals:policy_create", {200: CONFIGURING}),
    Row("deals:policy_detail", {200: SEEING}, kwargs=lambda s: {"pk": s.policy.pk}),
    Row("deals:policy_try", {200: SEEING}, kwargs=lambda s: {"pk": s.policy.pk}),
    Row("deals:policy_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.policy.pk}),
    Row("deals:policy_activate", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.policy.pk}),
    Row("deals:policy_discard", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.policy.pk}),
    Row("deals:policy_dry_run", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.policy.pk}),
    Row("deals:guardrule_create", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.policy.pk}),
    Row("deals:guardrule_edit", {200: CONFIGURING}, kwargs=lambda s: guard_rule(s)),
    Row("deals:guardrule_drop", {200: CONFIGURING}, kwargs=lambda s: guard_rule(s)),
    Row("deals:deal_bulk_edit", {302: WORKERS}),
    Row("deals:deal_bulk_reassign", {302: WORKERS}),
    Row("deals:deal_detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_restore", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_edit", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_move", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_spiced", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_place", {405: WORKERS}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_reassign", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_lines", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("deals:deal_splits", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    # --- activities ---
    Row("activities:activity_list", {200: SEEING}),
    Row("activities:week", {200: WORKERS}),
    *(Row(f"activities:{noun}_log", {302: WORKERS}) for noun in ("lead", "deal", "account")),
    Row("activities:activity_create", {200: WORKERS}),
    Row("activities:timeline", {404: SEEING}),
    Row("activities:subject_options", {200: WORKERS}),
    Row("activities:activity_edit", {200: HOLDERS, 404: "other"}, kwargs=lambda s: {"pk": s.task.pk}),
    Row("activities:task_done", {405: WORKERS}, kwargs=lambda s: {"pk": s.task.pk}),
    Row("activities:task_reopen", {405: WORKERS}, kwargs=lambda s: {"pk": s.task.pk}),
    # --- commissions ---
    Row("commissions:statement_list", {200: "rep other manager finance"}),
    Row("commissions:statement_approve", {302: "finance manager"}),
    Row(
        "commissions:statement_detail",
        {200: PAID, 404: "other revops executive admin norole"},
        kwargs=lambda s: {"pk": s.statement.pk},
    ),
    Row(
        "commissions:earning_list",
        {200: PAID, 404: "other revops executive admin norole"},
        kwargs=lambda s: {"pk": s.statement.pk},
    ),
    Row("commissions:statement_return", {200: "finance manager"}, kwargs=lambda s: {"pk": s.statement.pk}),
    Row(
        "commissions:statement_bundle",
        {200: PAID, 404: "other revops executive admin norole"},
        kwargs=lambda s: {"pk": s.statement.pk},
    ),
    Row(
        "commissions:statement_pdf",
        {200: PAID, 404: "other revops executive admin norole"},
        kwargs=lambda s: {"pk": s.statement.pk},
    ),
    Row(
        "commissions:statement_forecast",
        {200: PAID, 404: "other revops executive admin norole"},
        kwargs=lambda s: {"pk": s.statement.pk},
    ),
    Row(
        "commissions:what_if",
        {200: PAID, 404: "other revops executive admin norole"},
        kwargs=lambda s: {"pk": s.statement.pk},
    ),
    Row("reorganisations:reorganisation_list", {200: PLANNING}),
    Row("reorganisations:reorganisation_create", {200: CONFIGURING}),
    *(
        Row(f"reorganisations:{name}", {200: people}, kwargs=lambda s: {"pk": s.reorganisation.pk})
        for name, people in (
            ("reorganisation_detail", PLANNING),
            ("reorganisation_edit", CONFIGURING),
            ("move_create", CONFIGURING),
            ("reorganisation_schedule", CONFIGURING),
            ("reorganisation_unschedule", CONFIGURING),
            ("reorganisation_carry_out", CONFIGURING),
            ("reorganisation_undo", CONFIGURING),
            ("reorganisation_drop", CONFIGURING),
            ("change_list", PLANNING),
        )
    ),
    *(
        Row(f"reorganisations:{name}", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.reorganisation.moves.get().pk})
        for name in ("move_edit", "move_remove")
    ),
    *(
        Row(
            f"reorganisations:{name}",
            {302: CONFIGURING},
            method="POST",
            kwargs=lambda s: {"pk": s.reorganisation.pk},
            data=lambda s: {"deal": s.deal.pk, "is_protected": "1"},
        )
        for name in ("reorganisation_preview", "reorganisation_protect")
    ),
    Row("commissions:contest_list", {200: SEEING}),
    Row("commissions:contest_create", {200: CONFIGURING}),
    Row(
        "commissions:contest_detail",
        {200: READERS, 404: "other executive norole"},
        kwargs=lambda s: {"pk": s.sales_contest.pk},
    ),
    Row("commissions:contest_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.sales_contest_draft.pk}),
    Row("commissions:contest_activate", {200: "finance"}, kwargs=lambda s: {"pk": s.sales_contest_draft.pk}),
    Row("commissions:contest_discard", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.sales_contest_draft.pk}),
    Row("commissions:contest_cancel", {200: "revops finance"}, kwargs=lambda s: {"pk": s.sales_contest.pk}),
    Row("commissions:scenario_list", {200: "revops finance"}),
    Row("commissions:scenario_create", {200: "revops finance"}),
    Row("commissions:scenario_detail", {200: "revops finance"}, kwargs=lambda s: {"pk": s.scenario.pk}),
    Row("commissions:scenario_delete", {200: "revops finance"}, kwargs=lambda s: {"pk": s.scenario.pk}),
    Row(
        "commissions:earning_detail",
        {200: PAID, 404: "other revops executive admin norole"},
        kwargs=lambda s: {"pk": s.earning.pk},
    ),
    Row("commissions:teampay_list", {302: "manager finance"}),
    Row("commissions:teampay_period", {200: "manager finance"}, kwargs=lambda s: {"pk": s.period.pk}),
    Row("commissions:cost_report", {200: "finance executive"}),
    Row("commissions:accrual_report", {200: "finance"}),
    Row("commissions:period_list", {200: "revops finance executive"}),
    Row("commissions:period_detail", {200: "revops finance executive"}, kwargs=lambda s: {"pk": s.period.pk}),
    Row("commissions:period_calculate", {405: "revops finance"}, kwargs=lambda s: {"pk": s.period.pk}),
    Row("commissions:period_lock", {200: "finance"}, kwargs=lambda s: {"pk": s.period.pk}),
    Row("commissions:payroll_release", {200: "finance"}, kwargs=lambda s: {"pk": s.period.pk}),
    Row("commissions:payrollfile_download", {200: "finance"}, kwargs=lambda s: {"pk": s.payroll_file.pk}),
    Row("commissions:payrollmapping_list", {200: "finance"}),
    Row("commissions:payrollmapping_create", {200: "finance"}),
    Row("commissions:payrollmapping_edit", {200: "finance"}, kwargs=lambda s: {"pk": s.payroll_mapping.pk}),
    Row("commissions:adjustment_list", {200: "rep other manager revops finance"}),
    Row("commissions:adjustment_create", {200: "manager revops finance"}),
    Row("commissions:adjustment_bulk_approve", {302: "finance"}),
    Row(
        "commissions:adjustment_detail",
        {200: f"{PAID} revops", 404: "other executive admin norole"},
        kwargs=lambda s: {"pk": s.adjustment.pk},
    ),
    Row("commissions:adjustment_approve", {200: "finance"}, kwargs=lambda s: {"pk": s.adjustment.pk}),
    Row("commissions:adjustment_refuse", {200: "finance"}, kwargs=lambda s: {"pk": s.adjustment.pk}),
    Row(
        "commissions:adjustment_withdraw",
        {200: "manager revops finance"},
        kwargs=lambda s: {"pk": s.adjustment.pk},
    ),
    Row(
        "commissions:statement_dispute",
        {200: "rep"},
        otherwise=404,
        kwargs=lambda s: {"pk": s.statement.pk},
    ),
    Row("commissions:dispute_list", {200: "rep other manager revops finance"}),
    Row(
        "commissions:dispute_detail",
        {200: f"{PAID} revops", 404: "other executive admin norole"},
        kwargs=lambda s: {"pk": s.dispute.pk},
    ),
    Row(
        "commissions:dispute_message",
        {200: f"{PAID} revops", 404: "other executive admin norole"},
        kwargs=lambda s: {"pk": s.dispute.pk},
    ),
    Row("commissions:dispute_decide", {200: "manager revops finance"}, kwargs=lambda s: {"pk": s.dispute.pk}),
    Row(
        "commissions:dispute_withdraw",
        {200: f"{PAID} revops", 404: "other executive admin norole"},
        kwargs=lambda s: {"pk": s.dispute.pk},
    ),
    Row("commissions:transaction_list", {200: SEEING}),
    Row("commissions:transaction_create", {200: "revops finance"}),
    Row("commissions:transaction_deals", {200: "revops finance"}),
    Row(
        "commissions:transaction_detail",
        {200: READERS, 404: "other executive norole"},
        kwargs=lambda s: {"pk": s.transaction.pk},
    ),
    Row("commissions:transaction_void", {200: "revops finance"}, kwargs=lambda s: {"pk": s.transaction.pk}),
    Row("commissions:event_list", {200: SEEING}),
    Row("commissions:event_create", {200: "manager revops"}),
    Row("commissions:event_upload", {200: "manager revops"}),
    Row(
        "commissions:event_detail",
        {200: "rep manager revops finance admin", 404: "other executive norole"},
        kwargs=lambda s: {"pk": s.event.pk},
    ),
    Row("commissions:event_void", {200: "manager revops"}, kwargs=lambda s: {"pk": s.event.pk}),
    Row("commissions:plan_list", {200: SEEING}),
    Row("commissions:plan_mine", {302: "rep other", 200: "manager revops finance admin"}),
    Row("commissions:plan_create", {200: CONFIGURING}),
    Row("commissions:plan_detail", {200: SEEING, 404: "executive norole"}, kwargs=lambda s: {"pk": s.plan.pk}),
    Row("commissions:version_create", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.plan.pk}),
    Row("commissions:assignment_create", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.plan.pk}),
    Row("commissions:assignment_end", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.plan.pk}),
    Row("commissions:version_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:version_basics", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:version_conventions", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:version_settlement", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:version_examples", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:version_text", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:component_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk, "place": 0}),
    Row("commissions:component_curve", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk, "place": 0}),
    Row("commissions:formula_check", {200: CONFIGURING}),
    Row("commissions:version_file", {200: SEEING, 404: "executive norole"}, kwargs=lambda s: {"pk": s.version.pk}),
    Row("commissions:version_acknowledge", {405: EVERYONE}, kwargs=lambda s: {"pk": s.version.pk}),
    Row("commissions:version_activate", {200: "finance"}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:version_discard", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.draft.pk}),
    Row("commissions:quota_list", {200: SEEING}),
    Row("commissions:quota_create", {200: "manager revops admin"}),
    Row("commissions:quota_edit", {200: "manager revops admin"}, kwargs=lambda s: {"pk": s.quota.pk}),
    # --- connectors ---
    Row("connectors:import_list", {200: CONFIGURING}),
    Row("connectors:import_create", {200: CONFIGURING}),
    Row("connectors:import_detail", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:import_kind", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:import_reading", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:import_mapping", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:import_name", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:import_save_mapping", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:import_start", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:import_retry", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:row_list", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:row_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.rejected_row.pk}),
    Row("connectors:row_dismiss", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.rejected_row.pk}),
    Row("connectors:connection_list", {200: CONFIGURING}),
    Row("connectors:connection_choose", {200: CONFIGURING}),
    Row("connectors:connection_create", {200: CONFIGURING}, kwargs=lambda s: {"vendor": "salesforce"}),
    Row("connectors:connection_authorized", {302: CONFIGURING}),
    Row("connectors:connection_detail", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_sign_in", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_test", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_objects", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_start", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_pause", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_sync", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_reconcile", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_mend", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_resync", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_disconnect", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:connection_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:stream_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.stream.pk}),
    Row("connectors:stream_empty", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.stream.pk}),
    Row("connectors:stream_sample", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.stream.pk}),
    Row("connectors:stream_preview", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.stream.pk}),
    Row("connectors:rawrecord_shelf", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:rawrecord_retry", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:rawrecord_dismiss", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:rawrecord_list", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:syncrun_list", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:webhookevent_list", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:webhookevent_secret", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:outgoing_list", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:drift_list", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.connection.pk}),
    Row("connectors:rawrecord_detail", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.raw_record.pk}),
    Row("connectors:rawrecord_name", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.raw_record.pk}),
    Row("connectors:rawrecord_retry_one", {405: CONFIGURING}, kwargs=lambda s: {"pk": s.raw_record.pk}),
    Row("connectors:hold_decide", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.hold.pk}),
    Row(
        "connectors:origin_detail",
        {200: READERS, 404: "other executive norole"},
        kwargs=lambda s: {"kind": "deal", "pk": s.deal.pk},
    ),
    # --- notices ---
    Row("notices:notice_list", {200: EVERYONE}),
    Row("notices:notice_bell", {200: EVERYONE}),
    Row("notices:notice_read", {405: EVERYONE}),
    Row("notices:notice_open", {405: EVERYONE}, kwargs=lambda s: {"pk": s.notice.pk}),
    # --- audit ---
    Row("audit:entry_list", {200: "revops finance admin"}),
    Row("audit:entry_detail", {200: "revops finance admin"}, kwargs=lambda s: {"pk": s.entry.pk}),
    # --- jobs ---
    Row("jobs:job_list", {200: SEEING}),
    Row("jobs:job_detail", {200: CONFIGURING, 404: "rep other manager finance"}, kwargs=lambda s: {"pk": s.job.pk}),
    Row("jobs:job_progress", {200: CONFIGURING, 404: "rep other manager finance"}, kwargs=lambda s: {"pk": s.job.pk}),
    Row("jobs:job_cancel", {405: SEEING}, kwargs=lambda s: {"pk": s.job.pk}),
    Row("jobs:job_retry", {405: SEEING}, kwargs=lambda s: {"pk": s.job.pk}),
    # --- api ---
    Row("api:account-list", {200: SEEING}),
    Row("api:account-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.account.pk}),
    Row("api:account-assign", {405: SEEING}, kwargs=lambda s: {"pk": s.account.pk}),
    Row("api:contact-list", {200: SEEING}),
    Row("api:contact-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.contact.pk}),
    Row("api:activity-list", {200: SEEING}),
    Row("api:activity-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.task.pk}),
    Row("api:activity-done", {405: SEEING}, kwargs=lambda s: {"pk": s.task.pk}),
    Row("api:deal-list", {200: SEEING}),
    Row("api:deal-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("api:deal-move", {405: SEEING}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("api:deal-reassign", {405: SEEING}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("api:deal-stage-changes", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("api:deal-spiced", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.deal.pk}),
    Row("api:approval-list", {200: SEEING}),
    Row("api:approval-answer", {405: SEEING}, kwargs=lambda s: {"pk": s.escalation.pk}),
    Row("api:guarddecision-list", {200: SEEING}),
    Row("api:handoff-list", {200: SEEING}),
    Row("api:handoff-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.hand_off.pk}),
    Row("api:handoff-answer", {405: SEEING}, kwargs=lambda s: {"pk": s.hand_off.pk}),
    Row("api:handoff-rate", {405: SEEING}, kwargs=lambda s: {"pk": s.hand_off.pk}),
    Row("api:lead-spiced", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:stage-list", {200: SEEING}),
    Row("api:product-list", {200: SEEING}),
    Row("api:lead-list", {200: SEEING}),
    Row("api:lead-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-assign", {405: SEEING}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-assignments", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-change-status", {405: SEEING}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-convert", {405: SEEING}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-routing", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-give-back", {405: SEEING}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("leads:pool_setup_back", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.pool_version.pk}),
    Row("api:pool-list", {200: SEEING}),
    Row("api:pool-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.pool.pk}),
    Row("api:pool-members", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.pool.pk}),
    Row("api:pool-setups", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.pool.pk}),
    Row("api:lead-merge", {405: SEEING}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-part", {405: SEEING}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-score", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:lead-signals", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.lead.pk}),
    Row("api:pod-list", {200: HIRED}),
    Row(
        "api:pod-detail",
        {200: "rep manager revops finance executive admin", 404: "other"},
        kwargs=lambda s: {"pk": s.cast.north.pk},
    ),
    Row(
        "api:pod-memberships",
        {200: "rep manager revops finance executive admin", 404: "other"},
        kwargs=lambda s: {"pk": s.cast.north.pk},
    ),
    Row("api:segment-list", {200: HIRED}),
    Row("api:territory-list", {200: HIRED}),
    Row("api:plan-list", {200: SEEING}),
    Row("api:plan-detail", {200: SEEING}, kwargs=lambda s: {"pk": s.plan.pk}),
    Row("api:planversion-list", {200: SEEING}),
    Row("api:planversion-detail", {200: SEEING}, kwargs=lambda s: {"pk": s.version.pk}),
    Row("api:contest-list", {200: SEEING}),
    Row("api:contest-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.sales_contest.pk}),
    Row("api:contest-standings", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.sales_contest.pk}),
    Row("api:period-list", {200: "manager revops finance executive"}),
    Row("api:quota-list", {200: SEEING}),
    Row("api:quota-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.quota.pk}),
    Row("api:transaction-list", {200: SEEING}),
    Row("api:transaction-detail", {200: READERS, 404: "other"}, kwargs=lambda s: {"pk": s.transaction.pk}),
    Row("api:transaction-void", {405: SEEING}, kwargs=lambda s: {"pk": s.transaction.pk}),
    Row("api:credit-list", {200: "rep other manager finance"}),
    Row("api:credit-detail", {200: PAID, 404: "other"}, kwargs=lambda s: {"pk": s.earning.credit_id}),
    Row("api:statement-list", {200: "rep other manager finance"}),
    Row("api:statement-detail", {200: PAID, 404: "other"}, kwargs=lambda s: {"pk": s.statement.pk}),
    Row("api:statement-lines", {200: PAID, 404: "other"}, kwargs=lambda s: {"pk": s.statement.pk}),
    Row("api:statement-settlement-lines", {200: PAID, 404: "other"}, kwargs=lambda s: {"pk": s.statement.pk}),
    Row("api:adjustment-list", {200: "rep other manager revops finance"}),
    Row(
        "api:adjustment-detail",
        {200: f"{PAID} revops", 404: "other"},
        kwargs=lambda s: {"pk": s.adjustment.pk},
    ),
    Row("api:effortscore-list", {200: HIRED}),
    Row("api:schema", {200: EVERYONE}),
    Row("api:docs", {200: EVERYONE}),
    # --- effort: oneself and the managers above, and nobody else by person ---
    Row("effort:effort_mine", {200: HIRED}),
    Row("effort:effort_export", {200: HIRED}),
    Row(
        "effort:effort_person",
        {200: "rep manager", 404: "other revops finance executive admin"},
        kwargs=lambda s: {"pk": s.cast.ana.pk},
    ),
    Row(
        "effort:effort_records",
        {200: "rep manager", 404: "other revops finance executive admin"},
        kwargs=lambda s: {"pk": s.cast.ana.pk},
    ),
    Row("effort:effortscore_list", {200: "manager"}),
    Row("effort:group_report", {200: "manager revops executive"}),
    Row("effort:effortcontest_list", {200: HIRED}),
    Row("effort:effortcontest_create", {200: HIRED}),
    Row("effort:effortcontest_decide", {200: "manager revops"}, kwargs=lambda s: {"pk": s.contest.pk}),
    Row(
        "effort:effortcontest_withdraw",
        {200: "rep", 404: "other manager revops finance executive admin"},
        kwargs=lambda s: {"pk": s.contest.pk},
    ),
    Row("effort:effortversion_list", {200: HIRED}),
    Row("effort:effortversion_create", {200: CONFIGURING}),
    Row(
        "effort:effortversion_detail",
        {200: CONFIGURING, 404: "rep other manager finance executive"},
        kwargs=lambda s: {"pk": s.effort_version.pk},
    ),
    Row("effort:effortversion_edit", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.effort_version.pk}),
    Row("effort:effortversion_activate", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.effort_version.pk}),
    Row("effort:effortversion_discard", {200: CONFIGURING}, kwargs=lambda s: {"pk": s.effort_version.pk}),
    Row(
        "effort:efforttarget_edit",
        {200: CONFIGURING},
        kwargs=lambda s: {"pk": s.effort_version.pk, "function": "sdr"},
    ),
    Row("effort:effortpolicy_list", {200: CONFIGURING}),
    Row("effort:effortpolicy_edit", {200: "admin"}, kwargs=lambda s: {"pk": s.entity.pk}),
    Row("effort:effortpolicy_on", {200: "admin"}, kwargs=lambda s: {"pk": s.entity.pk}),
    Row("effort:effortpolicy_off", {200: "admin"}, kwargs=lambda s: {"pk": s.entity.pk}),
    # --- what only takes a POST, for those whose row it is not ---
    Row(
        "deals:deal_place",
        {200: HOLDERS, 404: "other"},
        method="POST",
        kwargs=lambda s: {"pk": s.deal.pk},
        data=lambda s: {"stage": s.deal.stage_id, "version": s.deal.version},
    ),
    Row("activities:task_done", {404: "other", 302: HOLDERS}, method="POST", kwargs=lambda s: {"pk": s.task.pk}),
    Row(
        "leads:board_assign",
        {200: RULING},
        method="POST",
        data=lambda s: {"lead": s.lead.pk, "owner": s.cast.sam.pk},
    ),
    # No rules are in force, and nothing was given on the board.
    Row("leads:board_suggest", {422: RULING}, method="POST", data=lambda s: {"lead": s.lead.pk}),
    Row("leads:board_undo", {422: RULING}, method="POST", data=lambda s: {"act": 1}),
    Row("leads:scoreversion_compare", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.score_version.pk}),
    Row("connectors:import_start", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.file_import.pk}),
    Row("connectors:row_dismiss", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.rejected_row.pk}),
    Row("connectors:connection_sign_in", {200: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.connection.pk}),
    *(
        Row(f"connectors:{name}", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.connection.pk})
        for name in (
            "connection_test",
            "connection_objects",
            "connection_sync",
            "connection_reconcile",
            "connection_mend",
            "connection_pause",
            "connection_start",
            "connection_resync",
            "rawrecord_retry",
            "rawrecord_dismiss",
            "webhookevent_secret",
        )
    ),
    Row("connectors:stream_empty", {422: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.stream.pk}),
    Row("connectors:stream_edit", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.stream.pk}),
    Row("connectors:rawrecord_name", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.raw_record.pk}),
    Row("connectors:rawrecord_retry_one", {302: CONFIGURING}, method="POST", kwargs=lambda s: {"pk": s.raw_record.pk}),
    Row(
        "connectors:hold_decide",
        {302: CONFIGURING},
        method="POST",
        kwargs=lambda s: {"pk": s.hold.pk},
        data=lambda s: {"decision": "turn_away", "reason": "Not now."},
    ),
    Row("commissions:period_calculate", {302: "revops finance"}, method="POST", kwargs=lambda s: {"pk": s.period.pk}),
    Row("commissions:period_lock", {422: "finance"}, method="POST", kwargs=lambda s: {"pk": s.period.pk}),
    Row(
        "jobs:job_cancel",
        {302: CONFIGURING, 404: "rep other manager finance"},
        method="POST",
        kwargs=lambda s: {"pk": s.job.pk},
    ),
    Row("notices:notice_open", {302: "rep"}, otherwise=404, method="POST", kwargs=lambda s: {"pk": s.notice.pk}),
]
