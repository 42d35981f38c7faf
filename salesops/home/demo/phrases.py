"""The small texts of the made-up company: titles, subjects, reasons. Pure."""

from __future__ import annotations

from typing import Final

CONTACT_TITLES: Final = (
    "Head of quality", "Laboratory manager", "Plant manager", "Purchasing manager", "Process engineer", "Chief operating officer",
    "Director of research", "Maintenance lead", "Metrology specialist", "Production planner", "Owner", "Head of procurement",
    "Environmental officer", "IT manager", "Quality engineer", "Managing director",
)  # fmt: skip

CAMPAIGNS: Final = (
    "Spring webinar: inline analysis", "Lumen launch", "Quality week booth", "Newsletter", "Calibration guide download",
    "Search: particle counter", "Partner referral", "Autumn trade fair", "Retargeting", "Polar test drive",
)  # fmt: skip

ORIGINS: Final = (
    "inbound",
    "inbound",
    "inbound",
    "inbound",
    "outbound",
    "outbound",
    "outbound",
    "event",
    "event",
    "partner",
    "referral",
    "import",
)

DISQUALIFIED: Final = (
    "No budget this year", "Student project", "Too small", "Wrong region", "No answer after seven attempts", "Competitor",
    "Already a customer under another name", "Bought elsewhere", "Only wanted the guide", "Address does not exist",
)  # fmt: skip

LOST: Final = (
    "Price", "Chose a competitor", "No decision", "Project postponed", "Missing feature: EtherCAT", "Budget cut",
    "Stayed with the old instrument", "Champion left the company", "Delivery time", "Legal could not agree",
)  # fmt: skip

NEXT_STEPS: Final = (
    "Send revised offer", "Demo with the plant team", "Call about the sample results", "Security questionnaire", "Agree on delivery date",
    "Wait for purchasing", "Bring in an application engineer", "Visit on site", "Confirm budget with finance", "Draft contract sent",
    "", "",
)  # fmt: skip

CALLS: Final = (
    "Call about requirements",
    "Follow-up call",
    "Call: questions on the offer",
    "Introduction",
    "Check-in",
    "Called the switchboard",
)
MAILS: Final = (
    "Sent the data sheet",
    "Answered questions on accuracy",
    "Offer sent",
    "Thank-you after the demo",
    "Nudge",
    "Case study sent",
)
MEETINGS: Final = (
    "Discovery meeting",
    "Demo",
    "Technical deep dive",
    "Commercial meeting",
    "Site visit",
    "Review with the board",
)
NOTES: Final = (
    "Prefers mail in the morning",
    "Decision in the steering group",
    "Uses two old counters",
    "Second plant planned",
    "Mentioned a freeze in spring",
)
TASKS: Final = (
    "Call back", "Send offer", "Prepare demo", "Ask for the purchase order", "Follow up on the trial", "Check delivery date",
    "Update the forecast", "Introduce customer success", "Send calibration certificate", "Clarify the VAT number",
)  # fmt: skip
CALL_OUTCOMES: Final = ("reached", "reached", "no_answer", "no_answer", "left_message")

MANUAL_REASONS: Final = (
    "Knows the company",
    "Asked for by name",
    "Covers for a colleague on leave",
    "Speaks the language",
)
LEAVE_NOTES: Final = {"vacation": "", "sick": "", "parental": "", "other": "Moving house"}

#: Industries by the first words of what a company does; others are "Manufacturing".
INDUSTRIES: Final = {
    "Agronomy": "Agriculture", "Analytics": "Services", "Biologics": "Life sciences", "Brewing": "Food and drink", "Chemicals": "Chemicals",
    "Clinics": "Health care", "Dairies": "Food and drink", "Diagnostics": "Life sciences", "Energy": "Energy", "Foods": "Food and drink",
    "Freight": "Logistics", "Grid": "Energy", "Health": "Health care", "Labs": "Life sciences", "Logistics": "Logistics",
    "Marine": "Logistics", "Networks": "Services", "Pharma": "Life sciences", "Polymers": "Chemicals", "Power": "Energy",
    "Rail": "Logistics", "Research": "Life sciences", "Semiconductors": "Electronics", "Sensors": "Electronics", "Shipping": "Logistics",
    "Utilities": "Energy", "Water": "Energy",
}  # fmt: skip
LEGAL_FORMS: Final = {
    "United States": ("Inc.", "LLC", "Corp.", ""), "Canada": ("Ltd.", "Inc."), "Mexico": ("S.A. de C.V.",), "Germany": ("GmbH", "AG", "GmbH & Co. KG"),
    "France": ("SAS", "SA"), "Netherlands": ("B.V.",), "Spain": ("S.L.", "S.A."), "Poland": ("Sp. z o.o.",), "Austria": ("GmbH",),
    "United Kingdom": ("Ltd", "plc"), "Japan": ("K.K.",), "Singapore": ("Pte. Ltd.",), "Brazil": ("Ltda.",), "India": ("Pvt. Ltd.",),
    "South Africa": ("(Pty) Ltd",), "Sweden": ("AB",),
}  # fmt: skip
