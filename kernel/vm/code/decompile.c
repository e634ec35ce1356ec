/* `osvm decompile`: methods of an image as source text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/decompile.h"
#include "kernel/vm/image/inspect.h"
#include "kernel/vm/code/lift.h"

/* Why methods do not come back, with how many there are of each. */
typedef struct {
    const char *why;
    unsigned count;
} Reason;

enum { MOST_REASONS = 100 };

typedef struct {
    Inspector *in;
    const CoreInspect *what;
    unsigned methods, same, reordered, different, refused;
    Reason reasons[MOST_REASONS];
    unsigned reason_count;
} Decompile;

static bool is_selected(const Decompile *d, const char *class_name, Oop selector)
{
    const uint8_t *bytes;
    Word count;
    const char *selection = d->what->selection;
    size_t length = strlen(class_name);
    if (!selection)
        return true;
    if (strncmp(selection, class_name, length) != 0)
        return false;
    selection += length;
    return !*selection ||
           (strncmp(selection, ">>", 2) == 0 && inspect_bytes(d->in, selector, &bytes, &count) &&
            strlen(selection + 2) == count && memcmp(selection + 2, bytes, count) == 0);
}

static void note_reason(Decompile *d, const char *why)
{
    unsigned i = 0;
    while (i < d->reason_count && strcmp(d->reasons[i].why, why) != 0)
        i++;
    if (i == d->reason_count) {
        if (i == MOST_REASONS)
            return;
        d->reasons[d->reason_count++] = (Reason){strdup(why), 0};
    }
    d->reasons[i].count++;
}

static void put_result(const Decompile *d, const char *class_name, const char *selector,
                       const Decompiled *result)
{
    if (d->what->summary && !(result->why && d->what->verbose))
        return;
    printf("\"%s>>%s\"%s%s%s\n", class_name, selector, result->why ? " \"" : "",
           result->why ? result->why : "", result->why ? "\"" : "");
    printf("%s\n\n", result->text ? result->text : "");
}

static void decompile_one(Inspector *in, void *context, Oop class, Oop selector, Oop method)
{
    Decompile *d = context;
    char name[DESCRIPTION_MAX];
    const uint8_t *bytes;
    Word count;
    inspect_class_name(in, class, name);
    if (!is_selected(d, name, selector) || !is_object(method) ||
        !format_is_code(object_format(method)) || !inspect_bytes(in, selector, &bytes, &count))
        return;
    Arena *arena = arena_new();
    CompileTools tools = {arena, names_new(arena), NULL};
    ClassScope scope = lift_class_scope(in->vm, &tools, class);
    Decompiled result = {NULL, NULL};
    CompiledCode *code = lift_code(in->vm, arena, method, &result.why);
    if (code) {
        code->selector = arena_copy(arena, (const char *)bytes, count);
        code_take_names(&tools, code, &scope);
        result = decompile_text(&tools, code, &scope);
    }
    d->methods++;
    d->same += !result.why;
    bool reordered = result.why && strcmp(result.why, LITERALS_ELSEWHERE) == 0;
    d->reordered += reordered;
    d->different += result.text && result.why && !reordered;
    d->refused += !result.text;
    if (result.why)
        note_reason(d, result.why);
    put_result(d, name, arena_copy(arena, (const char *)bytes, count), &result);
    arena_free(arena);
}

static int compare_reasons(const void *one, const void *other)
{
    const Reason *a = one, *b = other;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->why, b->why);
}

static void put_summary(Decompile *d)
{
    qsort(d->reasons, d->reason_count, sizeof *d->reasons, compare_reasons);
    printf("%u methods: %u compile to the same code again, %u to the same instructions with "
           "literals in another order, %u to other code, %u have no text\n",
           d->methods, d->same, d->reordered, d->different, d->refused);
    for (unsigned i = 0; i < d->reason_count; i++)
        printf("%8u  %s\n", d->reasons[i].count, d->reasons[i].why);
}

int core_decompile(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Inspector in;
    int status;
    if (inspect_open(&in, setup, inspect->image, NULL, error)) {
        Decompile d = {.in = &in, .what = inspect};
        inspect_methods(&in, decompile_one, &d);
        if (inspect->summary)
            put_summary(&d);
        for (unsigned i = 0; i < d.reason_count; i++)
            free((char *)d.reasons[i].why);
        status = OSVM_OK;
        if (d.methods == 0 && inspect->selection) {
            in.image.host->fail(error, OSVM_USAGE, "%s has no class or method %s", inspect->image,
                                inspect->selection);
            status = OSVM_USAGE;
        }
    } else
        status = (int)error->status;
    inspect_close(&in);
    return status;
}
