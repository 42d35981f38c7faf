"""A scene around the cast: one of each thing, belonging to Ana of pod North, for tests that walk over all pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from salesops.accounts.models import Account, Contact
from salesops.activities.models import Activity
from salesops.deals.models import Deal, Product, Stage
from salesops.leads.models import Lead
from tests.cast import NOW, TODAY, Cast


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
    return Scene(cast=cast, account=account, contact=contact, lead=lead, deal=deal, product=product, task=task)
