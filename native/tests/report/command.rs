//! The command on real logs: being written, closed, killed, damaged.

use std::path::Path;
use std::time::Duration;

use andiron::report::command::{run, run_json, Streams};
use andiron::report::text::Colour;
use andiron::shiplog::{Event, Options, ShipLog};

use super::fixtures::{failing, small, wide};

const PATIENCE: Duration = Duration::from_secs(30);

fn andiron(arguments: &[&str]) -> (u8, String, String) {
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.to_string()).collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(&arguments, Streams { out: &mut out, err: &mut err, colour: Colour::Plain });
    (status, String::from_utf8(out).expect("UTF-8"), String::from_utf8(err).expect("UTF-8"))
}

/// Writes a log and returns it open.
fn log(root: &Path, application: &str, events: Vec<Event>) -> ShipLog {
    let options = Options { run_id: "nightly-2026-11-23".to_string(), ..Options::for_tests() };
    let log = ShipLog::open(root, application, options).expect("the log");
    for event in events {
        assert!(!log.append(event).is_none());
    }
    log.sync(PATIENCE).expect("durable");
    log
}

#[test]
fn a_report_is_read_from_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs");
    log(&root, "application_1795459512_0007", small()).close(PATIENCE).expect("closed");
    log(&root, "application_1795459512_0009", failing()).close(PATIENCE).expect("closed");
    let root = root.display().to_string();
    let page = folder.path().join("page.html").display().to_string();

    let (status, out, err) =
        andiron(&["report", "application_1795459512_0009", "--log-dir", &root, "--html", &page]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.starts_with("member-features  ENDED AT ITS GATE\n"), "{out}");
    assert!(out.contains("history dropped 20,014 of 100,000 rows, 20 % (limit 0.1 %)"), "{out}");
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));

    let (status, out, _) = andiron(&["apps", &format!("--log-dir={root}")]);
    assert_eq!(status, 0);
    assert!(out.contains("application_1795459512_0007") && out.contains("ended, 4 min 02 s"), "{out}");
    assert!(out.contains("ended at its gate: history"), "{out}");

    let (status, out, _) =
        andiron(&["diff", "application_1795459512_0007", "application_1795459512_0009", "--log-dir", &root]);
    assert_eq!(status, 0);
    assert!(out.contains("× 200.1"), "{out}");

    let (status, out, _) = andiron(&["ship", "--log-dir", &root]);
    assert_eq!((status, out.lines().count()), (0, 1), "{out}");
}

#[test]
fn ship_fails_if_it_leaves_something() {
    let folder = tempfile::tempdir().expect("a folder");
    let live = log(&folder.path().join("live"), "application_1795459512_0009", failing());
    let to = folder.path().join("logs/application_1795459512_0009");
    std::fs::create_dir_all(&to).expect("a folder");
    for entry in std::fs::read_dir(live.folder()).expect("the log").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
    // A segment of a later version follows.
    let header = [b"\x89ANDLOG\n".as_slice(), &99u16.to_le_bytes(), &16u16.to_le_bytes()].concat();
    let sum = crc32fast::hash(&header).to_le_bytes();
    std::fs::write(to.join("segment-0000000002.log"), [header.as_slice(), &sum].concat()).expect("a segment");
    let (status, out, err) =
        andiron(&["ship", "--log-dir", &folder.path().join("logs").display().to_string()]);
    assert!(
        status == 1 && out.contains("not shipped: ") && err.contains("run it again"),
        "{status} {out} {err}"
    );
}

#[test]
fn a_log_without_an_end_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs");
    let live = log(&root, "app-20261123184512-0042", wide());
    let root = root.display().to_string();
    let report = || andiron(&["report", "app-20261123184512-0042", "--log-dir", &root]).1;
    assert!(report().contains("RUNNING"), "{}", report());
    let (_, out, _) = andiron(&["apps", "--log-dir", &root]);
    assert!(out.contains("running"), "{out}");

    // The remains of a kill: segments without an end, and a torn tail.
    let killed = folder.path().join("killed");
    let from = live.folder().to_path_buf();
    let to = killed.join("app-20261123184512-0042");
    std::fs::create_dir_all(&to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the log").flatten() {
        let bytes = std::fs::read(entry.path()).expect("a segment");
        let bytes = if bytes.len() > 4096 { &bytes[..bytes.len() - 100] } else { &bytes };
        std::fs::write(to.join(entry.file_name()), bytes).expect("a copy");
    }
    let killed = killed.display().to_string();
    let (status, out, err) = andiron(&["report", "app-20261123184512-0042", "--log-dir", &killed]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.contains("NEVER ENDED") && out.contains("in the middle of a record"), "{out}");
}

