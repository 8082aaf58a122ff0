#!/usr/bin/env bash
# What a release is made of: jar, sources, scaladoc and POM for both Scala versions as a Maven repository in build/repo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rm -rf build/repo
for scala in 2.12 2.13; do
  "${GRADLE:-gradle}" --no-daemon dist "-PscalaVersion=$scala"
done
cd build/repo
find . -type f ! -name SHA256SUMS ! -name "*.md5" ! -name "*.sha1" | sort | xargs sha256sum | tee SHA256SUMS
