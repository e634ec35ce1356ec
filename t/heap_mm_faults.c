/* The conformance suite of memory managers finds what is broken: mm-spur with one function exchanged
 * for one that breaks one rule, each in a process of its own, over the mock collector: every fourth of
 * them, or, with OSVM_TEST_LONG, all. */
// LINK: t/support/mock_host.c t/support/mock_gc.c t/support/plugin_user.c t/support/mm_rig.c t/support/mm_suite*.c t/support/shadow.c plugins/mm-spur/*.c
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/mm_suite.h"
#undef ok
#undef is_int
#include "tap.h"

extern const OsvmPlugin osvm_plugin_mm_spur;

static const MmOps *sound; /* mm-spur's own */

/* ---- The suite, quietly: what fails is written to a pipe ---- */

static int verdicts = -1;

static void fail_with(const char *format, va_list arguments)
{
    char text[512];
    int length = vsnprintf(text, sizeof text - 1, format, arguments);
    text[length] = '\n';
    if (write(verdicts, text, (size_t)length + 1) != length + 1)
        _exit(2);
}

void suite_ok(bool held, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!held)
        fail_with(format, arguments);
    va_end(arguments);
}

void suite_is_int(int64_t got, int64_t expected, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (got != expected)
        fail_with(format, arguments);
    va_end(arguments);
}

/* ---- Faults ---- */

static bool start_keeps_reason(Mm *mm, const MmConfig *config, char *error, size_t size)
{
    bool started = sound->start(mm, config, error, size);
    if (!started)
        error[0] = 0;
    return started;
}

static bool start_passes_limit(Mm *mm, const MmConfig *config, char *error, size_t size)
{
    MmConfig without = *config;
    without.max_heap = 0;
    return sound->start(mm, &without, error, size);
}

static void stop_leaves_a_table(Mm *mm)
{
    mm->heap->host->side_table_reserve(mm->heap, 4096);
    sound->stop(mm);
}

static bool prepare_load_promises(Mm *mm, Word bytes)
{
    return sound->prepare_load(mm, bytes) || true;
}

static void adopt_loses_mourners(Mm *mm, Word end)
{
    sound->adopt(mm, end);
    while (sound->next_mourner(mm))
        ;
}

static Oop allocate_dirty(Mm *mm, Word slots, unsigned format, Word class_index)
{
    Oop object = sound->allocate(mm, slots, format, class_index);
    if (object)
        *header_at(object) |= HEADER_PINNED;
    return object;
}

static Oop allocate_old_young(Mm *mm, Word slots, unsigned format, Word class_index)
{
    return slots < 10 ? heap_allocate(mm->heap, slots, format, class_index)
                      : sound->allocate_old(mm, slots, format, class_index);
}

static Oop allocate_collects(Mm *mm, Word slots, unsigned format, Word class_index)
{
    if (sound->collection_due(mm))
        sound->scavenge(mm, TENURE_BY_AGE);
    return sound->allocate(mm, slots, format, class_index);
}

static void remember_twice(Mm *mm, Oop object)
{
    sound->remember(mm, object);
    mm->heap->remembered[mm->heap->remembered_count++] = object;
}

static void remember_bit_only(Mm *mm, Oop object)
{
    *header_at(object) |= HEADER_REMEMBERED;
}

static bool never_due(Mm *mm)
{
    return false;
}

static void collect_always(Mm *mm)
{
    sound->scavenge(mm, TENURE_BY_AGE);
}

static void never_tenure(Mm *mm, TenurePolicy policy)
{
    sound->scavenge(mm, TENURE_BY_AGE);
}

static void scavenge_only(Mm *mm)
{
    sound->scavenge(mm, TENURE_ALL);
}

static bool room_for_all(Mm *mm, Word bytes)
{
    sound->make_room(mm, bytes);
    return true;
}

static void weak_is_lost(Mm *mm, Oop object)
{
}

static void visit_special_twice(Mm *mm, SlotVisitor visit, void *context)
{
    sound->visit_roots(mm, visit, context);
    visit(context, &mm->heap->nil);
}

typedef struct {
    SlotVisitor visit;
    void *context;
    const Word *page;
} Blind;

static void visit_unless_in_page(void *context, Oop *slot)
{
    const Blind *blind = context;
    if (slot < blind->page || slot >= blind->page + CLASS_PAGE_SIZE)
        blind->visit(blind->context, slot);
}

static void visit_without_page_0(Mm *mm, SlotVisitor visit, void *context)
{
    Blind blind = {visit, context, object_slots(object_slot(mm->heap->hidden_roots, 0))};
    sound->visit_roots(mm, visit_unless_in_page, &blind);
}

