//! What the test binaries share: the artifacts under test, and one JVM per process.

pub mod artifacts;
pub mod jvm;
