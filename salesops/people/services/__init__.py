"""Changes to people: roles, functions, reporting lines, hours, leave, coming and going. Everything is audited."""

from salesops.people.services.accounts import (
    add_person,
    change_own_settings,
    deactivate,
    edit_person,
    invite,
    leave_company,
    reactivate,
    request_password_reset,
    send_password_link,
)
from salesops.people.services.days import day_has_come
from salesops.people.services.hours import add_leave, cancel_leave, set_working_hours
from salesops.people.services.lines import end_function, end_manager, refuse_circle, set_function, set_manager
from salesops.people.services.roles import grant_role, keep_staff_flag, revoke_role
from salesops.people.services.sessions import end_sessions, reset_second_factor

__all__ = [
    "add_leave",
    "add_person",
    "cancel_leave",
    "change_own_settings",
    "day_has_come",
    "deactivate",
    "edit_person",
    "end_function",
    "end_manager",
    "end_sessions",
    "grant_role",
    "invite",
    "keep_staff_flag",
    "leave_company",
    "reactivate",
    "refuse_circle",
    "request_password_reset",
    "reset_second_factor",
    "revoke_role",
    "send_password_link",
    "set_function",
    "set_manager",
    "set_working_hours",
]
