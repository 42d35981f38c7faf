"""The forms of the deals room. Choices come from what the actor may choose; the services check again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from salesops.accounts.forms import AccountField, offer, offer_currencies
from salesops.accounts.models import Contact
from salesops.core.actor import Actor
from salesops.core.forms import DateField, MoneyField, PortalForm, ShareField
from salesops.core.upserts import UNSET
from salesops.deals.choices import StageKind
from salesops.deals.models import Deal, DealLine, DealSplit, Product, Stage
from salesops.deals.rules.stages import FREE_WHEN_CLOSED
from salesops.deals.selectors import owners_for, people_to_share_with, pods_to_choose_for, products, stages
from salesops.deals.services import BulkChanges, LineDraft, SplitDraft
from salesops.deals.services.deals import EDITABLE
from salesops.people.choices import JobFunction
from salesops.people.models import User
from salesops.pods.models import Pod


class DealForm(PortalForm):
    """The fields of a deal that are typed. `version` is the one the form was opened with.

    Of a closed deal, who may not change what it pays is asked for the texts only.
    """

    name = forms.CharField(label=_("Name"), max_length=200)
    account = AccountField(label=_("Account"), required=False)
    contact = forms.ModelChoiceField(Contact.objects.none(), label=_("Contact"), required=False, empty_label="—")
    amount_minor = MoneyField(label=_("Amount"), required=False)
    currency = forms.ChoiceField(label=_("Currency"))
    term_months = forms.IntegerField(label=_("Term in months"), min_value=1, max_value=1_200, required=False)
    product = forms.ModelChoiceField(Product.objects.none(), label=_("Main product"), required=False, empty_label="—")
    opened_on = DateField(label=_("Opened on"), required=False)
    expected_close_on = DateField(label=_("Expected close"), required=False)
    closed_on = DateField(label=_("Closed on"))
    lost_because = forms.CharField(label=_("Lost because"), max_length=200)
    next_step = forms.CharField(label=_("Next step"), max_length=200, required=False)
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 4}))
    external_id = forms.CharField(
        label=_("External id"), max_length=80, required=False, help_text=_("The deal's id in another system.")
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Actor, deal: Deal, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        self.deal = deal
        cast(AccountField, self.fields["account"]).actor = actor
        offer(
            self,
            product=Product.objects.filter(Q(is_active=True) | Q(deals=deal)).distinct(),
            contact=Contact.objects.filter(account__deals=deal),
        )
        offer_currencies(self, deal.currency)
        if deal.account_id is None:
            del self.fields["contact"]
        if deal.lines.exists():
            for name in ("amount_minor", "currency"):
                self.fields[name].disabled = True
            self.fields["amount_minor"].help_text = _("The sum of the deal's lines.")
        if deal.kind == StageKind.OPEN:
            del self.fields["closed_on"]
        if deal.kind != StageKind.LOST:
            del self.fields["lost_because"]
        if deal.kind != StageKind.OPEN and not actor.may_change_closed_deals:
            for name in EDITABLE.intersection(self.fields) - FREE_WHEN_CLOSED:
                del self.fields[name]

    @property
    def changes(self) -> dict[str, Any]:
        """What the service may change, from what was typed."""
        changes = {name: value for name, value in self.values.items() if name != "version"}
        if "amount_minor" in changes:
            changes["amount_minor"] = changes["amount_minor"] or 0
        account = changes.get("account", self.deal.account)
        contact = changes.get("contact")
        if contact is not None and (account is None or contact.account_id != account.pk):
            changes["contact"] = None
        return changes


class DealCreateForm(PortalForm):
    """A new deal."""

    name = forms.CharField(label=_("Name"), max_length=200)
    account = AccountField(label=_("Account"), required=False)
    amount_minor = MoneyField(label=_("Amount"), required=False)
    currency = forms.ChoiceField(label=_("Currency"))
    term_months = forms.IntegerField(label=_("Term in months"), min_value=1, max_value=1_200, required=False)
    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("Stage"))
    expected_close_on = DateField(label=_("Expected close"), required=False)
    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody"))
    pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("Pod"), required=False, empty_label=_("The pod of the owner")
    )
    product = forms.ModelChoiceField(Product.objects.none(), label=_("Main product"), required=False, empty_label="—")
    next_step = forms.CharField(label=_("Next step"), max_length=200, required=False)
    note = forms.CharField(label=_("Note"), required=False, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        opened = stages().filter(kind=StageKind.OPEN)
        cast(AccountField, self.fields["account"]).actor = actor
        offer_currencies(self)
        offer(
            self,
            stage=opened,
            owner=owners_for(actor, at=at),
            pod=pods_to_choose_for(actor),
            product=products(),
        )
        self.initial.setdefault("stage", opened.first())
        self.initial.setdefault("owner", actor.user_id)
        self.initial.setdefault("currency", settings.COMPANY_CURRENCY)

    @property
    def given(self) -> dict[str, Any]:
        """The keyword arguments of `create_deal`."""
        given = dict(self.values)
        given["amount_minor"] = given["amount_minor"] or 0
        if given["pod"] is None:
            given["pod"] = UNSET
        return given


class StageSelect(forms.Select):
    """Stages with their kind, so that the page shows what closing needs only where it is needed."""

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As any option, with `data-kind`."""
        option = super().create_option(*args, **kwargs)
        stage = getattr(option["value"], "instance", None)
        if isinstance(stage, Stage):
            option["attrs"]["data-kind"] = stage.kind
        return option


