/* Collections of heap and shadow, and what must hold afterwards. */
#include "kernel/debug/gc_lab/lab.h"

typedef struct {
    uint64_t scavenges, collections;
    uint64_t refused; /* collections in which nothing was collected */
} Counts;

static Counts counts(Lab *lab)
{
    MmStatistics statistics;
    lab->heap->mm->ops->statistics(lab->heap->mm, &statistics);
    return (Counts){statistics.scavenges, statistics.full_collections, statistics.refused};
}

/* The one thing the model asks of the heap: which objects are old. */
static void note_ages(Lab *lab)
{
    for (size_t i = 0; i < lab->count; i++)
        if (lab->nodes[i].used) {
            if (lab->nodes[i].body.shape != SHAPE_GHOST)
                lab->nodes[i].oop = follow(lab->nodes[i].oop);
            lab->nodes[i].young = heap_is_young(lab->heap, lab->nodes[i].oop);
        }
}

/* ---- Afterwards ---- */

static void leak_found(void *context, const char *sentence)
{
    GcFlight *flight = ((Lab *)context)->flight;
    size_t used = strlen(flight->text);
    if (used < sizeof flight->text / 2)
        snprintf(flight->text + used, sizeof flight->text - used, "%s%s", used ? "\n" : "",
                 sentence);
}

static void check_leaks(Lab *lab)
{
    Mm *mm = lab->heap->mm;
    if (!lab->order->leak_check)
        return;
    lab->flight->checks++;
    LeakCheck check = {.subsets = LEAK_ALL, .report = leak_found, .context = lab};
    if (mm->ops->leak_check(mm, &check))
        lab_found(lab, FOUND_BY_LEAK_CHECK, NULL);
}

/* Every dead object has been reclaimed: what is left is the image and the nodes. */
static void check_garbage(Lab *lab)
{
    Mm *mm = lab->heap->mm;
    size_t found = 0, nodes = 0;
    for (Oop o = mm->ops->first_object(mm); o; o = mm->ops->next_object(mm, o))
        found++;
    for (size_t i = 0; i < lab->count; i++)
        nodes += lab->nodes[i].used;
    if (!lab->image_objects)
        lab->image_objects = found - nodes;
    if (found != lab->image_objects + nodes)
        lab_found(lab, FOUND_BY_MODEL,
                  "%zu objects are left after a full collection, %zu are alive", found,
                  lab->image_objects + nodes);
}

/* ---- Collections ---- */

/* A full collection begins with a scavenge, which may fire more, by what old garbage
 * keeps; further scavenges do nothing that the first has not done. */
static void settle(Lab *lab, Counts before)
{
    Counts now = counts(lab);
    bool full = now.collections - now.refused != before.collections - before.refused;
    bool moved_since = full || now.scavenges != before.scavenges + 1;
    lab->ordered = moved_since ? UINT64_MAX : lab->rank;
    lab->flight->scavenges += now.scavenges - before.scavenges;
    lab->flight->collections += now.collections - before.collections;
    shadow_trace(lab, true);
    shadow_apply(lab);
    if (full) {
        shadow_trace(lab, false);
        shadow_apply(lab);
        lab_compare(lab, COMPARE_CLEAN);
        lab_compare_classes(lab);
        check_garbage(lab);
    } else
        lab_compare(lab, COMPARE_OLD);
    check_leaks(lab);
}

/* `collect` is one of the memory manager's functions that must collect. */
static void run(Lab *lab, void (*collect)(Mm *mm))
{
    Mm *mm = lab->heap->mm;
    Counts before = counts(lab);
    note_ages(lab);
    collect(mm);
    settle(lab, before);
}

static void scavenge(Mm *mm)
{
    mm->ops->scavenge(mm, TENURE_BY_AGE);
}

static void tenure(Mm *mm)
{
    mm->ops->scavenge(mm, TENURE_ALL);
}

void lab_check_now(Lab *lab)
{
    note_ages(lab);
    lab->ordered = UINT64_MAX;
    lab_compare(lab, COMPARE_OLD);
    check_leaks(lab);
}

void lab_scavenge(Lab *lab, TenurePolicy policy)
{
    run(lab, policy == TENURE_ALL ? tenure : scavenge);
}

void lab_collect(Lab *lab)
{
    run(lab, lab->heap->mm->ops->collect_full);
}

void lab_poll(Lab *lab)
{
    Mm *mm = lab->heap->mm;
    if (mm->ops->collection_due(mm))
        run(lab, mm->ops->collect_if_due);
}

/* ---- Mourners ---- */

static void dequeue(Lab *lab, size_t index)
{
    int32_t node = lab->queue[index].node;
    memmove(lab->queue + index, lab->queue + index + 1,
            (lab->queue_count - index - 1) * sizeof *lab->queue);
    lab->queue_count--;
    bool again = false;
    for (size_t i = 0; i < lab->queue_count; i++)
        again |= lab->queue[i].node == node;
    lab->nodes[node].mourning = again;
}

void lab_next_mourner(Lab *lab, unsigned target)
{
    Mm *mm = lab->heap->mm;
    Oop oop = mm->ops->next_mourner(mm);
    if (!oop != !lab->queue_count)
        lab_found(lab, FOUND_BY_MODEL, "there is %s mourner, but %zu are expected",
                  oop ? "a" : "no", lab->queue_count);
    if (!oop)
        return;
    unsigned hash = header_hash(header_of(oop));
    uint64_t rank = lab->queue[0].rank;
    for (size_t i = 0; i < lab->queue_count && lab->queue[i].rank == rank; i++)
        if (lab->nodes[lab->queue[i].node].hash == hash) {
            lab->registers[target] = (Value){VALUE_NODE, lab->queue[i].node};
            lab->roots[target] = oop;
            dequeue(lab, i);
            return;
        }
    lab_found(lab, FOUND_BY_MODEL, "0x%" PRIxWORD " (hash %u) is not the mourner whose turn it is",
              oop, hash);
}
