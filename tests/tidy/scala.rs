//! The rules of the Scala tree: folders, visible packages, arrows, Spark's private packages.

use crate::tree::{code_lines, files, Source};
use crate::{lines_with, none};

const ROOTS: [&str; 4] =
    ["jvm/src/main/scala/", "jvm/src/main/java/", "jvm/src/test/scala/", "jvm/src/test/java/"];

fn folder<'a>(source: &'a Source, root: &str) -> &'a str {
    source.path[root.len()..].rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[test]
fn a_folder_is_a_package() {
    let all = files();
    let mut wrong = Vec::new();
    for source in &all {
        let Some(root) = ROOTS.iter().find(|root| source.path.starts_with(*root)) else { continue };
        let Some(package) = source.text.lines().find_map(|line| line.strip_prefix("package ")) else {
            continue;
        };
        // A package object stands in its package's folder and is declared from the package above.
        let package = package.strip_prefix("object ").unwrap_or(package).trim_end_matches([';', ' ', '{']);
        if folder(source, root).replace('/', ".") != package {
            wrong.push(format!("{}: package {package}", source.path));
        }
    }
    none("files outside their package's folder", wrong);
}

/// `import andiron._` brings the packages below `andiron` into scope, under their last word.
#[test]
fn no_package_hides_a_name_of_the_user() {
    const TAKEN: [&str; 5] = ["util", "java", "native", "cache", "metrics"];
    let all = files();
    let main = all.iter().filter(|s| s.path.starts_with("jvm/src/main/"));
    let hides = |line: &str| {
        line.strip_prefix("package andiron.")
            .is_some_and(|rest| TAKEN.contains(&rest.split(['.', ';']).next().unwrap_or_default()))
    };
    none("public packages that `import andiron._` puts before the user's", lines_with(main, hides));
}

#[test]
fn arrows_between_internal_packages_go_one_way() {
    // A package of the left column may name those of the right one; the root of `internal`, where the plugin is, may name all.
    const ARROWS: [(&str, &[&str]); 8] = [
        ("source", &["cache", "table"]),
        ("composition", &["cache", "metrics", "table"]),
        ("python", &["cache", "metrics", "util"]),
        ("table", &["cache", "boundary", "util"]),
        ("cache", &["boundary", "util"]),
        ("metrics", &["boundary", "util"]),
        ("boundary", &[]),
        ("util", &[]),
    ];
    const INTERNAL: &str = "jvm/src/main/scala/andiron/internal/";
    let all = files();
    let mut wrong = Vec::new();
    for source in all.iter().filter(|s| s.path.starts_with(INTERNAL)) {
        let Some((from, _)) = source.path[INTERNAL.len()..].split_once('/') else { continue };
        let (_, may) = ARROWS.iter().find(|(package, _)| *package == from).unwrap_or_else(|| {
            panic!("{}: the package {from} has no arrows yet; add them here", source.path)
        });
        for (number, line) in code_lines(source) {
            for (at, found) in line.match_indices("andiron.internal.") {
                // Part of the name of a property, and no package.
                if line[..at].ends_with('.') {
                    continue;
                }
                let rest = &line[at + found.len()..];
                let to = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                let is_package = to.starts_with(|c: char| c.is_lowercase());
                if is_package && to != from && !may.contains(&to) {
                    wrong.push(format!("{}:{number}: {from} names {to}", source.path));
                }
            }
        }
    }
    none("arrows against the order", wrong);
}

#[test]
fn only_the_shim_imports_private_spark() {
    const SHIM: &str = "jvm/src/main/scala/org/apache/spark/andironshim/";
    const PRIVATE: [&str; 6] =
        ["internal", "deploy", "sql.catalyst", "sql.execution", "sql.internal", "memory"];
    let all = files();
    let outside = all.iter().filter(|s| s.path.starts_with("jvm/src/main/") && !s.path.starts_with(SHIM));
    let imports = |line: &str| {
        line.trim_start().strip_prefix("import org.apache.spark.").is_some_and(|rest| {
            PRIVATE.iter().any(|package| {
                rest.strip_prefix(package).is_some_and(|after| after.starts_with(['.', ';', '{']))
            })
        })
    };
    none("imports of Spark's private packages outside the shim", lines_with(outside, imports));
}
