"""Plans and teams of a fixed seed, whose rows come in an order of their own. As a program: prints the digest of all lines,
calculated by as many threads as the second argument says.

Nothing of Django is loaded, so that a process with a hash seed and a time zone of its own starts quickly.
"""

from __future__ import annotations

import hashlib
import random
import sys
from typing import Any

import duckdb

from tests.commissions.test_oracle import answer_of, engine_run, generated

#: The seeds of the worlds.
WORLDS = (1, 9)


def digest_of_the_worlds(seed: int) -> str:
    """Plans and teams of fixed seeds, their rows in an order of their own: the digest of all lines."""
    order = random.Random(seed)

    def shuffled(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(order.sample(rows, len(rows)))

    found = []
    for number in WORLDS:
        plans, world = generated(random.Random(number), 8)
        mixed = type(world)(
            world.deals,
            shuffled(world.stays),
            shuffled(world.quotas),
            shuffled(world.holdings),
            shuffled(world.receivers),
            shuffled(world.rates),
            world.meanings,
        )
        answer = answer_of(engine_run(plans, mixed), plans, mixed)
        found.append(sorted(answer.items(), key=repr))
    assert sum(map(len, found)) > 50
    return hashlib.sha256(repr(found).encode()).hexdigest()


def calculate_with(threads: int) -> None:
    """Each calculator of this process gets so many threads, whatever it asks for."""
    own = duckdb.connect

    def connect(*args: Any, **kwargs: Any) -> Any:
        made = own(*args, **{**kwargs, "config": {**kwargs.get("config", {}), "threads": threads}})
        assert made.execute("SELECT current_setting('threads')").fetchone() == (threads,)
        return made

    duckdb.connect = connect


if __name__ == "__main__":
    calculate_with(int(sys.argv[2]))
    sys.stdout.write(digest_of_the_worlds(int(sys.argv[1])))
