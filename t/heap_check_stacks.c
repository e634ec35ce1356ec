/* What the leak check says of frames: S1 to S3 of interp_int.h. Two frames on a page, a context
 * married to the older one; each case breaks one thing and mends it. */
// LINK: kernel/vm/interp/check_stacks.c t/support/mock_host.c t/support/mm_rig.c t/support/plugin_user.c plugins/mm-spur/*.c plugins/gc-compact/*.c plugins/gc/*.c
#include "kernel/vm/interp/interp_int.h"
#include "support/mm_rig.h"
#include "tap.h"

#include <sys/mman.h>

#ifndef MAP_32BIT
#define MAP_32BIT 0 /* only x86-64 has it */
#endif

static Vm vm;
enum { STACK_WORDS = 64 };
static Word *stack;
static Page *page;
static Word *head, *base;
static Oop method, context;
static char said[2048];

/* The registers are in the page here. */
void stack_sync(Vm *ignored)
{
}

static void listen(void *ignored, const char *sentence)
{
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", sentence);
}

static void says(const char *what, Word *frame, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void says(const char *what, Word *frame, const char *format, ...)
{
    char words[256], wanted[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    snprintf(wanted, sizeof wanted, "stack page 0, frame 0x%" PRIxWORD ": %s\n",
             pointer_word(frame), words);
    said[0] = 0;
    is_int(interp_check_stacks(&vm, listen, NULL), 1, "%s is found", what);
    is_text(said, wanted, "  and said");
}

/* Breaks a word, hears what is said, mends it. */
#define BREAK(place, value, frame, what, ...)                                                      \
    do {                                                                                           \
        Word good_ = (place);                                                                      \
        (place) = (value);                                                                         \
        says(what, frame, __VA_ARGS__);                                                            \
        (place) = good_;                                                                           \
    } while (0)

static Word *put_frame(Word *fp, Word return_pc, Word saved_fp)
{
    fp[FRAME_RETURN] = return_pc;
    fp[FRAME_SAVED_FP] = saved_fp;
    fp[FRAME_METHOD] = method;
    fp[FRAME_FLAGS] = frame_flags_for(0, 0);
    fp[FRAME_CONTEXT] = 0;
    fp[FRAME_RECEIVER] = vm.heap.nil;
    return fp;
}

static void build(Heap *heap)
{
    Mm *mm = heap->mm;
    method = mm->ops->allocate_old(mm, 4, FORMAT_CODE, MOCK_METHOD);
    object_fill(method, 0, 4, 0);
    object_slots(method)[0] = small_integer_oop(0);
    context = mm->ops->allocate_old(mm, CONTEXT_SMALL_SLOTS, FORMAT_INDEXABLE_FIXED, CLASS_CONTEXT);
    object_fill(context, 0, CONTEXT_SMALL_SLOTS, heap->nil);
    Interp *interp = vm.interp = calloc(1, sizeof *interp);
    page = calloc(1, sizeof *page);
    interp->pages = page;
    interp->page_count = 1;
    Word ip = method + HEADER_BYTES + WORD_BYTES;
    base = put_frame(&stack[50], heap->nil, 0);
    base[FRAME_CONTEXT] = context;
    object_slots(context)[CONTEXT_SENDER] = pointer_word(base) + FRAME_TAG;
    head = put_frame(&stack[30], ip, pointer_word(base));
    *page = (Page){.low = pointer_word(stack), .high = pointer_word(stack + STACK_WORDS),
                   .head_fp = pointer_word(head), .head_ip = ip,
                   .head_sp = pointer_word(head + FRAME_RECEIVER)};
}

static void break_everything(Heap *heap)
{
    Word outside = method - 64;
    BREAK(base[FRAME_CONTEXT], method, base, "a frame married to no context",
          "it is married to 0x%" PRIxWORD ", which is no context (S1)", method);
    BREAK(object_slots(context)[CONTEXT_SENDER], heap->nil, base, "a context that is single",
          "it is married to context 0x%" PRIxWORD ", whose sender is 0x%" PRIxWORD " (S1)", context,
          heap->nil);
    BREAK(base[FRAME_RETURN], method, base, "a sender that is no context",
          "it is the base of its page, and its sender 0x%" PRIxWORD " is no context (S2)", method);
    BREAK(page->head_sp, page->low - 8, head, "a stack pointer outside the page",
          "its stack pointer is 0x%" PRIxWORD ", outside the page (S2)", page->low - 8);
    BREAK(head[FRAME_SAVED_FP], page->high + 64, (Word *)word_pointer(page->high + 64),
          "a frame outside the page", "it lies outside its page or below its callee (S2)");
    BREAK(base[FRAME_METHOD], heap->nil, base, "a method that is none",
          "its method is 0x%" PRIxWORD ", which is no code (S3)", heap->nil);
    BREAK(page->head_ip, outside, head, "a pc outside the method",
          "its next bytecode is at 0x%" PRIxWORD ", outside its method 0x%" PRIxWORD " (S3)",
          outside, method);
    BREAK(head[FRAME_RETURN], outside, base, "a return pc outside the method",
          "its next bytecode is at 0x%" PRIxWORD ", outside its method 0x%" PRIxWORD " (S3)",
          outside, method);
    BREAK(head[FRAME_FLAGS], 0, head, "flags that are none", "its flags are 0x0, no SmallInteger");
}

int main(void)
{
    MmRig rig;
    /* A frame's address is a Word. */
    stack = mmap(NULL, STACK_WORDS * WORD_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    REQUIRE(stack != MAP_FAILED, "no memory for a stack");
    mm_rig_open(&rig, 16 << 20, NULL);
    vm.heap = *rig.heap;
    build(&vm.heap);
    is_int(interp_check_stacks(&vm, listen, NULL), 0, "sound frames");
    break_everything(&vm.heap);
    is_int(interp_check_stacks(&vm, listen, NULL), 0, "sound again");
    free(page);
    free(vm.interp);
    mm_rig_close(&rig);
    return done_testing();
}
