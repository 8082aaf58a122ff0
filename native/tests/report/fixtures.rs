//! Events of invented applications: small, failing, wide, hostile.

use andiron::shiplog::{Event, Kind};
use serde_json::{json, Value};

/// 23 Nov 2026 18:45:12 UTC.
pub(crate) const START: u64 = 1_795_459_512_000;

/// Events of one application in the form of its log.
pub(crate) struct Log {
    application: String,
    /// The events, in order.
    pub(crate) events: Vec<Event>,
    clock: u64,
}

impl Log {
    /// An application's empty log.
    pub(crate) fn new(application: &str) -> Log {
        Log { application: application.to_string(), events: Vec::new(), clock: START }
    }

    /// Appends one event with the id `<app>||<id>`.
    pub(crate) fn add(&mut self, kind: Kind, id: &str, mut body: Value) {
        self.clock += 40;
        body["v"] = json!(1);
        body["app_id"] = json!(self.application);
        body["app_attempt"] = json!("");
        if body.get("ts_ms").is_none() {
            body["ts_ms"] = json!(self.clock);
        }
        let id = format!("{}||{id}", self.application);
        let revision = self.events.len() as u64 + 1;
        self.events.push(Event { kind, id, revision, body: body.to_string() });
    }

    /// The application's own event.
    pub(crate) fn application(&mut self, name: &str, ended: Option<(u64, i64)>, more: Value) {
        let mut body = json!({"app_name": name, "run_id": "nightly-2026-11-23", "user": "features", "spark": "3.5.4",
            "scala": "2.12.18", "master": "yarn", "started_ms": START,
            "settings": {"spark.andiron.log.dir": "/var/log/andiron", "spark.andiron.metrics.samples": "500"}});
        if let Some((millis, code)) = ended {
            body["ended_ms"] = json!(START + millis);
            body["exit_code"] = json!(code);
        }
        merge(&mut body, more);
        self.add(Kind::Application, "application", body);
    }

    /// One figure of a step.
    pub(crate) fn step(
        &mut self,
        step: &str,
        site: &str,
        counter: &str,
        committed: i64,
        stages: &[u64],
        more: Value,
    ) {
        let stages: Vec<Value> = stages.iter().map(|id| json!({"stage": id, "attempt": 0})).collect();
        let mut body = json!({"source": "step", "step": step, "site": site, "acc": counter, "type": "long",
            "scope": format!("step:{site}"), "attempted": committed, "committed": committed, "partitions_reported": 200,
            "partitions_total": 200, "exact": true, "final": true, "stages": stages, "execution_id": 0,
            "plan_nodes": [], "other_instances": [], "events_dropped": 0});
        merge(&mut body, more);
        self.add(Kind::Metric, &format!("{counter}|step:{step}:{site}"), body);
    }

    /// One scope of an accumulator.
    pub(crate) fn accumulator(&mut self, name: &str, rdd: u64, committed: i64, attempted: i64, more: Value) {
        let mut body = json!({"source": "accumulator", "acc": name, "type": "long", "scope": format!("rdd:{rdd}"),
            "attempted": attempted, "committed": committed, "partitions_reported": 200, "partitions_total": 200,
            "exact": true, "final": true, "stages": [{"stage": rdd / 4, "attempt": 0}], "events_dropped": 0});
        merge(&mut body, more);
        self.add(Kind::Metric, &format!("{name}|rdd:{rdd}"), body);
    }

    /// One attempt of a stage, between two times in milliseconds after the start.
    pub(crate) fn stage(
        &mut self,
        id: u64,
        name: &str,
        span: (u64, u64),
        steps: &[&str],
        changed: &[&str],
        more: Value,
    ) {
        let mut body = json!({"stage": id, "attempt": 0, "name": name, "call_site": name, "job_ids": [id / 10], "execution_id": 0,
            "rdd": id * 4, "tasks": 200, "submitted_ms": START + span.0, "completed_ms": START + span.1, "status": "succeeded",
            "succeeded_tasks": 200, "failed_tasks": 0, "steps": steps, "changed": changed});
        merge(&mut body, more);
        let attempt = body["attempt"].clone();
        self.clock = self.clock.max(START + span.1);
        self.add(Kind::Stage, &format!("stage:{id}.{attempt}"), body);
    }

