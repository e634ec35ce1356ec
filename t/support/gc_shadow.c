#include "gc_shadow.h"

/* ---- Events ---- */

static bool allocate(GcShadow *self)
{
    Shadow *shadow = &self->shadow;
    Node shape = shadow_shape(shadow);
    shape.young = shadow_below(shadow, 16) == 0;
    Oop object = (shape.young ? rig_young : rig_old)(self->rig, shape.slots, shape.format,
                                                     shape.class_index);
    if (!object && shape.young) {
        shape.young = false;
        object = rig_old(self->rig, shape.slots, shape.format, shape.class_index);
    }
    if (object)
        shadow_add(shadow, &shape, object);
    return object != NO_OOP;
}

static void pin(Shadow *shadow)
{
    int64_t number = shadow_random_node(shadow);
    if (number < 0 || shadow->nodes[number].young)
        return;
    Node *node = &shadow->nodes[number];
    node->pinned = shadow_below(shadow, 4) == 0;
    if (node->pinned)
        *header_at(node->oop) |= HEADER_PINNED;
    else
        *header_at(node->oop) &= ~HEADER_PINNED;
}

/* One becomes another: references lead to a forwarder from now on. */
static void forward(Shadow *shadow)
{
    int64_t from = shadow_random_node(shadow), to = shadow_random_node(shadow);
    if (from < 0 || to < 0 || from == to || shadow->nodes[from].pinned)
        return;
    Oop oop = shadow->nodes[from].oop;
    Header header = header_of(oop);
    if (header_short_slots(header) == 0)
        header |= (Header)1 << HEADER_SLOTS_SHIFT;
    header &= ~(HEADER_CLASS_MASK | HEADER_FORMAT_MASK);
    *header_at(oop) = header | CLASS_FORWARDER | (Header)FORMAT_FORWARDER << HEADER_FORMAT_SHIFT;
    heap_store(shadow->heap, oop, 0, shadow->nodes[to].oop);
    shadow->nodes[from].became = to;
}

bool gc_shadow_event(GcShadow *self)
{
    Shadow *shadow = &self->shadow;
    Word dice = shadow_below(shadow, 100);
    if (dice < 55)
        return allocate(self);
    if (dice < 85)
        shadow_mutate(shadow);
    else if (dice < 96)
        shadow_change_root(shadow);
    else if (dice < 99)
        pin(shadow);
    else
        forward(shadow);
    return true;
}

/* ---- Collections ---- */

size_t gc_shadow_collect(GcShadow *self)
{
    Shadow *shadow = &self->shadow;
    Rig *rig = self->rig;
    size_t before = rig->mm.mourners.count;
    shadow->errors = 0;
    shadow_model_begin(shadow);
    size_t fired = shadow_model_end(shadow);
    rig_collect(rig);
    if (rig->mm.mourners.count - before != fired)
        shadow_differs(shadow, "%zu ephemerons fired, %zu expected", rig->mm.mourners.count - before,
                       fired);
    if (rig->mm.reported_twice)
        shadow_differs(shadow, "%u objects were reported twice (G3)", rig->mm.reported_twice);
    shadow_compare(shadow);
    Word bytes, live = shadow_drop_dead(shadow);
    rig->mm.mourners.count = 0; /* the queue is emptied: mourners live as others do */
    if (!shadow->errors)
        shadow->errors += rig_check(rig);
    if (!shadow->errors && rig_count_old(rig, &bytes) != live + self->other_objects)
        shadow_differs(shadow, "%" PRIuWORD " objects in old space, %" PRIuWORD " expected",
                       rig_count_old(rig, &bytes), live + self->other_objects);
    return shadow->errors;
}

/* ---- Opening and closing ---- */

void gc_shadow_open(GcShadow *self, Rig *rig, size_t roots)
{
    Word bytes;
    *self = (GcShadow){.rig = rig, .other_objects = rig_count_old(rig, &bytes)};
    shadow_open(&self->shadow, rig->host, &rig->random, roots);
}

void gc_shadow_close(GcShadow *self)
{
    shadow_close(&self->shadow);
}
