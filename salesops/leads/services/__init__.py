"""Everything that changes leads. Each service is one transaction; what is refused changes nothing."""

from salesops.leads.services.touches import touch_lead

__all__ = ["touch_lead"]
