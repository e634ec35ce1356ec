/* Leak checks on request: options, reports, the primitive. */
#include <string.h>

#include "kernel/base/nearest.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/memory/guard.h"
#include "kernel/vm/objects.h"

static bool is_word(const char *at, size_t length, const char *word)
{
    return strlen(word) == length && strncmp(at, word, length) == 0;
}

static bool refuse(const OsvmHost *host, const char *word, size_t length, OsvmError *error)
{
    char name[64], all[256] = "scavenges";
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    Nearest nearest = nearest_to(name);
    nearest_offer(&nearest, "scavenges");
    for (unsigned i = 0; i < LEAK_SUBSETS; i++) {
        nearest_offer(&nearest, leak_subset_name(i));
        snprintf(all + strlen(all), sizeof all - strlen(all), ", %s", leak_subset_name(i));
    }
    return host->fail(error, OSVM_USAGE, "--leak-check: there is no '%s'%s%s%s; there are: %s",
                      name, nearest.best ? "; did you mean '" : "", nearest.best ? nearest.best : "",
                      nearest.best ? "'?" : "", all);
}

bool leaks_parse(const OsvmHost *host, const char *text, LeakOptions *options, OsvmError *error)
{
    *options = (LeakOptions){.wanted = true};
    for (size_t length; *text; text += length + (text[length] == ',')) {
        length = strcspn(text, ",");
        unsigned subset = 0;
        while (subset < LEAK_SUBSETS && !is_word(text, length, leak_subset_name(subset)))
            subset++;
        if (subset < LEAK_SUBSETS)
            options->subsets |= 1u << subset;
        else if (is_word(text, length, "scavenges"))
            options->scavenges = true;
        else
            return refuse(host, text, length, error);
    }
    if (!options->subsets)
        options->subsets = LEAK_ALL;
    return true;
}

/* ---- Looking ---- */

static void print_finding(void *context, const char *sentence)
{
    fprintf(stderr, "osvm: leak check %s: %s\n", (const char *)context, sentence);
}

static void log_times(Vm *vm, const char *when, const LeakCheck *check, size_t findings)
{
    char line[512];
    size_t used =
        (size_t)snprintf(line, sizeof line, "leak check %s: %zu findings;", when, findings);
    for (unsigned i = 0; i < LEAK_SUBSETS; i++)
        if (check->subsets >> i & 1)
            used += (size_t)snprintf(line + used, sizeof line - used, " %s %.1f ms",
                                     leak_subset_name(i), (double)check->times[i] / 1000);
    vm->heap.host->log(&vm->heap, "%s", line);
}

size_t leaks_look(Vm *vm, Mm *mm, unsigned subsets, const char *when, LeakCheck *check)
{
    *check = (LeakCheck){.subsets = subsets, .report = print_finding,
                         .context = (void *)(uintptr_t)when};
    stack_sync(vm);
    size_t findings = mm->ops->leak_check(mm, check);
    log_times(vm, when, check, findings);
    return findings;
}

/* ---- The primitive ---- */

static bool subsets_of(Vm *vm, Oop oop, LeakOptions *options)
{
    char text[256];
    if (oop == vm->heap.nil)
        return leaks_parse(vm->setup->host, "", options, NULL);
    if (is_immediate(oop) || !format_is_bytes(object_format(oop)) ||
        bits_byte_count(oop) >= sizeof text)
        return false;
    memcpy(text, object_bytes(oop), bits_byte_count(oop));
    text[bits_byte_count(oop)] = 0;
    return leaks_parse(vm->setup->host, text, options, NULL);
}

static bool put_subset(Vm *vm, Oop array, Word at, unsigned subset, const LeakCheck *check)
{
    const char *name = leak_subset_name(subset);
    Oop string = vm_string_oop(vm, name, strlen(name));
    if (!string)
        return false;
    heap_store(&vm->heap, array, at, string);
    heap_store(&vm->heap, array, at + 1, small_integer_oop((SWord)check->findings[subset]));
    heap_store(&vm->heap, array, at + 2, small_integer_oop((SWord)check->times[subset]));
    return true;
}

/* primitiveLeakCheck, with subsets in a String ('roots,free') or nil or no argument: all.
 * Answers an Array: the number of findings, then for each subset its name, the findings, and
 * the microseconds it took. Findings are written to standard error. */
PrimFailure prim_leak_check(Vm *vm, unsigned arg_count)
{
    LeakOptions options;
    LeakCheck check;
    if (arg_count > 1)
        return PRIM_BAD_ARG_COUNT;
    if (!subsets_of(vm, arg_count ? vm_stack(vm, 0) : vm->heap.nil, &options))
        return PRIM_BAD_ARGUMENT;
    Word subsets = (Word)__builtin_popcount(options.subsets);
    Oop array = heap_new_pointers(&vm->heap, 1 + 3 * subsets, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!array)
        return PRIM_NO_MEMORY;
    size_t findings = leaks_look(vm, vm->heap.mm, options.subsets, "on request", &check);
    heap_store(&vm->heap, array, 0, small_integer_oop((SWord)findings));
    Word at = 1;
    for (unsigned i = 0; i < LEAK_SUBSETS; i++)
        if (options.subsets >> i & 1) {
            if (!put_subset(vm, array, at, i, &check))
                return PRIM_NO_MEMORY;
            at += 3;
        }
    return vm_return(vm, arg_count, array);
}
