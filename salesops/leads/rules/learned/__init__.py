"""The learned win probability of leads: from the company's own outcomes, judged on time held back before it is used.

`judge` walks through a History and gives a Verdict; `fit` gives a Fitted, which tells probabilities and reasons and is
kept as plain data. Only these two load scikit-learn, and only when called: they belong into jobs.
"""

from salesops.leads.rules.learned.fitted import Fitted, Kind, Part, Reasons, Value, fit
from salesops.leads.rules.learned.history import Column, History, HistoryError, usable_columns, usable_rows
from salesops.leads.rules.learned.judging import Practice, judge
from salesops.leads.rules.learned.measures import Bin, Estimate
from salesops.leads.rules.learned.verdicts import Answer, Rival, Verdict

__all__ = [
    "Answer",
    "Bin",
    "Column",
    "Estimate",
    "Fitted",
    "History",
    "HistoryError",
    "Kind",
    "Part",
    "Practice",
    "Reasons",
    "Rival",
    "Value",
    "Verdict",
    "fit",
    "judge",
    "usable_columns",
    "usable_rows",
]