    /// One failed row.
    pub(crate) fn failure(&mut self, step: &str, hash: u64, cause: (&str, &str, &str), more: Value) {
        let (class, message, stack) = cause;
        let mut body = json!({"step": step, "site": "map at Features.scala:64", "error_class": class, "message": message,
            "stack_hash": stack, "row_key": format!("member-{}", 48_211 + hash * 7), "record_cut": false, "stage": 5, "stage_attempt": 0,
            "partition": hash % 200, "task_attempt": 1000 + hash, "executor": (hash % 4 + 1).to_string(), "host": "worker-3", "committed": true,
            "record": format!("{{\"member\":{},\"title\":{},\"watched_at\":\"2026-11-2{}T20:14:05Z\"}}", 48_211 + hash * 7, 7_000 + hash * 13, hash % 4)});
        merge(&mut body, more);
        self.add(Kind::Failure, &format!("{step}|{hash}"), body);
    }

    /// A healthy log with one sink.
    pub(crate) fn health(&mut self) {
        let body = json!({"log": {"appended": 1_284, "durable": 1_284, "bytes": 612_344, "syncs": 97, "lost": {}},
            "sinks": {"kafka": {"sent": 1_284, "retried": 3, "dropped": {}, "behind": 0}},
            "listener": {"events": 30_512, "dropped": 0, "late": 0}, "callbacks": {"errors": 0}});
        self.add(Kind::Health, "health", body);
    }
}

fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}

const LABELS: &str = "filter at Features.scala:41";
const HISTORY: &str = "map at Features.scala:64";
const FEATURES: &str = "flatMap at Features.scala:88";
const MISS: (&str, &str, &str) =
    ("com.example.history.CacheMissException", "no history of this member at 2026-11-20", "9f1c0a52e7d3b846");
const PARSE: (&str, &str, &str) =
    ("java.lang.NumberFormatException", "For input string: \"12,5\"", "07be44d19a2c5f13");
const STACK: &str = "com.example.history.CacheMissException: no history of this member at 2026-11-20
\tat com.example.history.HistoryStore.fetch(HistoryStore.scala:118)
\tat com.example.features.Features$.$anonfun$run$3(Features.scala:65)
\tat andiron.metrics.Guarded.apply(Guarded.scala:52)
\tat scala.collection.Iterator$$anon$10.next(Iterator.scala:461)
\tat org.apache.spark.sql.execution.WholeStageCodegenEvaluatorFactory$$anon$1.hasNext(WholeStageCodegenEvaluatorFactory.scala:43)
\tat org.apache.spark.scheduler.Task.run(Task.scala:141)";

