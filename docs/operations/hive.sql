-- The tables and views of andiron.hive.Ingest, which makes the missing ones. Generated; a suite holds this file to the code.

CREATE DATABASE IF NOT EXISTS andiron;

CREATE TABLE IF NOT EXISTS andiron.metrics_raw (
  `event_id` STRING,
  `kind` STRING,
  `revision` BIGINT,
  `v` BIGINT,
  `app_id` STRING,
  `app_attempt` STRING,
  `ts_ms` BIGINT,
  `origin` STRING,
  `position` BIGINT,
  `acc` STRING,
  `app_name` STRING,
  `app_user` STRING,
  `attempted` BIGINT,
  `attempted_double` DOUBLE,
  `call_site` STRING,
  `changed` ARRAY<STRING>,
  `committed` BIGINT,
  `committed_double` DOUBLE,
  `completed_ms` BIGINT,
  `description` STRING,
  `ended_ms` BIGINT,
  `events_dropped` BIGINT,
  `exact` BOOLEAN,
  `execution_id` BIGINT,
  `exit_code` BIGINT,
  `failed_tasks` BIGINT,
  `failure` STRING,
  `gate` STRING,
  `instance` BIGINT,
  `is_final` BOOLEAN,
  `job_id` BIGINT,
  `job_ids` ARRAY<BIGINT>,
  `limit_ratio` DOUBLE,
  `limit_rows` BIGINT,
  `master` STRING,
  `min_rows` BIGINT,
  `name` STRING,
  `partitions_reported` BIGINT,
  `partitions_total` BIGINT,
  `passed` BOOLEAN,
  `plan_nodes` ARRAY<BIGINT>,
  `predecessor` STRING,
  `ratio` DOUBLE,
  `rdd` BIGINT,
  `reason` STRING,
  `result` STRING,
  `rows_dropped` BIGINT,
  `rows_in` BIGINT,
  `run_id` STRING,
  `scala` STRING,
  `scope` STRING,
  `site` STRING,
  `source` STRING,
  `spark` STRING,
  `stage` BIGINT,
  `stage_attempt` BIGINT,
  `stage_ids` ARRAY<BIGINT>,
  `started_ms` BIGINT,
  `status` STRING,
  `step` STRING,
  `steps` ARRAY<STRING>,
  `submitted_ms` BIGINT,
  `succeeded_tasks` BIGINT,
  `tasks` BIGINT,
  `type` STRING,
  `write_path` STRING,
  `body` STRING)
COMMENT 'Revisions of all events but failures, as often as they came'
PARTITIONED BY (`dt` STRING)
STORED AS PARQUET;

CREATE TABLE IF NOT EXISTS andiron.failures_raw (
  `event_id` STRING,
  `kind` STRING,
  `revision` BIGINT,
  `v` BIGINT,
  `app_id` STRING,
  `app_attempt` STRING,
  `ts_ms` BIGINT,
  `origin` STRING,
  `position` BIGINT,
  `ceiling` STRING,
  `committed` BOOLEAN,
  `complete` BOOLEAN,
  `error_class` STRING,
  `executor` STRING,
  `host` STRING,
  `kept` BIGINT,
  `key_hash` STRING,
  `level` STRING,
  `logger` STRING,
  `message` STRING,
  `record` STRING,
  `record_cut` BOOLEAN,
  `row_key` STRING,
  `seen` BIGINT,
  `site` STRING,
  `stack` STRING,
  `stack_hash` STRING,
  `stage` BIGINT,
  `stage_attempt` BIGINT,
  `step` STRING,
  `task_attempt` BIGINT,
  `task_partition` BIGINT,
  `thread` STRING,
  `version` STRING,
  `body` STRING)
COMMENT 'Revisions of failed rows and log lines, as often as they came'
PARTITIONED BY (`dt` STRING)
STORED AS PARQUET;

CREATE TABLE IF NOT EXISTS andiron.quarantine_raw (
  `origin` STRING,
  `position` BIGINT,
  `topic` STRING,
  `kafka_partition` BIGINT,
  `record_ms` BIGINT,
  `cause` STRING,
  `detail` STRING,
  `record_key` BINARY,
  `record_value` BINARY,
  `seen_ms` BIGINT)
COMMENT 'Records that are no events, and why'
PARTITIONED BY (`dt` STRING)
STORED AS PARQUET;

CREATE TABLE IF NOT EXISTS andiron.log_places (
  `app_id` STRING,
  `app_attempt` STRING,
  `position` BIGINT,
  `seen_ms` BIGINT)
COMMENT 'Up to which place the tables have all of a log'
PARTITIONED BY (`dt` STRING)
STORED AS PARQUET;

CREATE OR REPLACE VIEW andiron.events TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `kind`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `origin`, `position`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw) AS revisions
WHERE place = 1
UNION ALL
SELECT `event_id`, `kind`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `origin`, `position`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.failures_raw) AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.quarantine TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `origin`, `position`, `topic`, `kafka_partition`, `record_ms`, `cause`, `detail`, `record_key`, `record_value`, `seen_ms`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY origin, position, record_ms, cause ORDER BY seen_ms) AS place
  FROM andiron.quarantine_raw) AS records
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.applications TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `app_name`, `run_id`, `app_user`, `spark`, `scala`, `master`, `predecessor`, `started_ms`, `ended_ms`, `exit_code`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Application') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.metrics TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `source`, `acc`, `type`, `scope`, `step`, `site`, `reason`, `exact`, `is_final`, `instance`, `execution_id`, `job_id`, `partitions_reported`, `partitions_total`, `events_dropped`, `stage_ids`, `plan_nodes`, `committed`, `attempted`, `committed_double`, `attempted_double`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Metric') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.stages TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `status`, `name`, `call_site`, `failure`, `steps`, `changed`, `job_ids`, `stage`, `stage_attempt`, `execution_id`, `rdd`, `tasks`, `submitted_ms`, `completed_ms`, `succeeded_tasks`, `failed_tasks`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Stage') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.jobs TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `status`, `call_site`, `failure`, `job_id`, `execution_id`, `submitted_ms`, `ended_ms`, `stage_ids`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Job') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.executions TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `description`, `failure`, `execution_id`, `started_ms`, `ended_ms`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Execution') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.verdicts TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `step`, `site`, `gate`, `result`, `reason`, `write_path`, `passed`, `exact`, `ratio`, `limit_ratio`, `rows_in`, `rows_dropped`, `limit_rows`, `min_rows`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Verdict') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.gates TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `step`, `limit_ratio`, `limit_rows`, `min_rows`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Gate') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.health TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.metrics_raw
  WHERE kind = 'Health') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.failures TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `step`, `site`, `error_class`, `message`, `stack_hash`, `stack`, `row_key`, `key_hash`, `record`, `version`, `executor`, `host`, `ceiling`, `record_cut`, `committed`, `complete`, `stage`, `stage_attempt`, `task_partition`, `task_attempt`, `seen`, `kept`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.failures_raw
  WHERE kind = 'Failure') AS revisions
WHERE place = 1;

CREATE OR REPLACE VIEW andiron.log_lines TBLPROPERTIES ('andiron.tables' = '1') AS
SELECT `event_id`, `revision`, `v`, `app_id`, `app_attempt`, `ts_ms`, `executor`, `level`, `logger`, `message`, `thread`, `stage`, `body`, `dt`
FROM (
  SELECT *, row_number() OVER (PARTITION BY app_id, app_attempt, event_id ORDER BY revision DESC, ts_ms DESC, position DESC) AS place
  FROM andiron.failures_raw
  WHERE kind = 'LogLine') AS revisions
WHERE place = 1;
