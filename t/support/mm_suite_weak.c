/* Weak objects and ephemerons in scavenges and full collections, case by case. */
#include "mm_suite.h"

typedef enum { SCAVENGE, FULL } How;

static const char *how_name(How how)
{
    return how == SCAVENGE ? "scavenge" : "full";
}

static void collect(How how)
{
    if (how == SCAVENGE)
        rig.mm->ops->scavenge(rig.mm, TENURE_BY_AGE);
    else
        rig.mm->ops->collect_full(rig.mm);
}

static Oop pair(void)
{
    return new_pair(heap->nil, heap->nil);
}

static Oop new_ephemeron(bool old, Oop key, Oop value)
{
    Oop ephemeron = new_object(old, 3, FORMAT_EPHEMERON, MOCK_EPHEMERON);
    heap_store(heap, ephemeron, 0, key);
    heap_store(heap, ephemeron, 1, value);
    return ephemeron;
}

static Word queue_length(void)
{
    Word count = 0;
    while (rig.mm->ops->next_mourner(rig.mm))
        count++;
    return count;
}

/* After a case: nothing of it is left. (An old ephemeron may still fire in the
 * scavenge a full collection begins with, where old objects count as live.) */
static void clean(void)
{
    mock_root_pop(rig.host, rig.host->root_count);
    is_int(mm_rig_check(&rig), 0, "  the heap is sound");
    rig.mm->ops->collect_full(rig.mm);
    queue_length();
    rig.host->finalizations = 0;
}

/* ---- Weak objects ---- */

static void weak_slots(How how, bool old)
{
    Oop weak = new_object(old, 4, FORMAT_WEAK, MOCK_WEAK);
    size_t root = mock_root_push(rig.host, weak), kept = mock_root_push(rig.host, pair());
    heap_store(heap, weak, 0, pair());
    heap_store(heap, weak, 1, pair());
    heap_store(heap, weak, 2, mock_root(rig.host, kept));
    heap_store(heap, weak, 3, small_integer_oop(3));
    collect(how);
    weak = mock_root(rig.host, root);
    ok(object_slot(weak, 1) == heap->nil, "%s, %s: a dead referent becomes nil", how_name(how),
       old ? "old" : "young");
    ok(object_slot(weak, 0) != heap->nil, "  the fixed field is strong");
    ok(object_slot(weak, 2) == mock_root(rig.host, kept), "  a live referent is updated");
    ok(object_slot(weak, 3) == small_integer_oop(3), "  an immediate stays");
    is_int(rig.host->finalizations, 1, "  finalization is asked for once");
    is_int(queue_length(), 0, "  it does not mourn without the flag");
    clean();
}

static void weak_objects_mourn_once(void)
{
    suite_open(32 << 20, &(MmConfig){.new_finalization = true});
    Oop weak = new_object(false, 3, FORMAT_WEAK, MOCK_WEAK);
    size_t root = mock_root_push(rig.host, weak);
    heap_store(heap, weak, 1, pair());
    collect(SCAVENGE);
    heap_store(heap, mock_root(rig.host, root), 2, pair());
    collect(SCAVENGE);
    collect(FULL);
    ok(rig.mm->ops->mourner_at(rig.mm, 0) == mock_root(rig.host, root),
       "the queue can be looked at");
    ok(!rig.mm->ops->mourner_at(rig.mm, 1), "a weak object that lost twice is queued once");
    mock_root_pop(rig.host, 1);
    collect(FULL);
    Oop mourner = rig.mm->ops->next_mourner(rig.mm);
    ok(mourner && object_format(mourner) == FORMAT_WEAK, "the queue keeps it alive");
    is_int(queue_length(), 0, "and is empty then");
    suite_close("weak mourners");
}

/* ---- Ephemerons ---- */

static void key_lives(How how, bool old)
{
    size_t key = mock_root_push(rig.host, pair());
    Oop first = new_ephemeron(old, mock_root(rig.host, key), pair());
    size_t root = mock_root_push(rig.host, first);
    collect(how);
    Oop ephemeron = mock_root(rig.host, root);
    is_int(object_format(ephemeron), FORMAT_EPHEMERON, "%s, %s: a live key does not fire",
           how_name(how), old ? "old" : "young");
    ok(object_slot(ephemeron, 0) == mock_root(rig.host, key), "  the key is updated");
    is_int(object_class_index(object_slot(ephemeron, 1)), MOCK_FIXED, "  the value lives");
    is_int(rig.host->finalizations, 0, "  nothing is finalized");
    clean();
}