/// Labels, history and features; history drops `dropped` of 100,000 rows.
fn flights(log: &mut Log, dropped: i64, again: bool) {
    let kept = 100_000 - dropped;
    let more = |attempted: i64| if again { json!({"attempted": attempted}) } else { json!({}) };
    log.step("labels", LABELS, "in", 104_217, &[2], json!({"plan_nodes": [3]}));
    log.step("labels", LABELS, "out", 100_000, &[2], json!({}));
    log.step("labels", LABELS, "dropped", 0, &[2], json!({}));
    log.step("labels", LABELS, "without-title", 4_217, &[2], json!({}));
    log.step("features", FEATURES, "in", kept, &[7], json!({"plan_nodes": [12, 14]}));
    log.step("features", FEATURES, "out", kept * 12, &[7], json!({}));
    log.step("features", FEATURES, "dropped", 12, &[7], json!({}));
    log.step("features", FEATURES, "cold-start", 1_904, &[7], json!({}));
    log.step("features", FEATURES, "clipped", 388, &[7], json!({}));
    log.step("features", FEATURES, "embedding-bytes", 51_200_000_000, &[7], json!({}));
    log.step(
        "history",
        HISTORY,
        "in",
        100_000,
        &[5],
        merged(
            more(183_204),
            json!({"plan_nodes": [7], "stages":
        [{"stage": 5, "attempt": 0}, {"stage": 5, "attempt": 1}]}),
        ),
    );
    log.step("history", HISTORY, "out", kept, &[5], more(kept + 80_000));
    log.step("history", HISTORY, "dropped", dropped, &[5], more(dropped * 2));
    log.step("history", HISTORY, "cache-misses", dropped + 1_204, &[5], more(dropped * 2 + 1_900));
    log.step("history", HISTORY, "fetch-millis", 9_411_870, &[5], more(17_020_551));
    log.add(Kind::Execution, "execution:0", json!({"execution": 0, "description": "save at Features.scala:97",
        "plan": "== Physical Plan ==\nExecute InsertIntoHadoopFsRelationCommand\n+- Generate\n   +- MapPartitions\n      +- Exchange hashpartitioning(member_id, 200)",
        "nodes": [{"id": 3, "name": "Filter"}, {"id": 7, "name": "MapPartitions"}, {"id": 12, "name": "MapPartitions"}, {"id": 14, "name": "Generate"}],
        "started_ms": START + 900, "ended_ms": START + 240_000}));
    log.stage(
        0,
        "parquet at Features.scala:33",
        (900, 2_400),
        &[],
        &[],
        json!({"tasks": 1, "succeeded_tasks": 1}),
    );
    log.stage(
        2,
        "filter at Features.scala:41",
        (2_700, 41_000),
        &["labels"],
        &["labels.in", "labels.out", "labels.dropped", "without-title"],
        json!({}),
    );
    log.stage(
        3,
        "parquet at Features.scala:52",
        (2_800, 29_500),
        &[],
        &[],
        json!({"tasks": 64, "succeeded_tasks": 64}),
    );
    if again {
        log.stage(5, "map at Features.scala:64", (41_200, 96_000), &["history"], &["history.in", "history.dropped", "cache-misses"],
            json!({"status": "failed", "succeeded_tasks": 160, "failed_tasks": 3,
            "failure": "org.apache.spark.shuffle.FetchFailedException: Failed to connect to worker-2:7337\n\tat org.apache.spark.storage.ShuffleBlockFetcherIterator.throwFetchFailedException(ShuffleBlockFetcherIterator.scala:1239)"}));
        log.stage(
            5,
            "map at Features.scala:64",
            (97_500, 171_000),
            &["history"],
            &["history.in", "history.out", "history.dropped", "cache-misses", "fetch-millis"],
            json!({"attempt": 1}),
        );
    } else {
        log.stage(
            5,
            "map at Features.scala:64",
            (41_200, 171_000),
            &["history"],
            &["history.in", "history.out", "history.dropped", "cache-misses", "fetch-millis"],
            json!({}),
        );
    }
    log.stage(
        7,
        "flatMap at Features.scala:88",
        (171_300, 233_000),
        &["features"],
        &["features.in", "features.out", "features.dropped", "cold-start", "clipped", "embedding-bytes"],
        json!({}),
    );
    log.accumulator("rows-without-country", 20, 412, if again { 811 } else { 412 }, json!({}));
    log.accumulator("late-events", 20, 9_120, 9_120, json!({}));
    log.accumulator(
        "late-events",
        28,
        117,
        117,
        json!({"exact": false, "reason": "taken by limit: not every partition was read to its end"}),
    );
}

fn merged(mut a: Value, b: Value) -> Value {
    merge(&mut a, b);
    a
}

