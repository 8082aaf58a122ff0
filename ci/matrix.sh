#!/usr/bin/env bash
# The suites on every supported Spark: Scala 2.12 and 2.13 on 3.5, and the same 2.13 jar on 4.0, 4.1 and 4.2.
# Prints a table and writes build/matrix.json; fails if a line fails or the 2.13 jar differs between lines.
#   ci/matrix.sh [<scala>:<spark> ...]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
gradle=${GRADLE:-gradle}
lines=("$@")
[ ${#lines[@]} -gt 0 ] || lines=(2.12:3.5.4 2.13:3.5.4 2.13:4.0.4 2.13:4.1.3 2.13:4.2.0)

mkdir -p build/matrix
rm -f build/matrix/*
status=0
for line in "${lines[@]}"; do
  scala=${line%%:*} spark=${line##*:}
  echo "==== Scala $scala, Spark $spark"
  SECONDS=0
  rm -rf "build/scala-$scala/test-results/spark-$spark"
  "$gradle" --no-daemon cleanTest test "-PscalaVersion=$scala" "-PtestSpark=$spark"
  code=$?
  [ $code = 0 ] || status=1
  jar=$(sha256sum "build/scala-$scala/libs/andiron_$scala"-*[0-9].jar | cut -c1-64)
  echo "$scala $spark $code $SECONDS $jar" >> build/matrix/lines
done
python3 ci/matrix.py build/matrix/lines build/matrix.json || status=1
exit $status
