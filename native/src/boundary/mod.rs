//! The only code that uses JNI.
//!
//! | module | task |
//! |---|---|
//! | [`entries`] | the natives of `andiron.internal.boundary.Native`: they translate arguments and call the core, without decisions |
//! | [`metrics`] | the same for `andiron.internal.boundary.NativeMetrics` |
//! | [`tables`] | the same for `andiron.internal.boundary.NativeTable` |
//! | [`gauges`] | the single publisher of this process, and its sources |
//! | [`guard`] | the single entry of every native: panic or error to a typed Java exception |
//! | [`raw`] | the JVM's functions that natives may call on a nearly full stack |
//! | [`anchor`] | one set of statics for all copies of the library in a process |
//! | [`table`] | the list of all natives |
//! | [`arguments`] | arguments from the JVM's types to the core's |
//! | [`onload`] | binds the natives when a class loader loads the library |
//! | [`logging`] | the `log` crate to slf4j |
//! | [`object`] | a JVM object as a payload |
//!
//! To add a native: declare it in `Native.scala`, `NativeMetrics.scala` or `NativeTable.scala`, write the entry, list it in
//! [`table`], and raise [`anchor::ABI`].

mod anchor;
mod arguments;
mod entries;
mod gauges;
mod guard;
mod logging;
mod metrics;
mod object;
mod onload;
mod raw;
mod table;
mod tables;