static void visit_into_heap(Mm *mm, SlotVisitor visit, void *context)
{
    sound->visit_all_references(mm, visit, context);
    visit(context, object_slots(object_slot(mm->heap->hidden_roots, 0)));
}

static void finish_without_classes(Mm *mm, Tracer *tracer)
{
    memset(sound->class_marks(mm) + CLASS_PAGE_SIZE, 0, CLASS_PAGE_SIZE);
    sound->finish_tracing(mm, tracer);
}

static Word enter_always(Mm *mm, Oop class)
{
    *header_at(class) &= ~HEADER_HASH_MASK;
    return sound->class_enter(mm, class);
}

static int become_one_way_always(Mm *mm, Oop from, Oop to, BecomeKind kind)
{
    return sound->become(mm, from, to, kind == BECOME_ONE_WAY_COPY_HASH ? BECOME_ONE_WAY : kind);
}

/* Pairs one after the other: those before a bad one are done. */
static int become_step_by_step(Mm *mm, Oop from, Oop to, BecomeKind kind)
{
    if (is_immediate(from) || is_immediate(to) || object_format(from) != FORMAT_INDEXABLE ||
        object_format(to) != FORMAT_INDEXABLE || object_slot_count(from) != object_slot_count(to))
        return sound->become(mm, from, to, kind);
    for (Word i = 0; i < object_slot_count(from); i++) {
        Oop x = heap_allocate(mm->heap, 1, FORMAT_INDEXABLE, CLASS_ARRAY);
        Oop y = heap_allocate(mm->heap, 1, FORMAT_INDEXABLE, CLASS_ARRAY);
        object_slots(x)[0] = follow(object_slot(from, i));
        object_slots(y)[0] = follow(object_slot(to, i));
        int code = sound->become(mm, x, y, kind);
        if (code)
            return code;
    }
    return MM_OK;
}

static Oop pin_in_place(Mm *mm, Oop object, bool pinned)
{
    if (!heap_is_young(mm->heap, object))
        return sound->pin(mm, object, pinned);
    return object;
}

static Oop last_mourner(Mm *mm)
{
    static Oop taken[1000];
    size_t count = 0;
    for (Oop object; count < 1000 && (object = sound->next_mourner(mm));)
        taken[count++] = object;
    return count ? taken[count - 1] : NO_OOP;
}

static Oop mourner_at_next(Mm *mm, Word index)
{
    return sound->mourner_at(mm, index + 1);
}

static Oop next_skips(Mm *mm, Oop object)
{
    Oop next = sound->next_object(mm, object);
    return next && object_class_index(next) == MOCK_FIXED ? sound->next_object(mm, next) : next;
}

/* What lies behind, puns and forwarders too. */
static Oop next_raw(Mm *mm, Oop object)
{
    if (heap_is_young(heap, object))
        return sound->next_object(mm, object);
    Oop next = heap_next_object(object, heap->old_end);
    while (next < heap->old_end && object_class_index(next) == CLASS_FREE)
        next = heap_next_object(next, heap->old_end);
    return next < heap->old_end ? next : sound->next_object(mm, object);
}

static void forget_allocation(Mm *mm, MmStatistics *statistics)
{
    sound->statistics(mm, statistics);
    statistics->allocated_bytes = 0;
}

static bool set_any(Mm *mm, unsigned number, int64_t value)
{
    sound->set_parameter(mm, number, value);
    return true;
}

static size_t find_nothing(Mm *mm, LeakCheck *check)
{
    memset(check->findings, 0, sizeof check->findings);
    return 0;
}

static size_t find_silently(Mm *mm, LeakCheck *check)
{
    return 2 * sound->leak_check(mm, check);
}

/* ---- Each is found ---- */

static void run_suite(const MmOps *ops, void (*part)(void), int output)
{
    OsvmPlugin plugin = osvm_plugin_mm_spur;
    plugin.vtable = ops;
    verdicts = output;
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        _exit(2);
    suite = (MmSuite){.label = "faulty", .setup = {.mm.linked = &plugin, .gc.linked = &mock_gc_plugin},
                      .mock = true, .reclaims = true, .seeds = 1};
    part();
    _exit(0);
}

/* The names of all tests that failed, in a static buffer; `status` is how it ended. */
static const char *failures(const MmOps *ops, void (*part)(void), int *status)
{
    static char text[1 << 20];
    int ends[2];
    size_t length = 0;
    fflush(stdout);
    if (pipe(ends))
        bail_out("no pipe");
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){60, 60}); /* a fault may go round for ever */
        run_suite(ops, part, ends[1]);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = 0;
    close(ends[0]);
    waitpid(child, status, 0);
    return text;
}