#[test]
fn a_killed_run_says_so_though_its_gate_has_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut events = failing();
    for event in &mut events {
        let mut body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
        body.as_object_mut().expect("an object").retain(|key, _| key != "ended_ms" && key != "exit_code");
        event.body = body.to_string();
    }
    let live = log(&folder.path().join("logs"), "application_1795459512_0009", events);
    let killed = folder.path().join("killed");
    let to = killed.join("application_1795459512_0009");
    std::fs::create_dir_all(&to).expect("a folder");
    for entry in std::fs::read_dir(live.folder()).expect("the log").flatten() {
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
    let report = |root: &Path| {
        andiron(&["report", "application_1795459512_0009", "--log-dir", &root.display().to_string()]).1
    };
    let (running, ended) = (report(&folder.path().join("logs")), report(&killed));
    assert!(running.contains("FAILED AT THE GATE") && !running.contains("It never ended"), "{running}");
    assert!(ended.contains("FAILED AT THE GATE") && ended.contains("It never ended"), "{ended}");
}

#[test]
fn misuse_and_missing_logs_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().display().to_string();
    for misuse in
        [&[][..], &["repot"], &["report"], &["diff", "a"], &["apps", "--no"], &["apps", "--log-dir"]]
    {
        let (status, out, err) = andiron(misuse);
        assert_eq!((status, out.as_str()), (2, ""), "{misuse:?}");
        assert!(err.contains("andiron report <application id>"), "{err}");
    }
    let (status, _, err) = andiron(&["report", "app-\u{1b}[31m", "--log-dir", &root]);
    assert_eq!(status, 1);
    assert!(err.contains("no log of app-\\x1b[31m in "), "{err}");
    let (status, _, err) = andiron(&["report", "app", "--log-dir", &format!("{root}/none")]);
    assert_eq!(status, 1, "{err}");
    assert_eq!(andiron(&["help"]).0, 0);
    for (misuse, said) in [
        (&["apps", "--no"][..], "andiron: no option --no\n"),
        (&["apps", "-x"], "andiron: no option -x\n"),
        (&["apps", "--log-dir"], "andiron: --log-dir needs a value\n"),
        (&["apps", "--json=yes"], "andiron: --json takes no value\n"),
        (&["ship", "--conf", "a"], "andiron: --conf needs KEY=VALUE\n"),
        (&["events", "a", "--since=-"], "andiron: --since takes a number, not -\n"),
    ] {
        let (status, _, err) = andiron(misuse);
        assert!(status == 2 && err.starts_with(said), "{misuse:?}: {err}");
    }
    let helps = [&["--help"][..], &["report", "-h"], &["report", "help"]].map(andiron);
    assert!(helps.iter().all(|help| *help == helps[0] && help.0 == 0 && help.2.is_empty()), "{helps:?}");
}

#[test]
fn ship_refuses_settings_of_no_sink_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().display().to_string();
    for key in [
        concat!("spark.", "andiron.kafk.bootstrap.servers"),
        "spark.andiron.log.dir",
        "spark.andiron.kafka.",
        "x",
    ] {
        let (status, out, err) = andiron(&["ship", "--log-dir", &root, "--conf", &format!("{key}=a")]);
        assert_eq!((status, out.as_str()), (1, ""), "{err}");
        assert!(err.starts_with(&format!("andiron: {key} is no setting of a sink")), "{err}");
    }
    let file = folder.path().join("spark-defaults.conf");
    std::fs::write(&file, "spark.app.name x\nspark.andiron.log.dir y\n").expect("the file");
    let (status, _, err) =
        andiron(&["ship", "--log-dir", &root, "--properties-file", &file.display().to_string()]);
    assert_eq!((status, err.as_str()), (0, ""));
}

#[test]
fn a_log_directory_is_local() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs of a%20b");
    log(&root, "application_1795459512_0007", small()).close(PATIENCE).expect("closed");
    let uri = format!("file://{}/logs%20of%20a%2520b", folder.path().display());
    for command in [&["apps"][..], &["report", "application_1795459512_0007"]] {
        let (status, out, err) = andiron(&[command, &["--log-dir", &uri]].concat());
        assert_eq!((status, err.as_str()), (0, ""));
        assert!(out.contains("member-features"), "{out}");
        for check in [&[][..], &["--check"]] {
            let (status, out, err) =
                andiron(&[command, &["--log-dir", "hdfs://name:8020/logs"], check].concat());
            assert!(status != 0 && !out.contains("no logs"), "{out}");
            assert!(err.contains("hdfs://name:8020/logs is a URI of hdfs"), "{err}");
            assert!(err.contains("spark.andiron.log.archive"), "{err}");
        }
    }
}

