/* The numbered primitives that are the interpreter's own: sends, closures, contexts of
 * control, processes, timers, snapshot. The table in kernel/vm/primitives/table.c refers
 * to them. All are PRIM_MAY_SWITCH except where the comment says "plain".
 *
 * The markers 123, 198 and 199 and the quick primitives have no function: the
 * interpreter knows them.
 */
#ifndef OSVM_VM_INTERP_CONTROL_PRIMS_H
#define OSVM_VM_INTERP_CONTROL_PRIMS_H

#include "kernel/vm/vm.h"

/* ---- send_prims.c ---- */
PrimFailure prim_perform(Vm *vm, unsigned arg_count);                   /* 83, depth 0 */
PrimFailure prim_perform_with_args(Vm *vm, unsigned arg_count);         /* 84, depth 1 */
PrimFailure prim_perform_in_superclass(Vm *vm, unsigned arg_count);     /* 100, depth 1 */
PrimFailure prim_do_primitive_with_args(Vm *vm, unsigned arg_count);    /* 118, depth 1 */
PrimFailure prim_do_named_primitive_with_args(Vm *vm, unsigned arg_count); /* 218, depth 3 */
PrimFailure prim_execute_method_args_array(Vm *vm, unsigned arg_count); /* 188, depth 1 */
PrimFailure prim_execute_method(Vm *vm, unsigned arg_count);            /* 189, depth 1 */

/* ---- closure_prims.c ---- */
PrimFailure prim_closure_copy(Vm *vm, unsigned arg_count);              /* 200, plain, depth 1 */
PrimFailure prim_closure_value(Vm *vm, unsigned arg_count);             /* 201..205, depth 2 */
PrimFailure prim_closure_value_with_args(Vm *vm, unsigned arg_count);   /* 206, depth 2 */
PrimFailure prim_full_closure_value(Vm *vm, unsigned arg_count);        /* 207, depth 1 */
PrimFailure prim_full_closure_value_with_args(Vm *vm, unsigned arg_count); /* 208, depth 1 */
PrimFailure prim_full_closure_value_no_switch(Vm *vm, unsigned arg_count); /* 209, depth 1 */
PrimFailure prim_closure_value_no_switch(Vm *vm, unsigned arg_count);   /* 221, 222, depth 2 */

/* ---- context_prims.c ---- */
PrimFailure prim_store_stackp(Vm *vm, unsigned arg_count);              /* 76, depth 1 */
PrimFailure prim_find_next_unwind_context(Vm *vm, unsigned arg_count);  /* 195, depth 1 */
PrimFailure prim_terminate_to(Vm *vm, unsigned arg_count);              /* 196, depth 2 */
PrimFailure prim_find_handler_context(Vm *vm, unsigned arg_count);      /* 197, depth 0 */
PrimFailure prim_context_at(Vm *vm, unsigned arg_count);                /* 210, plain, depth 1 */
PrimFailure prim_context_at_put(Vm *vm, unsigned arg_count);            /* 211, plain, depth 1 */
PrimFailure prim_context_size(Vm *vm, unsigned arg_count);              /* 212, plain, depth 1 */
PrimFailure prim_context_xray(Vm *vm, unsigned arg_count);              /* 213, plain, depth 1 */
PrimFailure prim_void_vm_state(Vm *vm, unsigned arg_count);             /* 214, depth -1 */

/* ---- process_prims.c ---- */
PrimFailure prim_semaphore_signal(Vm *vm, unsigned arg_count);          /* 85, depth 0 */
PrimFailure prim_semaphore_wait(Vm *vm, unsigned arg_count);            /* 86, depth 1 */
PrimFailure prim_process_resume(Vm *vm, unsigned arg_count);            /* 87, depth 0 */
PrimFailure prim_process_suspend(Vm *vm, unsigned arg_count);           /* 88, depth 2 */
PrimFailure prim_process_suspend_v1(Vm *vm, unsigned arg_count);        /* 568, depth 2 */
PrimFailure prim_process_suspend_v2(Vm *vm, unsigned arg_count);        /* 578, depth 2 */
PrimFailure prim_process_yield(Vm *vm, unsigned arg_count);             /* 167, depth -1 */
PrimFailure prim_mutex_exit(Vm *vm, unsigned arg_count);                /* 185, depth 1 */
PrimFailure prim_mutex_enter(Vm *vm, unsigned arg_count);               /* 186, depth 1 */
PrimFailure prim_mutex_test_and_set(Vm *vm, unsigned arg_count);        /* 187, depth 1 */
PrimFailure prim_relinquish_processor(Vm *vm, unsigned arg_count);      /* 230, plain, depth 0 */
PrimFailure prim_signal_at_milliseconds(Vm *vm, unsigned arg_count);    /* 136, plain, depth 0 */
PrimFailure prim_signal_at_utc_microseconds(Vm *vm, unsigned arg_count); /* 242, plain, depth 0 */

/* ---- snapshot.c ---- */
PrimFailure prim_snapshot(Vm *vm, unsigned arg_count);                  /* 97, depth -1 */

#endif
