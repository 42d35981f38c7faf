"""Drafts reorganisations, shows what they would do, carries them out as one, and undoes them."""

from salesops.reorganisations.services.carrying import (
    CARRY_OUT,
    carry_out,
    carry_out_due,
    is_due,
    start_carrying_out,
)
from salesops.reorganisations.services.drafts import (
    create_reorganisation,
    drop_reorganisation,
    edit_reorganisation,
    protect_deal,
    remove_move,
    save_move,
    schedule,
    unschedule,
)
from salesops.reorganisations.services.rehearsing import PREVIEW, rehearse, start_preview
from salesops.reorganisations.services.undoing import undo

__all__ = [
    "CARRY_OUT",
    "PREVIEW",
    "carry_out",
    "carry_out_due",
    "create_reorganisation",
    "drop_reorganisation",
    "edit_reorganisation",
    "is_due",
    "protect_deal",
    "rehearse",
    "remove_move",
    "save_move",
    "schedule",
    "start_carrying_out",
    "start_preview",
    "undo",
    "unschedule",
]
