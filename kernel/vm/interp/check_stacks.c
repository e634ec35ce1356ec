/* The part of the leak check that is about frames: S1 to S3 of interp_int.h. */
#include <stdarg.h>

#include "kernel/vm/interp/interp_int.h"

typedef struct {
    Vm *vm;
    void (*report)(void *context, const char *sentence);
    void *context;
    size_t findings;
    unsigned page; /* that is looked at */
} StackCheck;

static void find(StackCheck *c, Word fp, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void find(StackCheck *c, Word fp, const char *format, ...)
{
    char what[256], sentence[384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(sentence, sizeof sentence, "stack page %u, frame 0x%" PRIxWORD ": %s", c->page,
             fp, what);
    c->findings++;
    c->report(c->context, sentence);
}

static bool is_in_heap(const StackCheck *c, Oop oop)
{
    const Heap *heap = &c->vm->heap;
    return is_object(oop) && oop >= heap->new_start && oop < heap->old_end;
}

/* S3. A frame that goes on in machine code has its pc in the code zone. */
static void check_ip(StackCheck *c, Word fp, Oop method, Word ip)
{
    Word first = method + HEADER_BYTES, end = first + bits_byte_count(method);
    bool in_heap = ip >= c->vm->heap.new_start && ip < c->vm->heap.old_end;
    if (in_heap && (ip < first || ip > end))
        find(c, fp, "its next bytecode is at 0x%" PRIxWORD ", outside its method 0x%" PRIxWORD
             " (S3)", ip, method);
}

static void check_context(StackCheck *c, Word fp, Oop context)
{
    if (!context)
        return;
    if (!is_in_heap(c, context) || !is_context(context))
        find(c, fp, "it is married to 0x%" PRIxWORD ", which is no context (S1)", context);
    else if (object_slot(context, CONTEXT_SENDER) != fp + FRAME_TAG)
        find(c, fp, "it is married to context 0x%" PRIxWORD ", whose sender is 0x%" PRIxWORD
             " (S1)", context, object_slot(context, CONTEXT_SENDER));
}

static void check_frame(StackCheck *c, Word *frame, Word ip)
{
    Word fp = pointer_word(frame);
    Oop method = frame[FRAME_METHOD];
    if (!is_in_heap(c, method) || !is_code(method))
        find(c, fp, "its method is 0x%" PRIxWORD ", which is no code (S3)", method);
    else
        check_ip(c, fp, method, ip);
    if (!(frame[FRAME_FLAGS] & FRAME_TAG))
        find(c, fp, "its flags are 0x%" PRIxWORD ", no SmallInteger", frame[FRAME_FLAGS]);
    check_context(c, fp, frame[FRAME_CONTEXT]);
}

static void check_base(StackCheck *c, Word *frame)
{
    Oop sender = frame[FRAME_RETURN];
    if (sender != c->vm->heap.nil && (!is_in_heap(c, sender) || !is_context(follow(sender))))
        find(c, pointer_word(frame), "it is the base of its page, and its sender 0x%" PRIxWORD
             " is no context (S2)", sender);
}

/* S2: the frames of a page lie in it, each above its callee. */
static void check_page(StackCheck *c, const Page *page)
{
    Word fp = page->head_fp, ip = page->head_ip;
    if (fp && (page->head_sp < page->low || page->head_sp > fp))
        find(c, fp, "its stack pointer is 0x%" PRIxWORD ", outside the page (S2)", page->head_sp);
    for (Word below = page->low; fp;) {
        if (fp <= below || fp >= page->high) {
            find(c, fp, "it lies outside its page or below its callee (S2)");
            return;
        }
        Word *frame = frame_at(fp);
        check_frame(c, frame, ip);
        if (!frame[FRAME_SAVED_FP])
            check_base(c, frame);
        ip = frame[FRAME_RETURN];
        below = fp;
        fp = frame[FRAME_SAVED_FP];
    }
}

size_t interp_check_stacks(Vm *vm, void (*report)(void *context, const char *sentence),
                           void *context)
{
    Interp *interp = interp_of(vm);
    StackCheck c = {.vm = vm, .report = report, .context = context};
    if (!interp)
        return 0;
    stack_sync(vm);
    for (c.page = 0; c.page < interp->page_count; c.page++)
        check_page(&c, &interp->pages[c.page]);
    return c.findings;
}