/// A run that passes, with 100 of 100,000 rows dropped.
pub(crate) fn small() -> Vec<Event> {
    let mut log = Log::new("application_1795459512_0007");
    log.application("member-features", None, json!({}));
    flights(&mut log, 100, false);
    for (n, step, dropped, input) in
        [(0, "labels", 0, 104_217), (0, "history", 100, 100_000), (0, "features", 12, 99_900)]
    {
        log.add(Kind::Verdict, &format!("gate:{step}:{n}"), json!({"step": step, "gate": "commit", "passed": true, "in": input,
            "dropped": dropped, "ratio": dropped as f64 / input as f64, "limit_ratio": 0.001, "min_rows": 0, "reason": "", "top_causes": [],
            "write": "hdfs://warehouse/features/2026-11-23"}));
    }
    for hash in 0..100 {
        let more = if hash == 0 { json!({"stack": STACK}) } else { json!({}) };
        log.failure(
            "history",
            hash,
            MISS,
            merged(more, json!({"version": format!("2026-11-2{}", hash % 3)})),
        );
    }
    for hash in 0..12 {
        log.failure("features", hash, PARSE, json!({"site": FEATURES, "stage": 7}));
    }
    log.add(
        Kind::Failure,
        "history|samples",
        json!({"step": "history", "seen": 100, "kept": 100, "complete": true}),
    );
    log.add(
        Kind::Failure,
        "features|samples",
        json!({"step": "features", "seen": 12, "kept": 12, "complete": true}),
    );
    log.add(Kind::LogLine, "log:3:0", json!({"executor": "3", "level": "WARN", "logger": "org.apache.spark.storage.BlockManager",
        "message": "Block rdd_20_14 could not be removed as it was not found on disk or in memory", "stage": 5, "thread": "task 914"}));
    log.health();
    log.application("member-features", Some((242_000, 0)), json!({}));
    log.events
}

/// A run that fails at its gate: 20,014 of 100,000 rows are dropped, a stage ran twice, and its predecessor
/// never ended.
pub(crate) fn failing() -> Vec<Event> {
    let mut log = Log::new("application_1795459512_0009");
    log.application("member-features", None, json!({"predecessor": "application_1795459512_0008"}));
    flights(&mut log, 20_014, true);
    log.add(
        Kind::Verdict,
        "gate:labels:0",
        json!({"step": "labels", "gate": "commit", "passed": true, "in": 104_217,
        "dropped": 0, "ratio": 0.0, "limit_ratio": 0.001, "min_rows": 0, "reason": "", "top_causes": []}),
    );
    log.add(
        Kind::Verdict,
        "gate:history:0",
        json!({"step": "history", "gate": "commit", "passed": false, "in": 100_000,
        "dropped": 20_014, "ratio": 0.20014, "limit_ratio": 0.001, "min_rows": 1000,
        "reason": "20.0 % of the rows were dropped, where at most 0.1 % may be",
        "top_causes": [{"stack_hash": MISS.2, "error_class": MISS.0, "message": MISS.1, "count": 486},
            {"stack_hash": PARSE.2, "error_class": PARSE.0, "message": PARSE.1, "count": 14}],
        "write": "hdfs://warehouse/features/2026-11-23"}),
    );
    for hash in 0..500u64 {
        let cause = if hash % 36 == 7 { PARSE } else { MISS };
        let more = if hash == 0 { json!({"stack": STACK}) } else { json!({}) };
        let stage =
            json!({"version": format!("2026-11-2{}", if hash % 9 == 0 { 1 } else { 0 }), "stage_attempt": 1});
        log.failure("history", hash, cause, merged(more, stage));
    }
    for hash in 0..12 {
        log.failure("features", hash, PARSE, json!({"site": FEATURES, "stage": 7}));
    }
    log.add(
        Kind::Failure,
        "history|samples",
        json!({"step": "history", "seen": 20_014, "kept": 500, "complete": false, "cut_by": ["samples"]}),
    );
    log.add(
        Kind::Failure,
        "features|samples",
        json!({"step": "features", "seen": 12, "kept": 12, "complete": true}),
    );
    let lines = [
        ("2", "ERROR", "org.apache.spark.shuffle.RetryingBlockTransferor", "Failed to fetch block shuffle_1_88_14, and will not retry (3 retries)", Some(5)),
        ("2", "WARN", "org.apache.spark.scheduler.TaskSetManager", "Lost task 41.0 in stage 5.0 (TID 914) (worker-2 executor 2): FetchFailed(BlockManagerId(2, worker-2, 7337), shuffleId=1)", Some(5)),
        ("driver", "WARN", "org.apache.spark.scheduler.DAGScheduler", "Resubmitting failed stages", Some(5)),
        ("driver", "WARN", "org.apache.spark.util.Utils", "Service 'SparkUI' could not bind on port 4040. Attempting port 4041.", None),
    ];
    for (n, (executor, level, logger, message, stage)) in lines.into_iter().enumerate() {
        let mut body = json!({"executor": executor, "level": level, "logger": logger, "message": message, "thread": "main"});
        if let Some(stage) = stage {
            body["stage"] = json!(stage);
        }
        log.add(Kind::LogLine, &format!("log:{executor}:{n}"), body);
    }
    for (executor, level, lines) in [("2", "ERROR", 19_000), ("3", "ERROR", 949), ("2", "WARN", 1)] {
        log.add(
            Kind::LogLine,
            &format!("log:{executor}:left out:5:{level}"),
            json!({"executor": executor, "level": level, "logger": "andiron",
            "message": format!("{lines} more are left out"), "left_out": lines, "stage": 5}),
        );
    }
    log.health();
    log.application(
        "member-features",
        Some((234_100, 1)),
        json!({"predecessor": "application_1795459512_0008", "ended_at_gate": "history"}),
    );
    log.events
}

