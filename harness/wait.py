"""Waits with a limit."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float, period: float = 0.05) -> bool:
    """Whether the condition becomes true within `seconds`; it is evaluated at least once, and once more at the end."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(period)
    return True
