//! The only code that knows JNI.
//!
//! | module | what it does |
//! |---|---|
//! | [`entries`] | the natives of `andiron.internal.Native`: they translate arguments and call the core, and decide nothing |
//! | [`metrics`] | the same for `andiron.internal.NativeMetrics` |
//! | [`atlas`] | the one publisher of this process, and what it publishes |
//! | [`guard`] | the one door of every native: panic or error to a typed Java exception |
//! | [`raw`] | the JVM's functions that natives call on a stack of any depth |
//! | [`anchor`] | one set of statics for all copies of the library in a process |
//! | [`onload`] | binds the natives when a class loader loads the library |
//! | [`logging`] | the `log` crate to slf4j |
//! | [`object`] | a JVM object as a payload |
//!
//! Adding a native: declare it in `Native.scala` or `NativeMetrics.scala`, write the entry, list it in `entries::TABLE` or
//! `metrics::TABLE`, raise [`anchor::ABI`].

mod anchor;
mod atlas;
mod entries;
mod guard;
mod logging;
mod metrics;
mod object;
mod onload;
mod raw;
