//! Operations, and their random generation. Numbers select among the objects that exist when the operation
//! runs.

use proptest::prelude::*;

/// One call on the cache, or an event around it.
#[derive(Clone, Debug)]
pub enum Op {
    /// A catalog of some versions of a dataset, some of them with sizes.
    Open {
        dataset: u8,
        versions: u8,
        sized: u8,
    },
    Close(u8),
    CloseApplication,
    Demand(u8, u8),
    /// A task; true for a task of a barrier stage.
    Begin(bool),
    End(u8),
    OpenCursor(u8, bool),
    CloseCursor(u8),
    Release(u8),
    Advance(u8, u8),
    AdvanceAll(u8, Vec<u8>),
    Wait(u8),
    Leased(u8, u8),
    /// A loader thread takes a load.
    Take(u8),
    /// A loader thread cannot run it.
    GiveBack(u8),
    /// A load ends with a payload larger than the version by this number of bytes.
    Finish(u8, u8),
    Fail(u8),
    /// A load that has ended already ends again.
    FinishAgain,
    Turn(u16),
    PassTime,
}

/// Any operation. Operations that move tasks and end loads are the most frequent, so that many versions are
/// resident and many waits happen.
pub fn op() -> impl Strategy<Value = Op> {
    let any = any::<u8>;
    prop_oneof![
        2 => (0u8..2, any(), any()).prop_map(|(dataset, versions, sized)| Op::Open { dataset, versions, sized }),
        1 => any().prop_map(Op::Close),
        1 => Just(Op::CloseApplication),
        2 => (any(), any()).prop_map(|(slot, tasks)| Op::Demand(slot, tasks)),
        4 => proptest::bool::weighted(0.4).prop_map(Op::Begin),
        2 => any().prop_map(Op::End),
        6 => (any(), proptest::bool::ANY).prop_map(|(attempt, ordered)| Op::OpenCursor(attempt, ordered)),
        1 => any().prop_map(Op::CloseCursor),
        4 => any().prop_map(Op::Release),
        30 => (any(), any()).prop_map(|(cursor, slot)| Op::Advance(cursor, slot)),
        8 => (any(), prop::collection::vec(any(), 1..4)).prop_map(|(cursor, slots)| Op::AdvanceAll(cursor, slots)),
        8 => any().prop_map(Op::Wait),
        4 => (any(), 0u8..3).prop_map(|(cursor, index)| Op::Leased(cursor, index)),
        10 => any().prop_map(Op::Take),
        1 => any().prop_map(Op::GiveBack),
        20 => (any(), prop_oneof![6 => Just(0u8), 1 => 0u8..20]).prop_map(|(load, more)| Op::Finish(load, more)),
        4 => any().prop_map(Op::Fail),
        1 => Just(Op::FinishAgain),
        8 => (0u16..1500).prop_map(Op::Turn),
        4 => Just(Op::PassTime),
    ]
}
