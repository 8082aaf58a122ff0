#!/usr/bin/env bash
# The files of a release: jar, sources, scaladoc and POM for both Scala versions as a Maven repository in build/repo. The jars contain the
# library for all platforms if `make natives` has built it from the same sources, else for this machine's platform only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
gradle=${GRADLE:-gradle}
build=$("$gradle" --no-daemon --quiet buildId | tail -n 1)
if [ -f build/natives.json ] && grep -q "\"build\": \"$build\"" build/natives.json; then
  natives=("-PnativesDir=$PWD/build/natives")
else
  natives=()
  echo "dist: only the library for this machine; make natives builds all" >&2
fi
rm -rf build/repo
for scala in 2.12 2.13; do
  "$gradle" --no-daemon dist "-PscalaVersion=$scala" "${natives[@]}"
done
cd build/repo
find . -type f ! -name SHA256SUMS ! -name "*.md5" ! -name "*.sha1" | sort | xargs sha256sum | tee SHA256SUMS
