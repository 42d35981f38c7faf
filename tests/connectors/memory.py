"""How much memory something takes at its worst moment, measured on this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Growth:
    """How far the resident memory rose above where it stood, in MB; known when the block is left."""

    mb: float = 0.0


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


@contextmanager
def peak_growth() -> Iterator[Growth]:
    """Measure the peak of the block, not of the whole life of the process: the kernel's high-water mark is put back."""
    Path("/proc/self/clear_refs").write_text("5")
    before, growth = _status("VmRSS"), Growth()
    yield growth
    growth.mb = _status("VmHWM") - before
