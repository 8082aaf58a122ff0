# The front door. A target is a script of ci/ or a Gradle task; each can be run by itself.
GRADLE ?= gradle
export GRADLE
scala := $(shell sed -n 's/^scalaVersion=//p' gradle.properties)
spark := $(shell sed -n 's/^sparkVersion=//p' gradle.properties)
python := PYTHONPATH=build/python python3

.PHONY: help setup build lint test test-services test-python test-cluster natives natives-test demo demo-stack demo-python faults crashes chaos gates bench-cache bench-metrics bench-sinks revisions bench-atlas bench-python bench-cluster verify matrix miri asan interleavings fuzz dist test-dist clean

help:
	@echo "make setup          check the tools, fetch what the others need"
	@echo "make build          jar, command, demo, benchmark and a Spark home, in build/"
	@echo "make lint           formatting, lints, rules of the tree"
	@echo "make test           every test, on Spark 3.5 and 4"
	@echo "make test-services  against real HDFS, S3, Hive, Kafka and Atlas, on loopback (fetches 700 MB; 20 minutes)"
	@echo "make test-python    the Python package, with PySpark 3.5 (Scala 2.12 and 2.13), 4.0, 4.1, 4.2 (fetches 1.6 GB)"
	@echo "make test-cluster   standalone master with two workers, and local-cluster, on every Spark; CLUSTERS=2.13:4.1.3 on one (25 minutes each)"
	@echo "make demo           the main job on real flights, by every approach and with a gate"
	@echo "make demo-stack     the main job with its driver killed, its record in real Kafka, Hive and Atlas (fetches 110 MB; 6 to 10 minutes)"
	@echo "make demo-python    the same job in Python, with PySpark 3.5 (fetches 0.4 GB)"
	@echo "make faults         faults injected into running applications (15 minutes)"
	@echo "make crashes        drivers killed at random moments; ANDIRON_KILLS of them on each layer (50: 15 minutes)"
	@echo "make chaos          random pipelines under faults, CHAOS_SEEDS of them (10: 25 minutes)"
	@echo "make gates          500 programs of the model of gates on a real Spark; GATE_PROGRAMS of them, from MODEL_SEED (10 minutes)"
	@echo "make bench-cache    the cache's benchmark (40 minutes)"
	@echo "make bench-metrics  the metrics' benchmark (12 minutes); make verify recomputes the ratios of both"
	@echo "make bench-sinks    what shipping costs and loses, with broker and metastore on loopback (45 minutes)"
	@echo "make revisions      of it: a million revisions into Hive while broker and drivers are killed (25 minutes)"
	@echo "make bench-atlas    what publishing to an Atlas costs (4 minutes)"
	@echo "make bench-python   what Python workers gain, with PySpark 3.5 (4 minutes)"
	@echo "make bench-cluster  memory of a version in two executors of one host, and 20 kills (20 minutes)"
	@echo "make matrix         the suites on Spark 3.5, 4.0, 4.1 and 4.2, Scala 2.12 and 2.13"
	@echo "make interleavings  schedules of the core's threads (shuttle)"
	@echo "make fuzz           new inputs for every decoder and the cache's model, MODEL_TIMES as many as make test (20)"
	@echo "make miri, asan     the core under Miri and AddressSanitizer (Rust nightly)"
	@echo "make natives        the library for Linux x86_64 and aarch64 (glibc 2.17) and macOS arm64, and a jar with all of them"
	@echo "make natives-test   the core's tests on linux aarch64, emulated by qemu-user"
	@echo "make dist           jars, sources, scaladoc and POMs as a Maven repository in build/repo"
	@echo "make test-dist      projects of Gradle, Maven and sbt that use that repository"
	@echo "make clean          remove build/ and target/"

setup:
	@ci/setup.sh

build: setup
	$(GRADLE) --no-daemon assemble demoJar benchJar faultsJar sparkHome

