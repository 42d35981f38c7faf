"""The deals room's own jobs."""

from __future__ import annotations

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.utils.translation import gettext as _

from salesops.deals.services.bulk import AT_ONCE, BulkChanges, BulkPlan, bulk_edit
from salesops.jobs.registry import handles
from salesops.jobs.runner import JobFailedError, JobRun

_BATCH = AT_ONCE // 2


@handles("deals.bulk_edit")
def change_many(run: JobRun) -> None:
    """Change the deals that were selected, batch by batch; what each batch did is kept with it."""
    ids: list[int] = run.payload["deal_ids"]
    try:
        changes = BulkChanges.from_plain(run.payload["changes"])
    except ObjectDoesNotExist as error:
        raise JobFailedError(_("What the deals were to be given no longer exists.")) from error
    while (done := run.state.get("done", 0)) < len(ids):
        if run.cancelled:
            return
        with run.batch():
            try:
                plan = bulk_edit(actor=run.actor, deal_ids=ids[done : done + _BATCH], changes=changes, at=run.now())
            except (PermissionDenied, ValidationError) as error:
                raise JobFailedError("; ".join(getattr(error, "messages", [str(error)]))) from error
            _keep(run, plan)
            run.state["done"] = min(done + _BATCH, len(ids))
            run.progress(run.state["done"], len(ids), _note(run))


def _keep(run: JobRun, plan: BulkPlan) -> None:
    """Add a batch's counts to the state."""
    for name in ("changed", "unchanged", "refused", "missing"):
        run.state[name] = run.state.get(name, 0) + getattr(plan, name)


def _note(run: JobRun) -> str:
    """What the job did so far, in words."""
    return _("%(changed)s changed, %(unchanged)s left as they were, %(refused)s refused, %(missing)s not found") % {
        name: run.state[name] for name in ("changed", "unchanged", "refused", "missing")
    }
