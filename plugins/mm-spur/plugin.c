/* The memory manager's vtable and descriptor. */
#include "osvm/plugin.h"
#include "spur.h"

static const MmOps mm_spur_ops = {
    .size = sizeof(MmOps),
    .start = space_start,
    .stop = space_stop,
    .prepare_load = space_prepare_load,
    .adopt = space_adopt,
    .allocate = allocate_slow,
    .allocate_old = allocate_old,
    .remember = allocate_remember,
    .collection_due = collect_is_due,
    .collect_if_due = collect_if_due,
    .scavenge = scavenge,
    .collect_full = collect_full,
    .make_room = collect_make_room,
    .found_weak = fixpoint_found_weak,
    .found_ephemeron = fixpoint_found_ephemeron,
    .class_marks = fixpoint_class_marks,
    .finish_tracing = fixpoint_finish_full,
    .visit_roots = collect_visit_roots,
    .visit_all_references = collect_visit_all_references,
    .class_enter = class_enter,
    .become = become,
    .pin = pin,
    .next_mourner = mourner_next,
    .mourner_at = mourner_at,
    .first_object = walk_first_object,
    .next_object = walk_next_object,
    .statistics = parameters_statistics,
    .get_parameter = parameters_get,
    .set_parameter = parameters_set,
    .leak_check = leak_check,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_MM, WORD_BITS),
    .name = "spur",
    .version = OSVM_VERSION,
    .summary = "generational scavenger with lazy become for the Spur object format",
    .licence = "MIT",
    .vtable_abi = OSVM_MM_ABI,
    .vtable = &mm_spur_ops,
    .vtable_size = sizeof mm_spur_ops,
    .state_size = sizeof(MmSpur),
    .state_version = 1,
};
