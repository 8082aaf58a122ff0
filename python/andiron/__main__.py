"""`python -m andiron` prints the coordinates of the jar for the installed Spark, for spark-submit's --packages."""

from __future__ import annotations

import sys

from andiron import AndironError, artifact


def main() -> int:
    try:
        print(artifact())
    except AndironError as error:
        print(f"andiron: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