/// 70 stages and 40 counters; some figures are not exact, and the application has not ended.
pub(crate) fn wide() -> Vec<Event> {
    const NAMES: [&str; 8] = [
        "labels",
        "history",
        "profiles",
        "video-metadata",
        "devices",
        "join-country",
        "generate-features",
        "encode",
    ];
    let mut log = Log::new("app-20261123184512-0042");
    log.application(
        "offline-feature-generation-for-the-ranking-model",
        None,
        json!({"master": "k8s://cluster", "scala": "2.13.17", "spark": "4.1.3"}),
    );
    let mut at = 500;
    for id in 0..70u64 {
        let took = 900 + (id * 7_919) % 23_000;
        let step = NAMES[(id as usize * NAMES.len()) / 70];
        let steps: Vec<&str> = if id % 3 == 1 { vec![step] } else { vec![] };
        let changed: Vec<String> = (0..40)
            .filter(|n| (n + id) % 11 == 1 && id % 3 == 1)
            .map(|n| format!("counter-{n:02}"))
            .collect();
        let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
        let more = match id {
            31 => {
                json!({"status": "failed", "failed_tasks": 4, "succeeded_tasks": 77, "failure": "Job aborted due to stage failure: ExecutorLostFailure"})
            }
            68 | 69 => json!({"status": "running", "completed_ms": Value::Null, "succeeded_tasks": 140}),
            _ => json!({"tasks": 40 + id * 31 % 400, "succeeded_tasks": 40 + id * 31 % 400}),
        };
        log.stage(
            id,
            &format!("mapPartitions at Pipeline.scala:{}", 40 + id * 3),
            (at, at + took),
            &steps,
            &changed,
            more,
        );
        at += if id % 4 == 0 { took / 5 } else { took * 4 / 5 };
    }
    for id in 70..76 {
        log.add(
            Kind::Stage,
            &format!("stage:{id}.0"),
            json!({"stage": id, "attempt": 0, "name": "count", "status": "skipped"}),
        );
    }
    for (number, step) in NAMES.into_iter().enumerate() {
        let site = format!("mapPartitions at Pipeline.scala:{}", 43 + number * 26);
        let stages: Vec<u64> =
            (0..70).filter(|id| id % 3 == 1 && (*id as usize * NAMES.len()) / 70 == number).collect();
        let input = 250_000_000 - number as i64 * 1_250_000;
        let doubt = if number == 3 {
            json!({"exact": false, "reason": "taken by limit: 12 of 200 partitions were read to their end", "partitions_reported": 12,
            "other_instances": [{"instance": 2, "value": 1_881, "covered": 183, "total": 183}]})
        } else {
            json!({})
        };
        for (counter, value) in [("in", input), ("out", input - 12_000), ("dropped", 12_000)] {
            log.step(step, &site, counter, value, &stages, doubt.clone());
        }
        for n in 0..if number == 6 { 40 } else { 5 } {
            log.step(
                step,
                &site,
                &format!("counter-{n:02}"),
                1_000 + n * 377_131 * (number as i64 + 1),
                &stages,
                json!({"final": number < 6}),
            );
        }
    }
    for n in 0..40u64 {
        for rdd in 0..(n % 5 + 1) {
            log.accumulator(
                &format!("pipeline.rows.kind-{n:02}"),
                rdd * 12 + 4,
                1_000_000 + n as i64 * 7,
                1_000_000 + (n as i64 * 7) * (1 + i64::from(n % 4 == 0)),
                json!({}),
            );
        }
    }
    for stage in (0..70).step_by(7) {
        for n in 0..(stage % 5) * 20 + 3 {
            log.add(Kind::LogLine, &format!("log:{stage}:{n}"), json!({"executor": (n % 12).to_string(), "level": if n % 9 == 0 { "ERROR" } else { "WARN" },
                "logger": "org.apache.spark.network.client.TransportClientFactory", "message": format!("DNS resolution for worker-{n}.cluster.local took 5{n} ms"), "stage": stage}));
        }
    }
    log.health();
    log.add(Kind::Health, "health", json!({"log": {"appended": 9_120, "durable": 9_001, "bytes": 4_100_233, "lost": {"queue full": 119}},
        "sinks": {"kafka": {"sent": 7_001, "retried": 812, "dropped": {"record too large": 2}, "behind": 2_119, "last_failure": NASTY[0]},
        "hive": {"sent": 9_001, "retried": 0, "dropped": {}, "behind": 0}},
        "listener": {"events": 812_344, "dropped": 17, "late": 3}, "callbacks": {"errors": 1, "first": "java.lang.IllegalStateException: Shutdown in progress"}}));
    log.events
}

