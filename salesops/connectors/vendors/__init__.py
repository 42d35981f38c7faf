"""The vendors that the portal knows, by code. A vendor is one file here that says what is different about it."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from salesops.connectors.vendors.base import Vendor

#: Code and module, in the order in which they are offered; a module's `VENDOR` is made when it is first asked for.
_MODULES: Final[dict[str, str]] = {
    "salesforce": "salesforce",
    "hubspot": "hubspot",
    "close": "close",
    "outreach": "outreach",
    "pipedrive": "pipedrive",
    "sellsy": "sellsy",
    "stripe": "stripe",
    "chargebee": "chargebee",
    "quickbooks": "quickbooks",
    "xero": "xero",
    "twilio": "twilio",
    "aircall": "aircall",
    "zoom": "zoom",
    "ringcentral": "ringcentral",
    "google": "google",
    "microsoft": "microsoft",
    "sql": "sql",
}


def vendor_of(code: str) -> Vendor:
    """The vendor of a code. Raises KeyError for one that the portal does not know."""
    module = import_module(f"{__name__}.{_MODULES[code]}")
    vendor: Vendor = module.VENDOR
    return vendor


def vendors() -> list[Vendor]:
    """Every vendor, in the order in which they are offered."""
    return [vendor_of(code) for code in _MODULES]
