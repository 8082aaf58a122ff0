"""`populate.py FILE`: maps the file with MAP_POPULATE and prints the seconds of that call."""

import mmap
import sys
import time
from pathlib import Path

with Path(sys.argv[1]).open("rb") as file:
    started = time.perf_counter()
    mapping = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE, prot=mmap.PROT_READ)
    print(time.perf_counter() - started)
    mapping.close()
