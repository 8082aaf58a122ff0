//! The table of all natives: the one list that a new native is added to.

use super::anchor::{Native, Table};
use super::{entries, gauges, metrics, tables};

macro_rules! natives {
    ($($class:literal { $($module:ident::$function:ident $name:literal $signature:literal,)+ })+) => {
        static NATIVES: &[Native] = &[$($(Native {
            class: concat!($class, "\0").as_ptr().cast(),
            name: concat!($name, "\0").as_ptr().cast(),
            signature: concat!($signature, "\0").as_ptr().cast(),
            function: $module::$function as *const std::ffi::c_void,
        }),+),+];
    };
}

natives! {
    "andiron/internal/boundary/Native$" {
        entries::build_info "buildInfo" "()Ljava/lang/String;",
        entries::configure "configure" "(Ljava/lang/String;)V",
        entries::open_catalog "openCatalog" "(Ljava/lang/String;Ljava/lang/String;IJ)J",
        entries::add_version "addVersion" "(JLjava/lang/String;Ljava/lang/String;JLjava/lang/String;)J",
        entries::set_demand "setDemand" "(JJ)V",
        entries::close_catalog "closeCatalog" "(J)V",
        entries::begin_attempt "beginAttempt" "(Ljava/lang/String;Z)J",
        entries::end_attempt "endAttempt" "(J)I",
        entries::open_cursor "openCursor" "(JZ)J",
        entries::advance "advance" "(JJ)J",
        entries::advance_all "advanceAll" "(J[J)J",
        entries::await_slice "await" "(JJ)J",
        entries::release "release" "(J)V",
        entries::close_cursor "closeCursor" "(J)V",
        entries::open_view "openView" "(JI[J)J",
        entries::close_view "closeView" "(J)V",
        entries::view_buffer "viewBuffer" "(JJI)Ljava/nio/ByteBuffer;",
        entries::leased_file "leasedFile" "(JI[J)Ljava/lang/String;",
        entries::leased_object "leasedObject" "(JI)Ljava/lang/Object;",
        entries::leased_path "leasedPath" "(JI)Ljava/lang/String;",
        entries::next_load "nextLoad" "(J)J",
        entries::load_version "loadVersion" "(J)J",
        entries::give_back_load "giveBackLoad" "(J)V",
        entries::store_begin "storeBegin" "(JLjava/lang/String;)Z",
        entries::store_write "storeWrite" "(J[BI)V",
        entries::store_entry "storeEntry" "(JLjava/lang/String;J)V",
        entries::store_copy "storeCopy" "(JLjava/lang/String;)V",
        entries::store_publish "storePublish" "(J)V",
        entries::map_in_place "mapInPlace" "(JLjava/lang/String;Ljava/lang/String;)V",
        entries::load_object "loadObject" "(JLjava/lang/Object;JZ)V",
        entries::next_evicted_object "nextEvicted" "()Ljava/lang/Object;",
        entries::load_failed "loadFailed" "(JLjava/lang/String;Ljava/lang/Throwable;)V",
        entries::stat_names "statNames" "()Ljava/lang/String;",
        entries::stat_kinds "statKinds" "()Ljava/lang/String;",
        entries::stats "stats" "([J)I",
        entries::close_application "closeApplication" "(Ljava/lang/String;)V",
    }
    "andiron/internal/boundary/NativeMetrics$" {
        metrics::open "open" "(Ljava/lang/String;Ljava/lang/String;)J",
        metrics::accumulator "accumulator" "(JJLjava/lang/String;I)V",
        metrics::task_ends "taskEnds" "(JLjava/nio/ByteBuffer;I)V",
        metrics::event "event" "(JILjava/lang/String;)V",
        metrics::step_cell "stepCell" "(J[B)V",
        metrics::judge "judge" "(JLjava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
        metrics::step_figures "stepFigures" "(JJ)Ljava/lang/String;",
        metrics::sentinel "sentinel" "(JJ)V",
        metrics::await_sentinel "awaitSentinel" "(JJJ)Z",
        metrics::dropped_events "droppedEvents" "(JJ)V",
        metrics::flush "flush" "(JJ)Z",
        metrics::end "end" "(JLjava/lang/String;J)V",
        metrics::figures "figures" "(J)Ljava/lang/String;",
        metrics::report "report" "(Ljava/lang/String;Ljava/lang/String;Z)Ljava/lang/String;",
        metrics::command "command" "(Ljava/lang/String;)Ljava/lang/String;",
        metrics::check_sinks "checkSinks" "(Ljava/lang/String;)V",
        metrics::series "series" "(J)Ljava/lang/String;",
        gauges::atlas_check "atlasCheck" "(Ljava/lang/String;)V",
        gauges::atlas_start "atlasStart" "(Ljava/lang/String;Ljava/lang/String;J)J",
        gauges::atlas_figures "atlasFigures" "(J)Ljava/lang/String;",
        gauges::atlas_stop "atlasStop" "(JJ)Z",
        metrics::ask "ask" "(JLjava/lang/String;)Ljava/lang/String;",
        metrics::failures "failures" "(JJ)Ljava/lang/String;",
        metrics::secret "secret" "(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
    }
    "andiron/internal/boundary/NativeTable$" {
        tables::check_description "checkDescription" "(Ljava/lang/String;Ljava/lang/String;)V",
        tables::check_manifest "checkManifest" "(Ljava/lang/String;Ljava/lang/String;JLjava/lang/String;)V",
        tables::shards_for "shardsFor" "(JJ)I",
        tables::new_table "newTable" "(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
        tables::draft "draft" "(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
        tables::complete "complete" "(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;",
        tables::index_estimate "indexEstimate" "(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)J",
        tables::open_part "openPart" "(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)J",
        tables::part_parent "partParent" "(JIJI)V",
        tables::part_rows "partRows" "(J[BI)V",
        tables::part_shard "partShard" "(JI)V",
        tables::part_take "partTake" "(J[B)I",
        tables::part_finish "partFinish" "(JLjava/lang/String;)Ljava/lang/String;",
        tables::open_line "openLine" "(Ljava/lang/String;Ljava/lang/String;Ljava/lang/String;)J",
        tables::line_offer "lineOffer" "(JIJI)V",
        tables::line_grow "lineGrow" "(JII)V",
        tables::line_versions "lineVersions" "(J)I",
        tables::line_bytes "lineBytes" "(J)J",
        tables::open_line_view "openLineView" "(JI[J)J",
        tables::close_table "closeTable" "(J)V",
    }
}

/// This copy's table, which other copies find by its name. A change of [`Table`] changes the name; a change of [`Native`]
/// only raises [`super::anchor::ABI`], so that copies that differ find and refuse each other.
#[no_mangle]
#[allow(non_upper_case_globals)]
pub(super) static andiron_anchor_1: Table = Table::new(NATIVES);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::ffi::CStr;

    #[test]
    fn a_name_is_one_native() {
        // SAFETY: names are NUL-terminated constants.
        let names: BTreeSet<&CStr> =
            NATIVES.iter().map(|native| unsafe { CStr::from_ptr(native.name) }).collect();
        assert_eq!(names.len(), NATIVES.len());
    }
}