lint: setup
	ci/lint.sh

test: setup
	ci/test.py

test-services: setup
	$(python) -m checks.services.run

PYTHONS ?= 2.12:3.5.4 3.5.4 4.0.4 4.1.3 4.2.0
test-python: setup
	$(python) -m checks.python.run $(PYTHONS)

demo-python: setup
	$(GRADLE) --no-daemon -q assemble sparkHome
	$(python) -m demo.python

CLUSTERS ?= 2.12:3.5.4 2.13:3.5.4 2.13:4.0.4 2.13:4.1.3 2.13:4.2.0
test-cluster: setup
	$(python) -m checks.cluster.run --on $(CLUSTERS)

demo: build
	DEMO_SPARK_HOME=$(CURDIR)/build/spark-$(spark)_$(scala) $(python) -m demo.run

demo-stack: build
	$(GRADLE) --no-daemon -q kafkaClasspath hiveClasspath atlasClasspath
	DEMO_SPARK_HOME=$(CURDIR)/build/spark-$(spark)_$(scala) $(python) -m demo.stack

faults: build
	$(python) -m checks.faults.run

crashes: setup
	$(GRADLE) --no-daemon -q crashes

chaos: setup
	$(GRADLE) --no-daemon -q chaos

gates: MODEL_SEED ?= $(shell date +%s)
gates: GATE_PROGRAMS ?= 500
gates: setup
	@echo "MODEL_SEED=$(MODEL_SEED) GATE_PROGRAMS=$(GATE_PROGRAMS)"
	@mkdir -p build
	MODEL_SEED=$(MODEL_SEED) cargo run -q --locked -p andiron-model --bin gate-programs -- $(GATE_PROGRAMS) > build/gate-programs.json
	ANDIRON_GATE_PROGRAMS=$(CURDIR)/build/gate-programs.json $(GRADLE) --no-daemon cleanTest test --tests '*GateProgramsSuite'

bench-cache: build
	$(python) -m bench.cache

# Scala 2.12: the version of sparkMeasure that it is compared with exists for no other.
bench-metrics: setup
	$(GRADLE) --no-daemon -PscalaVersion=2.12 assemble benchJar sparkHome
	$(python) -m bench.metrics

# `make revisions` is its longest part alone.
bench-sinks: setup
	$(GRADLE) --no-daemon kafkaClasspath hiveClasspath nativeCommand
	$(python) -m bench.sinks $(if $(BENCH_PUBLISH),--publish)

revisions: setup
	$(GRADLE) --no-daemon kafkaClasspath hiveClasspath nativeCommand
	$(python) -m bench.sinks revisions

bench-atlas: build
	$(GRADLE) --no-daemon -q atlasClasspath
	$(python) -m bench.atlas

bench-python: setup
	$(GRADLE) --no-daemon -q assemble sparkHome
	$(python) -m bench.python $(if $(BENCH_PUBLISH),--publish)

bench-cluster: setup
	$(python) -m bench.cluster

verify: setup
	$(python) -m bench.verify

matrix: setup
	ci/matrix.sh

miri: setup
	checks/core/miri.sh

asan: setup
	checks/core/asan.sh

interleavings: setup
	checks/core/interleavings.sh

fuzz: MODEL_SEED ?= $(shell date +%s%N)
fuzz: MODEL_TIMES ?= 20
fuzz: setup
	@echo "MODEL_SEED=$(MODEL_SEED) MODEL_TIMES=$(MODEL_TIMES)"
	MODEL_SEED=$(MODEL_SEED) MODEL_TIMES=$(MODEL_TIMES) cargo test --locked -p andiron-model

natives: setup
	$(python) -m checks.natives.build

natives-test: setup
	$(python) -m checks.natives.emulated

dist: setup
	checks/dist/dist.sh

test-dist: dist
	$(python) -m checks.dist.consumers

clean:
	rm -rf build target
