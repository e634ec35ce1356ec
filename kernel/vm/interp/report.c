/* What the VM says when a program cannot go on: the fault and the stack of the process. */
#include <stdarg.h>
#include <stdio.h>

#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/objects.h"

enum { REPORT_FRAMES_MAX = 40, REPORT_PROCESSES_MAX = 100 };

void report_name_of_class(Vm *vm, Oop class, char *buffer, size_t size)
{
    vm_class_name(vm, class, buffer, size);
}

void report_text(Vm *vm, Oop oop, char *buffer, size_t size)
{
    if (is_object(oop) && format_is_bytes(object_format(oop))) {
        Word count = bits_byte_count(oop);
        snprintf(buffer, size, "%.*s", count < size ? (int)count : (int)size - 1, (char *)object_bytes(oop));
        return;
    }
    char name[96];
    vm_class_name(vm, follow(heap_class_of(&vm->heap, oop)), name, sizeof name);
    snprintf(buffer, size, "an instance of %s", name);
}

/* The selector a method's literals tell; an object that holds it is looked into. */
static void selector_text(Vm *vm, Oop code, char *buffer, size_t size)
{
    Word count = method_literal_count(&vm->heap, code);
    Oop literal = count >= 2 ? follow(object_slot(code, count - 1)) : vm->heap.nil;
    if (is_object(literal) && format_is_pointers(object_format(literal)) && object_slot_count(literal) > 1) {
        Oop selector = follow(object_slot(literal, 1)); /* AdditionalMethodState: method, selector */
        if (is_object(selector) && format_is_bytes(object_format(selector)))
            literal = selector;
    }
    if (is_object(literal) && format_is_bytes(object_format(literal)))
        report_text(vm, literal, buffer, size);
    else
        snprintf(buffer, size, "(a method without a selector)");
}

/* The method a block of code belongs to. */
static Oop home_method(Vm *vm, Oop code)
{
    for (int depth = 0; depth < 256; depth++) {
        Word count = method_literal_count(&vm->heap, code);
        Oop outer = count ? follow(object_slot(code, count)) : vm->heap.nil;
        if (!is_code(outer))
            return code;
        code = outer;
    }
    return code;
}

/* The class a method was compiled in: the value of its last literal. */
static Oop method_class(Vm *vm, Oop code)
{
    Word count = method_literal_count(&vm->heap, code);
    Oop binding = count ? follow(object_slot(code, count)) : vm->heap.nil;
    if (is_object(binding) && format_is_pointers(object_format(binding)) &&
        object_slot_count(binding) > ASSOCIATION_VALUE)
        return follow(object_slot(binding, ASSOCIATION_VALUE));
    return vm->heap.nil;
}

static void report_activation(Vm *vm, Oop code, Oop receiver, bool block)
{
    char of_receiver[96], of_method[96], selector[128];
    Oop home = home_method(vm, code);
    Oop class = follow(heap_class_of(&vm->heap, receiver)), in = method_class(vm, home);
    vm_class_name(vm, class, of_receiver, sizeof of_receiver);
    selector_text(vm, home, selector, sizeof selector);
    fprintf(stderr, "    %s%s", block ? "[] in " : "", of_receiver);
    if (in != class && in != vm->heap.nil) {
        vm_class_name(vm, in, of_method, sizeof of_method);
        fprintf(stderr, "(%s)", of_method);
    }
    fprintf(stderr, ">>%s\n", selector);
}

/* Prints the newest activations, from a frame or, with `fp` 0, from a context; none is made for it. */
static void report_activations(Vm *vm, Word fp, Oop context)
{
    unsigned count = 0;
    if (!fp && is_context(context) && context_married(context))
        fp = context_frame(context);
    for (; count < REPORT_FRAMES_MAX && (fp || is_context(context)); count++) {
        if (fp) {
            Word *frame = frame_at(fp);
            report_activation(vm, frame[FRAME_METHOD], frame[FRAME_RECEIVER], frame_is_block(frame));
            fp = frame[FRAME_SAVED_FP];
            context = fp ? NO_OOP : follow(frame[FRAME_RETURN]);
        } else {
            Oop code = follow(object_slot(context, CONTEXT_METHOD));
            if (!is_code(code))
                break;
            report_activation(vm, code, follow(object_slot(context, CONTEXT_RECEIVER)),
                              follow(object_slot(context, CONTEXT_CLOSURE)) != vm->heap.nil);
            context = follow(object_slot(context, CONTEXT_SENDER));
        }
        if (!fp && context && is_context(context) && context_married(context)) {
            fp = context_frame(context);
            context = NO_OOP;
        }
    }
    if (count == REPORT_FRAMES_MAX)
        fprintf(stderr, "    ...\n");
}

static void report_stack_of(Vm *vm, Oop process)
{
    Oop context = follow(object_slot(process, PROCESS_CONTEXT));
    if (process == process_active(vm) && vm->fp)
        context = NO_OOP;
    report_activations(vm, context ? 0 : vm->fp, context);
}

void report_stack(Vm *vm)
{
    report_stack_of(vm, process_active(vm));
}

/* What a process does: "runs", "is ready", "is suspended", "waits for a Semaphore". */
static void report_state(Vm *vm, Oop process)
{
    char class[96];
    Oop list = follow(object_slot(process, PROCESS_LIST));
    if (process == process_active(vm))
        fprintf(stderr, "runs");
    else if (!is_object(list) || list == vm->heap.nil)
        fprintf(stderr, "is suspended");
    else if (object_slot_count(list) <= SEMAPHORE_EXCESS)
        fprintf(stderr, "is ready");
    else {
        vm_class_name(vm, follow(heap_class_of(&vm->heap, list)), class, sizeof class);
        fprintf(stderr, "waits for a %s", class);
    }
}

static void report_process(Vm *vm, Oop process)
{
    Oop priority = object_slot(process, PROCESS_PRIORITY);
    fprintf(stderr, "  A process of priority %" PRIdWORD " ",
            is_small_integer(priority) ? small_integer_value(priority) : 0);
    report_state(vm, process);
    fprintf(stderr, ":\n");
    report_stack_of(vm, process);
}

/* Not those that are at their end. */
static bool is_another_process(Vm *vm, Oop object, Oop class)
{
    return is_object(object) && follow(heap_class_of(&vm->heap, object)) == class &&
           object != process_active(vm) && is_context(follow(object_slot(object, PROCESS_CONTEXT)));
}

void report_processes(Vm *vm)
{
    Mm *mm = vm->heap.mm;
    Oop class = follow(heap_class_of(&vm->heap, process_active(vm)));
    unsigned count = 0;
    report_process(vm, process_active(vm));
    for (Oop at = mm->ops->first_object(mm); at && count <= REPORT_PROCESSES_MAX;
         at = mm->ops->next_object(mm, at))
        if (is_another_process(vm, at, class)) {
            if (count++ < REPORT_PROCESSES_MAX)
                report_process(vm, at);
            else
                fprintf(stderr, "  ...\n");
        }
}

void report_fatal(Vm *vm, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "osvm: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    report_stack(vm);
    vm_request_exit(vm, OSVM_PROGRAM_ERROR);
}
