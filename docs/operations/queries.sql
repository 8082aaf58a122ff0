-- Questions to the tables of andiron.hive.Ingest (docs/operations/hive.sql, docs/operations/sinks.md). `make test-services` runs every statement of this file.
-- ${database} is Ingest's --database, ${app} an application id, ${step} and ${counter} names of a step and a counter, ${job} an application's name:
-- spark-sql -d database=andiron -d app=application_1795459512_0007 -d step=history -d counter=dropped -d job=member-features -f docs/operations/queries.sql
-- The views take the last revision of each event. A condition on app_id reads only what that application wrote; one on dt in the raw tables
-- reads only those days.

-- Which application is it, and how did it end?
SELECT app_id, app_attempt, app_name, run_id, app_user, spark, started_ms, ended_ms, exit_code, predecessor
FROM ${database}.applications WHERE app_id = '${app}' ORDER BY app_attempt;

-- Which stages ran, and which steps ran in each?
SELECT stage, stage_attempt, status, name, tasks, succeeded_tasks, failed_tasks, steps, completed_ms - submitted_ms AS ms, failure
FROM ${database}.stages WHERE app_id = '${app}' ORDER BY app_attempt, stage, stage_attempt;

-- Which steps ran, in the order of their first stage, and what did they count?
SELECT step, min(array_min(stage_ids)) AS first_stage,
  sum(CASE WHEN acc = 'in' THEN committed END) AS rows_in,
  sum(CASE WHEN acc = 'out' THEN committed END) AS rows_out,
  sum(CASE WHEN acc = 'dropped' THEN committed END) AS dropped,
  sum(CASE WHEN acc = 'dropped' THEN committed END) / sum(CASE WHEN acc = 'in' THEN committed END) AS ratio,
  min(exact) AS exact
FROM ${database}.metrics WHERE app_id = '${app}' AND source = 'step' GROUP BY app_attempt, step ORDER BY first_stage, step;

-- Which stages changed which counters?
SELECT stage, stage_attempt, counter
FROM ${database}.stages LATERAL VIEW explode(changed) counters AS counter WHERE app_id = '${app}' ORDER BY stage, stage_attempt, counter;

-- Which accumulators are there, what counts once and what Spark shows?
SELECT acc, scope, type, coalesce(committed, committed_double) AS committed, coalesce(attempted, attempted_double) AS attempted, exact, reason, stage_ids
FROM ${database}.metrics WHERE app_id = '${app}' AND source = 'accumulator' ORDER BY acc, scope;

-- Which of the application's own counters does a step have?
SELECT step, site, acc, committed, attempted, exact, reason
FROM ${database}.metrics WHERE app_id = '${app}' AND source = 'step' AND acc NOT IN ('in', 'out', 'dropped') ORDER BY step, site, acc;

-- Why were rows dropped? The most frequent causes among the samples. Rows up to the summary's ceiling are a step's sample; the tables also have
-- rows that smaller hashes have pushed out since. A hash is the last part of an id, with leading zeros.
SELECT f.step, f.stack_hash, f.error_class, min(f.message) AS message, count(*) AS samples, max(f.stack) AS stack
FROM ${database}.failures f LEFT JOIN ${database}.failures s
  ON s.app_id = f.app_id AND s.app_attempt = f.app_attempt AND s.step = f.step AND s.error_class IS NULL
WHERE f.app_id = '${app}' AND f.error_class IS NOT NULL AND f.committed AND (s.ceiling IS NULL OR substring_index(f.event_id, '|', -1) <= s.ceiling)
GROUP BY f.step, f.stack_hash, f.error_class ORDER BY samples DESC, f.step, f.stack_hash;

-- Which rows were dropped? The samples of a step, by their hashes.
SELECT f.row_key, f.version, f.error_class, f.message, f.record, f.record_cut, f.stage, f.task_partition, f.executor
FROM ${database}.failures f LEFT JOIN ${database}.failures s
  ON s.app_id = f.app_id AND s.app_attempt = f.app_attempt AND s.step = f.step AND s.error_class IS NULL
WHERE f.app_id = '${app}' AND f.step = '${step}' AND f.error_class IS NOT NULL
  AND (s.ceiling IS NULL OR substring_index(f.event_id, '|', -1) <= s.ceiling)
ORDER BY f.app_attempt, f.event_id;

-- How many rows failed, and do the samples show all of them?
SELECT step, seen, kept, complete FROM ${database}.failures WHERE app_id = '${app}' AND error_class IS NULL ORDER BY step;

-- What did the gates decide?
SELECT step, site, gate, passed, rows_in, rows_dropped, ratio, limit_ratio, limit_rows, min_rows, exact, reason, write_path, ts_ms
FROM ${database}.verdicts WHERE app_id = '${app}' ORDER BY passed, ts_ms;

