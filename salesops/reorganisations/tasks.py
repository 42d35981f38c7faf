"""Work of the reorganisations room in the background."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy

from salesops.jobs.registry import comes_round, handles
from salesops.jobs.runner import JobFailedError, JobRun
from salesops.reorganisations.models import Reorganisation
from salesops.reorganisations.services import CARRY_OUT, PREVIEW, carry_out, carry_out_due, is_due, rehearse
from salesops.reorganisations.services.carrying import REFUSALS, fail

comes_round(
    code="reorganisations.carry_out_due",
    title=gettext_lazy("Reorganisations whose day has come are carried out"),
    kind="reorganisations.carry_out_due",
    rule="*/15 * * * *",
)


@handles(PREVIEW)
def preview(run: JobRun) -> None:
    """Make a preview and keep it."""
    reorganisation = Reorganisation.objects.get(pk=run.payload["reorganisation"])
    with run.finish():
        rehearse(reorganisation=reorganisation, actor=run.actor, at=run.now())


@handles(CARRY_OUT)
def carry_out_now(run: JobRun) -> None:
    """Carry one out because somebody said so; what stands in the way is kept with it."""
    with run.finish():
        try:
            with transaction.atomic():
                carry_out(actor=run.actor, reorganisation_id=run.payload["reorganisation"], at=run.now())
        except REFUSALS as error:
            reorganisation = Reorganisation.objects.get(pk=run.payload["reorganisation"])
            fail(reorganisation, error, run.now())
            run.progress(0, note=reorganisation.failure)


@handles("reorganisations.carry_out_due")
def carry_out_those_due(run: JobRun) -> None:
    """Carry out each whose day has come, one in a transaction."""
    failed = 0
    while (reorganisation := is_due(run.now()).first()) is not None and not run.cancelled:
        with run.batch():
            if not carry_out_due(reorganisation=reorganisation, at=run.now()):
                failed += 1
            run.state["done"] = [*run.state.get("done", []), reorganisation.pk]
    if failed:
        raise JobFailedError(gettext_lazy("A reorganisation could not be carried out; its page says why."))