class MoveForm(PortalForm):
    """To which stage; and when and why, when the stage closes the deal."""

    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("Stage"), empty_label=None, widget=StageSelect)
    closed_on = DateField(label=_("Closed on"), required=False, help_text=_("Empty is today."))
    lost_because = forms.CharField(label=_("Lost because"), max_length=200, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Actor, only: Stage | None = None, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer(self, stage=stages())
        if only is not None:
            self.fields["stage"].widget = forms.HiddenInput()
            if only.kind == StageKind.OPEN:
                del self.fields["closed_on"]
            if only.kind != StageKind.LOST:
                del self.fields["lost_because"]


class ReassignForm(PortalForm):
    """To whom a deal goes."""

    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("Nobody"))
    pod = forms.ModelChoiceField(
        Pod.objects.none(), label=_("Pod"), required=False, empty_label=_("The pod of the owner")
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer(self, owner=owners_for(actor, at=at), pod=pods_to_choose_for(actor))


class LineForm(forms.Form):
    """One line. The amount is counted unless the contract states another."""

    pk = forms.IntegerField(required=False, widget=forms.HiddenInput)
    product = forms.ModelChoiceField(Product.objects.none(), label=_("Product"), empty_label="—")
    quantity = forms.DecimalField(
        label=_("Quantity"), max_digits=20, decimal_places=6, widget=forms.TextInput(attrs={"inputmode": "decimal"})
    )
    unit_price = MoneyField(label=_("Unit price"))
    discount = ShareField(label=_("Discount %"), required=False)
    amount = MoneyField(label=_("Amount"), required=False)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

    def __init__(self, *args: Any, deal: Deal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deal = deal
        self.fields["amount"].widget.attrs["placeholder"] = self.initial.get("counted", "")
        offer(self, product=Product.objects.filter(Q(is_active=True) | Q(deal_lines__deal=deal)).distinct())

    def _clean_fields(self) -> None:
        super()._clean_fields()  # type: ignore[misc]  # Django's own step, which its stubs leave out
        for name in ("unit_price", "amount"):
            field, amount = self.fields[name], self.cleaned_data.get(name)
            if isinstance(field, MoneyField) and isinstance(amount, Decimal):
                try:
                    self.cleaned_data[name] = field.minor(amount, self.deal.currency)
                except ValidationError as error:
                    self.add_error(name, error)

    @property
    def draft(self) -> LineDraft:
        """The line for the service."""
        data = self.cleaned_data
        return LineDraft(
            product_id=data["product"].pk,
            quantity=data["quantity"],
            unit_price_minor=data["unit_price"],
            discount_bp=data["discount"] or 0,
            amount_minor=data["amount"],
            pk=data["pk"],
            note=data["note"],
        )


class SplitForm(forms.Form):
    """One share."""

    person = forms.ModelChoiceField(User.objects.none(), label=_("Person"), empty_label="—")
    function = forms.ChoiceField(label=_("Function"), choices=JobFunction.choices, initial=JobFunction.AE)
    share = ShareField(label=_("Share %"))
    is_overlay = forms.BooleanField(label=_("On top"), required=False)

    def __init__(self, *args: Any, deal: Deal, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(Q(pk__in=people_to_share_with(actor)) | Q(deal_splits__deal=deal)).distinct()
        offer(self, person=people)

    @property
    def draft(self) -> SplitDraft:
        """The share for the service."""
        data = self.cleaned_data
        return SplitDraft(data["person"].pk, data["share"], data["function"], data["is_overlay"])


LineFormSet = forms.formset_factory(
    LineForm, extra=1, can_delete=True, can_delete_extra=False, max_num=500, absolute_max=500
)
SplitFormSet = forms.formset_factory(
    SplitForm, extra=1, can_delete=True, can_delete_extra=False, max_num=50, absolute_max=50
)


def line_initial(line: DealLine) -> dict[str, Any]:
    """A line as its form starts with it."""
    return {
        "pk": line.pk,
        "product": line.product_id,
        "quantity": format(line.quantity, "f"),
        "discount": line.discount_bp,
        "note": line.note,
    }


def split_initial(split: DealSplit) -> dict[str, Any]:
    """A share as its form starts with it."""
    return {
        "person": split.person_id,
        "function": split.function,
        "share": split.share_bp,
        "is_overlay": split.is_overlay,
    }


class BulkForm(PortalForm):
    """What is to become of many deals. What is left empty stays as it is."""

    stage = forms.ModelChoiceField(Stage.objects.none(), label=_("Stage"), required=False, empty_label=_("As it is"))
    closed_on = DateField(label=_("Closed on"), required=False, help_text=_("For won and lost deals; empty is today."))
    lost_because = forms.CharField(
        label=_("Lost because"), max_length=200, required=False, help_text=_("For lost deals.")
    )
    expected_close_on = DateField(label=_("Expected close"), required=False)
    product = forms.ModelChoiceField(
        Product.objects.none(), label=_("Main product"), required=False, empty_label=_("As it is")
    )
    next_step = forms.CharField(label=_("Next step"), max_length=200, required=False)
    clear = forms.MultipleChoiceField(
        label=_("Empty these"),
        required=False,
        choices=[
            ("expected_close_on", _("Expected close")),
            ("product", _("Main product")),
            ("next_step", _("Next step")),
        ],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer(self, stage=stages(), product=products())

    def clean(self) -> dict[str, Any] | None:
        """Refuse to set and to empty the same field, and to change nothing."""
        data = super().clean() or self.cleaned_data
        for name in data.get("clear", []):
            if data.get(name):
                self.add_error(name, ValidationError(_("Either set it or empty it."), code="both"))
        if not self.errors and self.changes.is_empty:
            self.add_error(None, ValidationError(_("Choose at least one thing to change."), code="nothing"))
        return data

    @property
    def changes(self) -> BulkChanges:
        """The changes for the service."""
        data = self.cleaned_data
        given: dict[str, Any] = {"closed_on": data.get("closed_on"), "lost_because": data.get("lost_because", "")}
        if data.get("stage"):
            given["stage"] = data["stage"]
        for name, empty in (("expected_close_on", None), ("product", None), ("next_step", "")):
            if data.get(name):
                given[name] = data[name]
            elif name in data.get("clear", []):
                given[name] = empty
        return BulkChanges(**given)


class BulkReassignForm(PortalForm):
    """To whom many deals go."""

    owner = forms.ModelChoiceField(User.objects.none(), label=_("Owner"), required=False, empty_label=_("As it is"))
    without_owner = forms.BooleanField(label=_("Take the owner away"), required=False)
    pod = forms.ModelChoiceField(
        Pod.objects.none(),
        label=_("Pod"),
        required=False,
        empty_label=_("That of the new owner, else as it is"),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, actor: Actor, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, actor=actor, **kwargs)
        offer(self, owner=owners_for(actor, at=at), pod=pods_to_choose_for(actor))

    def clean(self) -> dict[str, Any] | None:
        """Refuse to give and to take away at once, and to change nothing."""
        data = super().clean() or self.cleaned_data
        if data.get("owner") and data.get("without_owner"):
            self.add_error("without_owner", ValidationError(_("Either give it or take it away."), code="both"))
        elif not self.errors and self.changes.is_empty:
            self.add_error(None, ValidationError(_("Choose an owner or a pod."), code="nothing"))
        return data

    @property
    def changes(self) -> BulkChanges:
        """The changes for the service."""
        data = self.cleaned_data
        given: dict[str, Any] = {"reason": data.get("reason", "")}
        if data.get("owner"):
            given["owner"] = data["owner"]
        elif data.get("without_owner"):
            given["owner"] = None
        if data.get("pod"):
            given["pod"] = data["pod"]
        return BulkChanges(**given)