-- The warnings and errors of driver and executors, by stage.
SELECT stage, level, executor, logger, message FROM ${database}.log_lines WHERE app_id = '${app}' ORDER BY level, stage, ts_ms LIMIT 1000;

-- Which jobs and executions of queries ran?
SELECT job_id, execution_id, status, stage_ids, ended_ms - submitted_ms AS ms FROM ${database}.jobs WHERE app_id = '${app}' ORDER BY job_id;
SELECT execution_id, description, ended_ms - started_ms AS ms, failure FROM ${database}.executions WHERE app_id = '${app}' ORDER BY execution_id;

-- The ratio of a counter to the rows that came in, in the last thirty runs of a job.
WITH runs AS (
  SELECT app_id, app_attempt, started_ms FROM ${database}.applications WHERE app_name = '${job}' ORDER BY started_ms DESC LIMIT 30)
SELECT r.app_id, from_unixtime(floor(r.started_ms / 1000)) AS started, m.step,
  sum(CASE WHEN m.acc = '${counter}' THEN m.committed END) AS counted,
  sum(CASE WHEN m.acc = 'in' THEN m.committed END) AS rows_in,
  sum(CASE WHEN m.acc = '${counter}' THEN m.committed END) / sum(CASE WHEN m.acc = 'in' THEN m.committed END) AS ratio,
  min(m.exact) AS exact
FROM runs r JOIN ${database}.metrics m ON m.app_id = r.app_id AND m.app_attempt = r.app_attempt AND m.source = 'step' AND m.acc IN ('in', '${counter}')
WHERE m.step = '${step}' GROUP BY r.app_id, r.app_attempt, r.started_ms, m.step ORDER BY r.started_ms DESC;

-- Drift: the last run's ratios of dropped rows beside the mean of the twenty-nine before it, the greatest change first.
WITH runs AS (
  SELECT app_id, app_attempt, row_number() OVER (ORDER BY started_ms DESC) AS age FROM ${database}.applications WHERE app_name = '${job}'),
ratios AS (
  SELECT r.age, m.step, sum(CASE WHEN m.acc = 'dropped' THEN m.committed END) / sum(CASE WHEN m.acc = 'in' THEN m.committed END) AS ratio
  FROM runs r JOIN ${database}.metrics m ON m.app_id = r.app_id AND m.app_attempt = r.app_attempt AND m.source = 'step' AND m.acc IN ('in', 'dropped')
  WHERE r.age <= 30 GROUP BY r.age, r.app_id, r.app_attempt, m.step)
SELECT step, max(CASE WHEN age = 1 THEN ratio END) AS now, avg(CASE WHEN age > 1 THEN ratio END) AS before,
  max(CASE WHEN age = 1 THEN ratio END) / avg(CASE WHEN age > 1 THEN ratio END) AS times, count(*) AS runs
FROM ratios GROUP BY step ORDER BY times DESC NULLS LAST;

-- Which runs failed at a gate in the last thirty days?
SELECT a.app_name, v.app_id, v.step, v.ratio, v.limit_ratio, v.reason
FROM ${database}.verdicts v JOIN ${database}.applications a ON a.app_id = v.app_id AND a.app_attempt = v.app_attempt
WHERE NOT v.passed AND v.dt >= CAST(date_sub(current_date(), 30) AS STRING) ORDER BY v.ts_ms DESC;

-- Which runs never ended, and which application went on with them?
SELECT a.app_id, a.app_name, a.run_id, n.app_id AS went_on_as
FROM ${database}.applications a LEFT JOIN ${database}.applications n ON n.predecessor = a.app_id
WHERE a.ended_ms IS NULL ORDER BY a.started_ms DESC;

-- What did an application lose on the way, and what did sinks refuse?
SELECT app_id, get_json_object(body, '$.log.lost') AS lost, get_json_object(body, '$.sinks') AS sinks, get_json_object(body, '$.listener.dropped') AS dropped
FROM ${database}.health WHERE app_id = '${app}';

-- What is in quarantine, and since when?
SELECT topic, cause, count(*) AS records, min(dt) AS since, max(detail) AS example
FROM ${database}.quarantine GROUP BY topic, cause ORDER BY records DESC;

-- All that an application has told, as it was told.
SELECT kind, event_id, revision, body FROM ${database}.events WHERE app_id = '${app}' ORDER BY kind, event_id LIMIT 100;

-- The revisions of a counter, as they came, of one day.
SELECT revision, ts_ms, committed, attempted, exact, origin, position
FROM ${database}.metrics_raw WHERE dt >= CAST(date_sub(current_date(), 1) AS STRING) AND app_id = '${app}' AND step = '${step}' AND acc = '${counter}'
ORDER BY event_id, revision;
