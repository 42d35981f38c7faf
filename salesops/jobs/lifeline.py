"""Ties a process to the one that started it: nothing is left running when a parent is killed, on any Unix.

python -m salesops.jobs.lifeline MODULE ARGUMENTS...   runs a Python module as a program, tied to our starter.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

#: Seconds between two looks at whether the parent lives.
LOOK_EVERY: Final = 0.5


def tie_to_parent(*, whole_group: bool) -> None:
    """End this process soon after its parent is gone, however the parent went.

    `whole_group` also ends the process group, for a process that leads one.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        if whole_group:
            os.killpg(os.getpgid(0), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def main(arguments: list[str]) -> None:
    """Run the module in this process, as `python -m` does."""
    tie_to_parent(whole_group=os.getpgid(0) == os.getpid())
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
