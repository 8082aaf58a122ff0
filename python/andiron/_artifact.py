"""The choice of Andiron's jar for the installed Spark."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Optional, Union

from andiron import __version__
from andiron.errors import BAD_SETTING, SettingError

GROUP = "dev.andiron"
SCALAS = ("2.12", "2.13")


def artifact(spark_home: Union[str, Path, None] = None) -> str:
    """The coordinates of the jar for a Spark, for `spark.jars.packages`. PySpark 3.5 from pip has Scala 2.12, PySpark 4
    has 2.13.

    The version of Scala is that of the jars in `spark_home`, by default $SPARK_HOME, else the installed PySpark, as
    `pyspark` does."""
    home = Path(spark_home) if spark_home is not None else _home()
    if home is None:
        raise SettingError("there is no Spark here: set SPARK_HOME, or install pyspark", BAD_SETTING)
    scala = _scala(home)
    if scala is None:
        raise SettingError(f"{home} is no Spark: it has no jars/scala-library-*.jar. Set SPARK_HOME, or install pyspark with its jars", BAD_SETTING)
    return coordinates(scala)


def coordinates(scala: str) -> str:
    """The coordinates of the jar for this version of Scala, such as 2.12.18."""
    binary = ".".join(scala.split(".")[:2])
    if binary not in SCALAS:
        raise SettingError(f"there is no jar of Andiron for Scala {scala}: there are those for {' and '.join(SCALAS)}", BAD_SETTING)
    return f"{GROUP}:andiron_{binary}:{__version__}"


def _home() -> Optional[Path]:
    named = os.environ.get("SPARK_HOME")
    if named:
        return Path(named)
    found = find_spec("pyspark")
    return Path(found.origin).parent if found is not None and found.origin is not None else None


def _scala(home: Path) -> Optional[str]:
    names = (re.fullmatch(r"scala-library-(\d+\.\d+\.\d+).*\.jar", file.name) for file in sorted(home.glob("jars/scala-library-*.jar")))
    return next((name[1] for name in names if name), None)
