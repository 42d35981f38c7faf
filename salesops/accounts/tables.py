"""The tables of the accounts room."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from salesops.accounts.choices import AccountStatus, Consent
from salesops.accounts.models import Account, Contact
from salesops.core.tables import (
    BadgeColumn,
    ChoiceColumn,
    FlagColumn,
    LinkColumn,
    MomentColumn,
    MoneyColumn,
    NumberColumn,
    PersonColumn,
    PortalColumn,
    PortalTable,
)

#: The colour of an account's status, wherever it is shown.
TONES = {AccountStatus.PROSPECT: "blue", AccountStatus.CUSTOMER: "green", AccountStatus.FORMER: "grey"}


class AccountTable(PortalTable):
    """The account list. Columns that lead no index sort lists of up to 10,000 rows."""

    name = LinkColumn("accounts:account_detail", verbose_name=_("Account"))
    status = BadgeColumn(accessor="status", tones=TONES, verbose_name=_("Status"))
    segment = PortalColumn(accessor="segment__name", verbose_name=_("Segment"))
    owner = PersonColumn(accessor="owner", verbose_name=_("Owner"))
    pod = PortalColumn(accessor="pod__name", verbose_name=_("Pod"))
    territory = PortalColumn(accessor="territory__name", verbose_name=_("Territory"))
    industry = PortalColumn(verbose_name=_("Industry"))
    country = PortalColumn(verbose_name=_("Country"))
    city = PortalColumn(verbose_name=_("City"))
    employees = NumberColumn(verbose_name=_("Employees"), initial_sort_descending=True)
    revenue = MoneyColumn(accessor="revenue_minor", verbose_name=_("Annual revenue"), initial_sort_descending=True)
    founded_year = PortalColumn(verbose_name=_("Founded"))
    external_id = PortalColumn(verbose_name=_("External id"))
    created_at = MomentColumn(ago=True, verbose_name=_("Created"), initial_sort_descending=True)

    default_columns = ("name", "status", "segment", "owner", "industry", "country", "employees", "created_at")

    class Meta:
        model = Account
        fields = ()


class ContactTable(PortalTable):
    """The contact list."""

    name = LinkColumn("accounts:contact_detail", verbose_name=_("Contact"))
    title = PortalColumn(verbose_name=_("Title"))
    account = LinkColumn(
        "accounts:account_detail", accessor="account__name", pk_field="account_id", verbose_name=_("Account")
    )
    email = PortalColumn(verbose_name=_("E-mail"))
    phone = PortalColumn(verbose_name=_("Phone"))
    consent = ChoiceColumn(verbose_name=_("May be contacted"))
    is_primary = FlagColumn(verbose_name=_("Main contact"))
    created_at = MomentColumn(ago=True, verbose_name=_("Created"))

    default_columns = ("name", "title", "account", "email", "phone", "is_primary")

    class Meta:
        model = Contact
        fields = ()

    def show_email(self, value: str, record: Contact) -> str:
        """An address to write to."""
        return _way("mailto", value, record)

    def show_phone(self, value: str, record: Contact) -> str:
        """A number to call."""
        return _way("tel", value, record)


def _way(way: str, value: str, record: Contact) -> str:
    """A link that writes or calls; only the text for whoever refused to be contacted."""
    if record.consent == Consent.REFUSED:
        return value
    return format_html('<a href="{}:{}">{}</a>', way, value, value) if value else ""
