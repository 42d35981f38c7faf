"""A plan that says every word a plan can say, for tests that nothing is lost on the way."""

from __future__ import annotations

from salesops.commissions.rules.plans import PlanDefinition
from salesops.commissions.services.plan_files import read_plans

EVERY_WORD = """
name: Every word
description: All that a plan can say.
currency: EUR
time_zone: Europe/Berlin
period_kind: month
ramp: [25%, 50%, 87.5%]
components:
  - key: tiers
    name: Tiers
    measure: money
    counts: [renewal, booking, credit_note]
    when: segment = "enterprise" and amount >= 1000
    amount: amount * 50%
    group: deal
    crediting: [owner, split, holder, overlay, roll_up, pod]
    quota_name: renewals
    weight: 60%
    period_kind: year
    scope: period
    boundary: lower
    is_falling_allowed: true
    standard_quota: 50000
    standard_target: 4000
    shape:
      shape: marginal
      tiers: [{from: 0%, rate: 1x}, {from: 100%, rate: 1.5x}]
      gate: {at: 40%, then: all}
      floor: 100
      cap: 200%
  - key: things
    name: Things
    measure: count
    counts: [meeting]
    quota_name: meetings
    amount: quantity * 2
    shape: {shape: marginal, tiers: [{from: 0, rate: 40 each}, {from: 10, rate: 50.50 each}]}
  - key: back
    name: From the first cent
    group: deal
    scope: transaction
    shape: {shape: retroactive, tiers: [{from: 0, rate: 2%}, {from: "50000.00", rate: "0.03"}], gate: {at: 100, then: above}}
  - key: steps
    name: Steps
    period_kind: half
    shape: {shape: steps, steps: [{from: 100%, pays: 5000}, {from: 120%, pays: 150%}]}
  - key: points
    name: Points
    shape: {shape: points, points: [{at: 50%, pays: 0}, {at: 100%, pays: 100%}], after: continue}
  - key: personal
    name: Personal
    shape: {shape: flat, rate: 1.5x personal}
settlement:
  objectives:
    - {key: mbo, weight: 1/3, most: 150%}
    - {key: other, weight: 5%}
  bonuses:
    - {key: spiff, pays: 250, most_count: 2}
    - {key: share, pays: 10%}
  multiplier:
    components: [things, tiers, mbo]
    rows: [{at: 0%, factor: 80%}, {at: 100%, factor: 120%}]
    kind: points
    gate: 50%
    boundary: lower
  limits:
    - {component: tiers, cap: 200%, floor: 500, basis: period}
    - {cap: 90000, basis: year_to_date}
  draw: {amount: 2000, kind: forgiven, mode: on_top, first_day: 2026-01-01, last_day: 2026-06-30, most_recovered: 50%, forgiven_on: 2026-12-31, key: start}
  releases:
    - {kind: instalments, components: [steps, points], parts: [{share: 1/2}, {share: 1/4, days: 30}, {share: 1/4, days: 90}]}
    - {kind: hold, components: [back], days: 30}
    - {kind: on_payment, components: [personal]}
    - {kind: at_once}
  clawback: {steps: [{until_days: 90, share: 100%}, {until_days: 365, share: 0}], is_linear: true}
  negative: show_as_owed
conventions:
  boundary: lower
  zero_quota: lowest
  settlement_order: cap_draw_bonus
  proration: months
  ramp: first_full_month
  quota_change: latest
  refund: move_down
  rounding: per_line
  counting_date: booking
  exchange: fixed
  tier_change: forward_only
  leaver: paid_before
  credit_day: by_days
rates: {USD: "0.91", JPY: "0.0061"}
examples:
  - {name: Money, component: tiers, quota: 50000, target: 4000, credits: [50000, 10000.50], lines: [4000, 1200.06], expected: 5200.06}
  - {name: Things, component: things, quota: 10, credits: [10, 1], expected: 450.50}
  - {name: Personal, component: personal, personal_rate: 1/8, credits: [800], expected: 150}
"""


def every_word() -> PlanDefinition:
    """The plan."""
    ((_name, _description, plan),) = read_plans(EVERY_WORD.encode()).unwrap()
    return plan