#[test]
fn callers_without_streams_get_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs");
    log(&root, "application_1795459512_0009", failing()).close(PATIENCE).expect("closed");
    let root = root.display().to_string();
    let unknown = ["report", "none", "--log-dir", &root];
    for arguments in
        [&["report", "application_1795459512_0009", "--log-dir", &root][..], &unknown, &["repot"]]
    {
        let (status, out, err) = andiron(arguments);
        let asked = serde_json::json!(arguments).to_string();
        let said: serde_json::Value =
            serde_json::from_str(&run_json(&asked).expect("an answer")).expect("JSON");
        assert_eq!(said, serde_json::json!({ "status": status, "out": out, "err": err }));
    }
    for wrong in ["", "{}", "[1]", "report"] {
        assert!(run_json(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn events_are_the_log_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs");
    let all = failing();
    log(&root, "application_1795459512_0009", all.clone()).close(PATIENCE).expect("closed");
    let root = root.display().to_string();
    let events = |more: &[&str]| {
        let arguments = [&["events", "application_1795459512_0009", "--log-dir", &root], more].concat();
        let (status, out, err) = andiron(&arguments);
        assert_eq!((status, err.as_str()), (0, ""));
        out
    };
    let printed = events(&[]);
    assert_eq!(printed.lines().count(), all.len());
    for (line, event) in printed.lines().zip(&all) {
        let mut body: serde_json::Value = serde_json::from_str(&event.body).expect("JSON");
        body["event_id"] = event.id.clone().into();
        body["kind"] = format!("{:?}", event.kind).into();
        body["revision"] = event.revision.into();
        assert_eq!(serde_json::from_str::<serde_json::Value>(line).expect("JSON"), body);
    }
    let tail = events(&["--since", "3", "--numbered"]);
    assert_eq!(tail.lines().count(), all.len() - 3);
    let rest: Vec<&str> = printed.lines().skip(3).collect();
    for (at, line) in tail.lines().enumerate() {
        assert_eq!(line.split_once('\t'), Some(((at + 4).to_string().as_str(), rest[at])));
    }
    assert_eq!(events(&["--since=1000000"]), "");
    let file = folder.path().join("events");
    assert_eq!(events(&["--out", &file.display().to_string()]), "");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), printed);

    let (status, out, _) = andiron(&["apps", "--json", "--log-dir", &root]);
    let found: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (status, &found["application"], &found["closed"]),
        (0, &"application_1795459512_0009".into(), &true.into())
    );
    assert_eq!(andiron(&["events", "none", "--log-dir", &root]).0, 1);
    assert_eq!(andiron(&["events", "none", "--since", "two"]).0, 2);
    let (status, _, err) =
        andiron(&["events", "application_1795459512_0009", "--log-dir", &root, "--out", &root]);
    assert_eq!(status, 1);
    assert!(err.contains("write "), "{err}");
}

/// The state of the single application below `root` according to `apps`, in its line and in its JSON.
fn state(root: &Path) -> (String, String) {
    let root = root.display().to_string();
    let (_, json, _) = andiron(&["apps", "--json", "--log-dir", &root]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    (andiron(&["apps", "--log-dir", &root]).1, json["state"].as_str().expect("a state").to_string())
}

#[test]
fn what_has_ended_and_still_holds_its_log_does_not_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs");
    let running: Vec<Event> =
        failing().into_iter().filter(|event| !event.body.contains("ended_ms")).collect();
    let live = log(&root, "application_1795459512_0009", running);
    assert_eq!(state(&root).1, "running");
    for event in failing().into_iter().filter(|event| event.body.contains("exit_code")) {
        live.append(event);
    }
    live.sync(PATIENCE).expect("durable");
    let (line, json) = state(&root);
    assert!(json == "ending" && line.contains("  ending  ") && !line.contains("running"), "{json}: {line}");
    live.close(PATIENCE).expect("closed");
    drop(live);
    let (line, json) = state(&root);
    assert!(json == "ended at its gate" && line.contains("ended at its gate: history"), "{json}: {line}");
}

#[test]
fn failed_rows_are_printed_with_application_run_and_stack() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("logs");
    log(&root, "application_1795459512_0007", small()).close(PATIENCE).expect("closed");
    log(&root, "application_1795459512_0009", failing()).close(PATIENCE).expect("closed");
    let root = root.display().to_string();
    let rows = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let (status, out, err) = andiron(&[&["failures", "--log-dir", &root], arguments].concat());
        assert_eq!((status, err.as_str()), (0, ""));
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let (all, one) = (rows(&[]), rows(&["application_1795459512_0009"]));
    assert_eq!((all.len(), one.len()), (112 + 512, 512));
    assert_eq!(all[112..], one[..]);
    let row =
        one.iter().find(|row| row["row_key"] == "member-48218" && row["step"] == "history").expect("a row");
    assert_eq!(
        (&row["app_id"], &row["run_id"], &row["error_class"]),
        (
            &"application_1795459512_0009".into(),
            &"nightly-2026-11-23".into(),
            &"com.example.history.CacheMissException".into()
        )
    );
    assert!(row["stack"].as_str().is_some_and(|stack| stack.contains("HistoryStore.scala:118")), "{row}");
    let file = folder.path().join("rows");
    assert!(rows(&["application_1795459512_0009", "--out", &file.display().to_string()]).is_empty());
    assert_eq!(std::fs::read_to_string(&file).expect("the file").lines().count(), 512);
    assert_eq!(andiron(&["failures", "none", "--log-dir", &root]).0, 1);
    assert_eq!(andiron(&["failures", "a", "b", "--log-dir", &root]).0, 2);
}
