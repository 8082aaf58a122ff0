#!/usr/bin/env bash
# Prepares the other targets: checks the tools, installs Debian's gradle if it is missing and the user has the right to,
# and puts the demo's data into build/python. Exit status 2: a tool is missing, and the message names its package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need git "apt-get install git"
need make "apt-get install make"
need cc "apt-get install build-essential"
need strip "apt-get install binutils"
need python3 "apt-get install python3"
need cargo "Rust 1.88 or newer from https://rustup.rs"
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
if ! command -v "$java" >/dev/null || ! command -v "${java}c" >/dev/null; then
  missing+=("apt-get install openjdk-17-jdk-headless")
else
  major=$("$java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java.specification.version = //p')
  # The test worker of Gradle 4.4.1 sets a security manager, which Java 24 and newer reject.
  if ! [ "${major%%.*}" -ge 17 ] || [ "${major%%.*}" -ge 24 ]; then
    missing+=("a JDK 17 instead of Java $major: set JAVA_HOME, or apt-get install openjdk-17-jdk-headless")
  fi
fi
# The build of OpenSSL, for the TLS of the shipped library, is written in Perl.
perl -MFindBin -MIPC::Cmd -e 1 2>/dev/null || missing+=("apt-get install perl")
python3 -m pip --version >/dev/null 2>&1 || missing+=("apt-get install python3-pip")
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: please install:" >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 2
fi

if ! command -v "${GRADLE:-gradle}" >/dev/null; then
  install="apt-get update && apt-get install -y gradle"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing gradle"
    DEBIAN_FRONTEND=noninteractive bash -c "$install" >/dev/null
  elif sudo -n true 2>/dev/null && command -v apt-get >/dev/null; then
    echo "setup: installing gradle"
    sudo -n DEBIAN_FRONTEND=noninteractive bash -c "$install" >/dev/null
  else
    echo "setup: please install gradle: sudo bash -c '$install'" >&2
    echo "       or any Gradle from 4.4 to 9, named by GRADLE" >&2
    exit 2
  fi
fi

# A copy of the list next to the installed packages marks them as complete.
if ! cmp -s ci/requirements.txt build/python/requirements.txt; then
  rm -rf build/python
  mkdir -p build
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes --target build/python -r ci/requirements.txt
  cp ci/requirements.txt build/python/requirements.txt
fi
