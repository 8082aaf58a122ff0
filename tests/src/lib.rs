//! Shared parts of the test binaries: the artifacts under test, and one JVM per process.

pub mod artifacts;
pub mod jvm;