/// Text that means something to a browser or a terminal, and text that is much too long.
pub(crate) const NASTY: [&str; 20] = [
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></style></pre></td></details><h1>out</h1>",
    "<!-- --><!--><!DOCTYPE x>",
    "]]><![CDATA[",
    "&lt;b&gt; &#60;script&#62; &amp;amp;",
    "javascript:alert(1)",
    "`${alert(1)}`",
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31m",
    "\u{0}\u{1}\u{2}\u{8}\u{c}\u{7f}\u{80}\u{9b}31m\r\n\tend",
    "invoice\u{202e}fdp.exe\u{202c} \u{2066}isolated\u{2069}\u{200f}",
    "zero\u{200b}width\u{feff}\u{2060}\u{ad}\u{2028}\u{2029}",
    "\u{fffe}\u{ffff}\u{fdd0}\u{10ffff}\u{e000}\u{e0041}",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "日本語の行 عربى עברית 🚀👩‍👩‍👧",
    "\u{fffd}\u{fffd}\u{3}\u{4}PNG\u{fffd}\u{0}\u{0}\u{0}\rIHDR",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "{{7*7}} <%= 1 %> {% x %}",
    "<a href=\"https://example.com/\" style=\"position:fixed;inset:0\">x</a>",
];

/// The failing run with nasty text in every field, and one row of a megabyte.
pub(crate) fn hostile() -> Vec<Event> {
    let mut n = 0;
    let mut events = failing();
    events.retain(|event| {
        event.kind != Kind::Failure || event.revision.is_multiple_of(4) || event.body.contains("\"seen\"")
    });
    for event in &mut events {
        let Ok(mut body) = serde_json::from_str::<Value>(&event.body) else { continue };
        taint(&mut body, &mut |text| {
            n += 1;
            let keep = [
                "failed",
                "succeeded",
                "step",
                "accumulator",
                "in",
                "out",
                "dropped",
                "commit",
                "ERROR",
                "WARN",
            ];
            if keep.contains(&text.as_str()) {
                text.clone()
            } else {
                NASTY[n % NASTY.len()].to_string()
            }
        });
        event.body = body.to_string();
    }
    let mut log = Log::new("hostile");
    log.failure(
        "history",
        1,
        MISS,
        json!({"record": format!("<script>{}", "x\u{0}<b>".repeat(250_000)), "row_key": "k".repeat(10_000)}),
    );
    events.extend(log.events);
    events
}

/// Replaces every string.
pub(crate) fn taint(value: &mut Value, change: &mut dyn FnMut(&String) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(values) => values.iter_mut().for_each(|value| taint(value, change)),
        Value::Object(map) => {
            let old = std::mem::take(map);
            for (key, mut value) in old {
                taint(&mut value, change);
                map.insert(key, value);
            }
        }
        _ => {}
    }
}
