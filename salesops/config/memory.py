"""How web processes and workers keep their memory: what is loaded at the start is never looked through again for garbage."""

import atexit
import gc
from typing import Final

# A page makes tens of thousands of short-lived objects; looking for cycles after every 700 of them costs a tenth of it.
YOUNG: Final = 20_000
MIDDLE: Final = 20
OLD: Final = 50


def settle() -> None:
    """Call once, when everything is loaded. Modules, models and templates stay for good; only what comes later is swept."""
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # what is never swept, extensions report as leaked when the process ends
    gc.set_threshold(YOUNG, MIDDLE, OLD)
