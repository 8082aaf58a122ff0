# The entry of all tasks. A target runs a script of ci/, a program of bench/, checks/ or demo/, or a Gradle task, each of which also runs alone.
GRADLE ?= gradle
export GRADLE
python := PYTHONPATH=build/python python3
build := $(GRADLE) --no-daemon -q

.PHONY: help setup build lint test demo demo-stack demo-python verify natives dist clean matrix test-services test-python test-cluster

help:
	@sed -n 's/^## //p' Makefile

## make setup               check the tools, fetch the packages and data of the other targets
## make build               jar, command, programs and a Spark home, in build/
## make lint                formatting, lints, rules of the tree
## make test                every test, on Spark 3.5 and 4
setup:
	@ci/setup.sh

build: setup
	$(build) assemble demoJar benchJar faultsJar sparkHome

lint test: setup
	$(if $(filter lint,$@),ci/lint.sh,ci/test.py)

## make demo                the main job on real flights: a plain join, a closure, Andiron, and a gate (3 minutes)
## make demo-stack          the main job with its driver killed, its record in real Kafka, Hive and Atlas (fetches 110 MB; 6 to 10 minutes)
## make demo-python         the same job in Python, with PySpark 3.5 (fetches 0.4 GB)
demo: build
	$(python) -m demo.run

demo-stack: build
	$(build) kafkaClasspath hiveClasspath atlasClasspath
	$(python) -m demo.stack

demo-python: setup
	$(build) assemble sparkHome
	$(python) -m demo.python

## make bench-KIND          a benchmark; BENCH_PUBLISH=1 publishes its figures in docs/. The kinds:
##      cache               the cache and its rivals (40 minutes)
##      metrics             the cost of the metrics, on Scala 2.12, which sparkMeasure needs (12 minutes)
##      sinks               the cost and the losses of shipping, with broker and metastore on loopback (45 minutes); PARTS=revisions is
##                          a million revisions into Hive while broker and drivers are killed (25 minutes), PARTS=atlas the cost
##                          of publishing to an Atlas (4 minutes)
##      python              the gain of Python workers, with PySpark 3.5 (4 minutes)
##      cluster             memory of a version in two executors of one host, and 20 kills (20 minutes)
##      tables              lookups in the core, and rows joined with ten versions by Andiron and by Spark's joins (45 minutes)
## make verify              recompute docs/evidence/benchmarks.md from the raw figures of all benchmarks
bench_cache = assemble benchJar sparkHome
bench_metrics = -PscalaVersion=2.12 assemble benchJar sparkHome
bench_sinks = assemble benchJar sparkHome kafkaClasspath hiveClasspath atlasClasspath
bench_python = assemble sparkHome
bench_cluster = jar
bench_tables = assemble benchJar sparkHome
bench-%: setup
	$(build) $(or $(bench_$*),$(error no benchmark $*: see make help))
	$(python) -m bench.$* $(PARTS)

verify: setup
	$(python) -m bench.verify

## make check-KIND          evidence that make test does not repeat, or only a part of. The kinds:
##      services            against real HDFS, S3, Hive, Kafka and Atlas, on loopback (fetches 700 MB; 20 minutes)
##      python              the Python package, with PySpark 3.5 (Scala 2.12 and 2.13), 4.0, 4.1, 4.2 (fetches 1.6 GB); PYTHONS=4.1.3 on one
##      cluster             standalone master with two workers, and local-cluster, on every Spark; CLUSTERS=2.13:4.1.3 on one (25 minutes each)
##      matrix              the suites on Spark 3.5, 4.0, 4.1 and 4.2, Scala 2.12 and 2.13
##      faults              faults injected into running applications (15 minutes)
##      crashes             drivers killed at random moments; ANDIRON_KILLS of them on each layer (50: 15 minutes)
##      chaos               random pipelines under faults, CHAOS_SEEDS of them (10: 25 minutes)
##      gates               GATE_PROGRAMS (500) programs of the model of gates on a real Spark, from MODEL_SEED (10 minutes)
##      fuzz                new inputs for every decoder and the cache's model, MODEL_TIMES (20) as many as make test, from MODEL_SEED
##      interleavings       schedules of the core's threads (shuttle)
##      miri, asan          the core under Miri and AddressSanitizer (Rust nightly)
##      natives             the core's tests on linux aarch64, emulated by qemu-user
##      dist                projects of Gradle, Maven and sbt that use the repository of make dist
PYTHONS ?= 2.12:3.5.4 3.5.4 4.0.4 4.1.3 4.2.0
CLUSTERS ?= 2.12:3.5.4 2.13:3.5.4 2.13:4.0.4 2.13:4.1.3 2.13:4.2.0
check_services = $(python) -m checks.services.run
check_python = $(python) -m checks.python.run $(PYTHONS)
check_cluster = $(python) -m checks.cluster.run --on $(CLUSTERS)
check_matrix = ci/matrix.sh
check_faults = $(build) assemble faultsJar sparkHome && $(python) -m checks.faults.run
check_crashes = $(build) crashes
check_chaos = $(build) chaos
check_gates = checks/core/gates.sh
check_fuzz = checks/core/fuzz.sh
check_interleavings = checks/core/interleavings.sh
check_miri = checks/core/miri.sh
check_asan = checks/core/asan.sh
check_natives = $(python) -m checks.natives.emulated
check_dist = checks/dist/dist.sh && $(python) -m checks.dist.consumers
check-%: setup
	$(or $(check_$*),$(error no check $*: see make help))

# Older names of four checks.
matrix test-services test-python test-cluster: %: ; $(MAKE) check-$(patsubst test-%,%,$@)

## make natives             the library for Linux x86_64 and aarch64 (glibc 2.17) and macOS arm64, and a jar with all of them
## make dist                jars, sources, scaladoc and POMs as a Maven repository in build/repo
## make clean               remove build/ and target/
natives: setup
	$(python) -m checks.natives.build

dist: setup
	checks/dist/dist.sh

clean:
	rm -rf build target
