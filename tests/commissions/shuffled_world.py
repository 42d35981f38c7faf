"""Plans and teams of a fixed seed, whose rows come in an order of their own. As a program: prints the digest of all lines.

Nothing of Django is loaded, so that a process with a hash seed and a time zone of its own starts quickly.
"""

from __future__ import annotations

import hashlib
import random
import sys
from typing import Any

from tests.commissions.test_oracle import answer_of, engine_run, generated


def digest_of_a_world(seed: int) -> str:
    """Plans and teams of a fixed seed, their rows in an order of their own: the digest of all lines."""
    plans, world = generated(random.Random(7), 8)
    order = random.Random(seed)

    def shuffled(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(order.sample(rows, len(rows)))

    mixed = type(world)(
        world.deals,
        shuffled(world.stays),
        shuffled(world.quotas),
        shuffled(world.holdings),
        shuffled(world.receivers),
        shuffled(world.rates),
        world.meanings,
    )
    found = answer_of(engine_run(plans, mixed), plans, mixed)
    assert len(found) > 50
    return hashlib.sha256(repr(sorted(found.items(), key=repr)).encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(digest_of_a_world(int(sys.argv[1])))