static void is_found(const char *rule, void (*part)(void), const char *test, MmOps ops)
{
    static unsigned number;
    int status;
    if (number++ % 4 && !getenv("OSVM_TEST_LONG"))
        return;
    const char *text = failures(&ops, part, &status);
    if (!ok(strstr(text, test) != NULL, "%s", rule))
        diag("ended with status 0x%x, failed: %.1000s", status, text);
}

/* The suite's part, and the name of a test of it that fails. */
#define FAULT(rule, function, replacement, part, test)                                             \
    do {                                                                                           \
        MmOps ops = *sound;                                                                        \
        ops.function = replacement;                                                                \
        is_found(rule, mm_suite_##part, test, ops);                                                \
    } while (0)

int main(void)
{
    int status;
    sound = osvm_plugin_mm_spur.vtable;
    const char *text = failures(sound, mm_suite_run, &status);
    ok(status == 0 && !text[0], "nothing is found in a sound manager");
    if (text[0] || status)
        diag("status 0x%x: %.1000s", status, text);
    FAULT("start fails without a sentence", start, start_keeps_reason, start, "with a sentence");
    FAULT("start does not heed the limit", start, start_passes_limit, start,
          "old space cannot grow beyond");
    FAULT("stop leaves a side table", stop, stop_leaves_a_table, start, "given back what it had");
    FAULT("prepare_load promises what is not there", prepare_load, prepare_load_promises, start,
          "no room for an image above the limit");
    FAULT("adopt loses the mourners", adopt, adopt_loses_mourners, start,
          "queue of mourners is taken over");
    FAULT("new objects have flags", allocate, allocate_dirty, spaces, "have the header asked for");
    FAULT("allocate_old answers young objects", allocate_old, allocate_old_young, spaces,
          "have the header asked for");
    FAULT("allocation collects", allocate, allocate_collects, spaces, "and nothing was collected");
    FAULT("objects are remembered twice", remember, remember_twice, spaces,
          "refers to a young one is");
    FAULT("objects are remembered by their bit only", remember, remember_bit_only, spaces,
          "refers to a young one is");
    FAULT("no collection is ever due", collection_due, never_due, spaces,
          "beyond the limit a collection is due");
    FAULT("every poll collects", collect_if_due, collect_always, spaces, "where nothing is due");
    FAULT("TENURE_ALL does not tenure", scavenge, never_tenure, spaces,
          "TENURE_ALL empties new space");
    FAULT("collect_full scavenges only", collect_full, scavenge_only, spaces,
          "is gone when nobody has it");
    FAULT("make_room promises what is not there", make_room, room_for_all, spaces,
          "but not more than there is");
    FAULT("weak objects are not listed", found_weak, weak_is_lost, protocol, "keeps the rules");
    FAULT("a root is visited twice", visit_roots, visit_special_twice, protocol, "keeps the rules");
    FAULT("roots are missing", visit_roots, visit_without_page_0, protocol, "keeps the rules");
    FAULT("a slot inside the heap is visited", visit_all_references, visit_into_heap, protocol,
          "keeps the rules");
    FAULT("classes with instances die", finish_tracing, finish_without_classes, protocol,
          "the heap is sound");
    FAULT("classes are entered again", class_enter, enter_always, become, "  once");
    FAULT("hashes are not copied", become, become_one_way_always, become, "with the right hash");
    FAULT("become is not all or nothing", become, become_step_by_step, become, "  changes nothing");
    FAULT("young objects are not pinned", pin, pin_in_place, become, "a young object moves");
    FAULT("mourners come out in another order", next_mourner, last_mourner, facts,
          "the first comes out first");
    FAULT("mourner_at is off by one", mourner_at, mourner_at_next, facts, "can be looked at");
    FAULT("enumeration leaves objects out", next_object, next_skips, facts,
          "as many objects as there should");
    FAULT("enumeration shows what it should not", next_object, next_raw, facts,
          "no free chunks, puns");
    FAULT("allocation is not counted", statistics, forget_allocation, facts,
          "count what is allocated");
    FAULT("every parameter can be set", set_parameter, set_any, facts,
          "what can be set can be read");
    FAULT("the leak check finds nothing", leak_check, find_nothing, facts,
          "a root with an address inside");
    FAULT("the leak check miscounts", leak_check, find_silently, facts,
          "how many findings it reported");
    return done_testing();
}