static void key_reached_through_own_value(How how, bool old)
{
    Oop key = pair(), value = pair();
    heap_store(heap, value, 0, key);
    size_t root = mock_root_push(rig.host, new_ephemeron(old, key, value));
    collect(how);
    Oop ephemeron = mock_root(rig.host, root);
    is_int(object_format(ephemeron), FORMAT_FIXED, "%s, %s: a key reached by its value only fires",
           how_name(how), old ? "old" : "young");
    ok(rig.mm->ops->next_mourner(rig.mm) == ephemeron, "  it mourns");
    ok(object_slot(object_slot(ephemeron, 1), 0) == object_slot(ephemeron, 0),
       "  key and value are saved");
    is_int(rig.host->finalizations, 1, "  finalization is asked for");
    collect(how);
    collect(FULL);
    is_int(queue_length(), 0, "  and it never fires again");
    clean();
}

/* key i+1 is the value of ephemeron i; `live`: the first key is a root. */
static void chain(How how, bool live, bool backward)
{
    enum { LENGTH = 200 };
    Oop array = new_object(false, LENGTH, FORMAT_INDEXABLE, CLASS_ARRAY);
    size_t table = mock_root_push(rig.host, array);
    size_t first = mock_root_push(rig.host, heap->nil);
    Oop key = pair();
    if (live)
        mock_root_set(rig.host, first, key);
    for (Word i = 0; i < LENGTH; i++) {
        Oop next = pair();
        heap_store(heap, mock_root(rig.host, table), backward ? LENGTH - 1 - i : i,
                   new_ephemeron(i % 3 == 0, key, next));
        key = next;
    }
    collect(how);
    is_int(queue_length(), live ? 0 : LENGTH, "%s: a chain of ephemerons %s, %s order",
           how_name(how), live ? "with a live end stays" : "fires",
           backward ? "backward" : "forward");
    is_int(rig.host->finalizations, live ? 0 : LENGTH, "  and that is told");
    clean();
}

static void cycle(How how)
{
    Oop a = pair(), b = pair();
    size_t x = mock_root_push(rig.host, new_ephemeron(false, a, b));
    size_t y = mock_root_push(rig.host, new_ephemeron(true, b, a));
    collect(how);
    is_int(queue_length(), 2, "%s: two ephemerons that hold each other's keys both fire",
           how_name(how));
    ok(object_slot(mock_root(rig.host, x), 0) == object_slot(mock_root(rig.host, y), 1),
       "  and agree on what they hold");
    clean();
}

static void only_the_ephemeron_refers(How how)
{
    /* The key's only other reference is a weak one: it is not cleared, for the
     * ephemeron saves the key. */
    Oop key = pair(), weak = new_object(false, 2, FORMAT_WEAK, MOCK_WEAK);
    heap_store(heap, weak, 1, key);
    size_t root = mock_root_push(rig.host, weak);
    mock_root_push(rig.host, new_ephemeron(false, key, heap->nil));
    collect(how);
    ok(object_slot(mock_root(rig.host, root), 1) != heap->nil,
       "%s: what a firing ephemeron saves is not missing from weak objects", how_name(how));
    clean();
}

static void dead_ephemeron_does_not_fire(How how)
{
    new_ephemeron(false, pair(), pair());
    collect(how);
    is_int(queue_length(), 0, "%s: an ephemeron that nobody has does not fire", how_name(how));
    clean();
}

static void key_became_another(How how, bool live)
{
    Oop key = pair(), other = pair();
    size_t root = mock_root_push(rig.host, new_ephemeron(true, key, heap->nil));
    size_t kept = mock_root_push(rig.host, live ? other : heap->nil);
    is_int(become_one(key, other, BECOME_ONE_WAY), MM_OK, "%s: the key becomes %s",
           how_name(how), live ? "a live object" : "a dead one");
    collect(how);
    is_int(queue_length(), live ? 0 : 1, "  and the ephemeron %s", live ? "stays" : "fires");
    if (live)
        ok(object_slot(mock_root(rig.host, root), 0) == mock_root(rig.host, kept),
           "  its key is followed");
    clean();
}

static void mourners_in_order(void)
{
    Oop ephemerons[3];
    for (int i = 0; i < 3; i++) {
        ephemerons[i] = new_ephemeron(true, pair(), heap->nil);
        mock_root_push(rig.host, ephemerons[i]);
    }
    collect(SCAVENGE);
    bool same = true;
    for (int i = 0; i < 3; i++)
        same &= rig.mm->ops->next_mourner(rig.mm) == ephemerons[i];
    ok(same, "mourners come in the order in which they were found");
    clean();
}

void mm_suite_weak(void)
{
    suite_open(64 << 20, NULL);
    for (How how = SCAVENGE; how <= FULL; how++) {
        for (int old = 0; old < 2; old++) {
            weak_slots(how, old);
            key_lives(how, old);
            key_reached_through_own_value(how, old);
        }
        for (int i = 0; i < 4; i++)
            chain(how, i & 1, i & 2);
        cycle(how);
        only_the_ephemeron_refers(how);
        dead_ephemeron_does_not_fire(how);
        key_became_another(how, false);
        key_became_another(how, true);
    }
    mourners_in_order();
    suite_close("weak objects");
    weak_objects_mourn_once();
}
