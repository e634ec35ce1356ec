#include "traits.h"

#include <string.h>

#include "list.h"

/* A method as a composition has it. */
typedef struct {
    const char *selector;
    MethodModel *method; /* where it was written */
    bool is_conflict;
} Offer;

/* What a composition offers. */
typedef struct {
    Offer *items;
    size_t count, capacity;
    NameList slots;
} Offers;

typedef struct {
    Program *program;
    Arena *arena;
    const SourceText *source; /* of the composition that is read */
} Traits;

static Offers offers_of_node(Traits *t, const Node *node);

static void trait_error(Traits *t, const Node *node, const char *format, const char *text)
{
    diagnostics_error(t->program->tools->diagnostics, t->source, node->start, node->end, "%s",
                      arena_printf(t->arena, format, text));
}

static Offer *offers_find(const Offers *offers, const char *selector)
{
    for (size_t i = 0; i < offers->count; i++)
        if (offers->items[i].selector == selector)
            return &offers->items[i];
    return NULL;
}

static void slots_add_name(Traits *t, NameList *slots, const char *name)
{
    for (size_t i = 0; i < slots->count; i++)
        if (slots->items[i] == name)
            return;
    LIST_ADD(t->arena, *slots, name);
}

/* `foo self explicitRequirement` says that the user of the trait has to bring the method. */
static bool is_required(const Offer *offer)
{
    const Block *body = offer->method->tree->body;
    const Node *node = body->statement_count == 1 ? body->statements[0] : NULL;
    if (node && node->kind == NODE_RETURN)
        node = node->value;
    return node && node->kind == NODE_SEND && node->send.receiver &&
           node->send.receiver->kind == NODE_VARIABLE &&
           strcmp(node->send.receiver->use.name, "self") == 0 &&
           (strcmp(node->send.selector, "explicitRequirement") == 0 ||
            strcmp(node->send.selector, "requirement") == 0);
}

/* --- The operations --- */

static void offers_add(Traits *t, Offers *offers, const Offer *offer)
{
    Offer *other = offers_find(offers, offer->selector);
    if (!other)
        LIST_ADD(t->arena, *offers, *offer);
    else if (other->method == offer->method || is_required(offer))
        return;
    else if (is_required(other))
        *other = *offer;
    else
        other->is_conflict = true;
}

static void offers_sum(Traits *t, Offers *offers, const Offers *others)
{
    for (size_t i = 0; i < others->count; i++)
        offers_add(t, offers, &others->items[i]);
    for (size_t i = 0; i < others->slots.count; i++)
        slots_add_name(t, &offers->slots, others->slots.items[i]);
}

static void offers_prefer(Traits *t, Offers *offers, const Offers *preferred)
{
    for (size_t i = 0; i < preferred->count; i++) {
        Offer *other = offers_find(offers, preferred->items[i].selector);
        if (other && !is_required(&preferred->items[i]))
            *other = preferred->items[i];
    }
    offers_sum(t, offers, preferred);
}

static const char *symbol_of(Traits *t, const Literal *literal)
{
    return literal->kind != LITERAL_SYMBOL && literal->kind != LITERAL_STRING
               ? NULL
               : names_get(t->program->tools->names, (const char *)literal->bytes,
                           literal->byte_count);
}

static void offers_remove(Traits *t, Offers *offers, const Node *node, const Literal *literal)
{
    const char *selector = symbol_of(t, literal);
    Offer *offer = selector ? offers_find(offers, selector) : NULL;
    if (!selector)
        trait_error(t, node, "a selector expected%s", "");
    else if (!offer)
        diagnostics_warn(t->program->tools->diagnostics, WARN_TRAITS, t->source, node->start,
                         node->end, "%s is no selector of this trait", selector);
    if (!offer)
        return;
    size_t index = (size_t)(offer - offers->items);
    memmove(offer, offer + 1, (offers->count - index - 1) * sizeof *offer);
    offers->count--;
}

/* {#x. #y} or #(x y) */
static void offers_remove_all(Traits *t, Offers *offers, const Node *list)
{
    if (list->kind == NODE_LITERAL && list->literal->kind == LITERAL_ARRAY) {
        for (size_t i = 0; i < list->literal->element_count; i++)
            offers_remove(t, offers, list, list->literal->elements[i]);
        return;
    }
    bool is_list = list->kind == NODE_BRACE;
    for (size_t i = 0; is_list && i < list->brace.count; i++)
        is_list = list->brace.elements[i]->kind == NODE_LITERAL;
    if (!is_list) {
        trait_error(t, list, "selectors expected behind %s, as in {#x. #y}", "-");
        return;
    }
    for (size_t i = 0; i < list->brace.count; i++)
        offers_remove(t, offers, list->brace.elements[i], list->brace.elements[i]->literal);
}

static bool is_association(const Node *node)
{
    return node->kind == NODE_SEND && strcmp(node->send.selector, "->") == 0 &&
           node->send.receiver && node->send.receiver->kind == NODE_LITERAL &&
           node->send.arguments[0]->kind == NODE_LITERAL;
}

/* {#new -> #old} */
static void offers_alias(Traits *t, Offers *offers, const Node *list)
{
    if (list->kind != NODE_BRACE) {
        trait_error(t, list, "aliases expected behind %s, as in {#new -> #old}", "@");
        return;
    }
    for (size_t i = 0; i < list->brace.count; i++) {
        const Node *each = list->brace.elements[i];
        if (!is_association(each)) {
            trait_error(t, each, "an alias such as %s expected", "#new -> #old");
            continue;
        }
        const char *new = symbol_of(t, each->send.receiver->literal),
                   *old = symbol_of(t, each->send.arguments[0]->literal);
        Offer *offer = old ? offers_find(offers, old) : NULL;
        if (!new || !offer)
            trait_error(t, each, "%s is no selector of this trait", old ? old : "this");
        else if (selector_arg_count(new) != selector_arg_count(old))
            trait_error(t, each, "%s takes another number of arguments", new);
        else
            offers_add(t, offers, &(Offer){new, offer->method, offer->is_conflict});
    }
}

static void offers_drop_slot(Traits *t, Offers *offers, const Node *node)
{
    const char *name = node->kind == NODE_LITERAL ? symbol_of(t, node->literal) : NULL;
    size_t kept = 0;
    for (size_t i = 0; i < offers->slots.count; i++)
        if (offers->slots.items[i] != name)
            offers->slots.items[kept++] = offers->slots.items[i];
    if (kept == offers->slots.count)
        trait_error(t, node, "%s is no instance variable of this trait", name ? name : "this");
    offers->slots.count = kept;
}

/* --- Compositions --- */

enum { MARK_OPEN = 1 };

/* What a trait offers itself: its methods, then those of the traits it uses. */
static Offers offers_of_trait(Traits *t, const Node *node, ClassModel *trait, bool class_side)
{
    Offers offers = {NULL, 0, 0, {NULL, 0, 0}}, used = offers;
    const NameList *slots = class_side ? &trait->class_instance_names : &trait->instance_names;
    const Composition *composition = &trait->compositions[class_side];
    if (trait->mark == MARK_OPEN) {
        trait_error(t, node, "the trait %s uses itself", trait->name);
        return offers;
    }
    for (size_t i = 0; i < trait->methods[class_side].count; i++) {
        MethodModel *method = trait->methods[class_side].items[i];
        if (method->tree)
            LIST_ADD(t->arena, offers, (Offer){method->tree->selector, method, false});
    }
    for (size_t i = 0; i < slots->count; i++)
        slots_add_name(t, &offers.slots, slots->items[i]);
    if (composition->node) {
        const SourceText *source = t->source;
        trait->mark = MARK_OPEN;
        t->source = composition->source;
        used = offers_of_node(t, composition->node);
        t->source = source;
        trait->mark = 0;
    }
    for (size_t i = 0; i < used.count; i++)
        if (!offers_find(&offers, used.items[i].selector))
            LIST_ADD(t->arena, offers, used.items[i]);
    for (size_t i = 0; i < used.slots.count; i++)
        slots_add_name(t, &offers.slots, used.slots.items[i]);
    return offers;
}

static Offers offers_of_name(Traits *t, const Node *node, bool class_side)
{
    ClassModel *trait = name_table_get(&t->program->by_name, node->use.name);
    if (trait && trait->is_trait)
        return offers_of_trait(t, node, trait, class_side);
    trait_error(t, node, "no trait is named %s", node->use.name);
    return (Offers){NULL, 0, 0, {NULL, 0, 0}};
}

static bool is_class_side(const Node *node)
{
    return node->kind == NODE_SEND && node->send.receiver &&
           node->send.receiver->kind == NODE_VARIABLE &&
           (strcmp(node->send.selector, "classTrait") == 0 ||
            strcmp(node->send.selector, "class") == 0 ||
            strcmp(node->send.selector, "classSide") == 0);
}

static Offers offers_of_node(Traits *t, const Node *node)
{
    static const char *const operations[] = {"+", "-", "@", "--", "withPrecedenceOf:"};
    Offers none = {NULL, 0, 0, {NULL, 0, 0}};
    size_t operation = 0, count = sizeof operations / sizeof operations[0];
    if (node->kind == NODE_VARIABLE)
        return offers_of_name(t, node, false);
    if (node->kind == NODE_BRACE && node->brace.count == 0)
        return none;
    if (is_class_side(node))
        return offers_of_name(t, node->send.receiver, true);
    while (node->kind == NODE_SEND && operation < count &&
           strcmp(node->send.selector, operations[operation]) != 0)
        operation++;
    if (node->kind != NODE_SEND || operation == count || !node->send.receiver) {
        trait_error(t, node, "a composition of traits expected, such as %s", "A + (B - {#x})");
        return none;
    }
    Offers offers = offers_of_node(t, node->send.receiver), others;
    const Node *argument = node->send.arguments[0];
    switch (operation) {
    case 1: offers_remove_all(t, &offers, argument); break;
    case 2: offers_alias(t, &offers, argument); break;
    case 3: offers_drop_slot(t, &offers, argument); break;
    default:
        others = offers_of_node(t, argument);
        (operation == 0 ? offers_sum : offers_prefer)(t, &offers, &others);
    }
    return offers;
}

/* --- Copies --- */

/* The pattern of a method under another selector. */
static const char *pattern_of(Traits *t, const char *selector, const Method *tree)
{
    const VariableList *arguments = &tree->body->arguments;
    if (arguments->count == 0)
        return selector;
    if (!strchr(selector, ':'))
        return arena_printf(t->arena, "%s %s", selector, arguments->items[0]->name);
    const char *pattern = "", *part = selector;
    for (size_t i = 0; i < arguments->count; i++) {
        const char *end = strchr(part, ':') + 1;
        pattern = arena_printf(t->arena, "%s%s%.*s %s", pattern, i ? " " : "", (int)(end - part),
                               part, arguments->items[i]->name);
        part = end;
    }
    return pattern;
}

/* A text for the method that is not as it was written: another pattern, or another body. */
static void rewrite(Traits *t, MethodModel *copy, const Offer *offer)
{
    const Method *tree = offer->method->tree;
    const SourceText *written = offer->method->source;
    size_t body_start = tree->body->body_start, body_end = offer->method->body_end;
    const char *pattern = pattern_of(t, offer->selector, tree);
    const char *text =
        offer->is_conflict
            ? arena_printf(t->arena, "%s\n\t^ self traitConflict", pattern)
            : arena_printf(t->arena, "%s\n\t%.*s", pattern, (int)(body_end - body_start),
                           written->text + body_start);
    copy->source = source_new(t->arena, written->name, text, strlen(text));
    copy->pattern_start = copy->pattern_end = copy->body_start = 0;
    copy->body_end = strlen(text);
}

static void warn_of_conflict(Traits *t, const ClassModel *user, const Composition *composition,
                             const Offer *offer)
{
    diagnostics_warn(t->program->tools->diagnostics, WARN_TRAITS, composition->source,
                     composition->node->start, composition->node->end,
                     "%s gets several methods %s from its traits: leave out all but one",
                     user->name, offer->selector);
}

static void install(Traits *t, ClassModel *user, bool class_side, const Offer *offer)
{
    MethodModel *copy = arena_alloc(t->arena, sizeof *copy);
    *copy = *offer->method;
    copy->owner = user;
    copy->class_side = class_side;
    copy->is_repeated = offer->method->is_repeated; /* the first copy says what is wrong with it */
    offer->method->is_repeated = true;
    if (offer->is_conflict)
        warn_of_conflict(t, user, &user->compositions[class_side], offer);
    if (offer->is_conflict || offer->selector != offer->method->tree->selector)
        rewrite(t, copy, offer);
    program_add_method(t->program, copy);
}

static void flatten(Traits *t, ClassModel *user, bool class_side)
{
    const Composition *composition = &user->compositions[class_side];
    NameList *names = class_side ? &user->class_instance_names : &user->instance_names;
    if (!composition->node)
        return;
    t->source = composition->source;
    Offers offers = offers_of_node(t, composition->node);
    for (size_t i = 0; i < offers.count; i++)
        if (!name_table_get(&user->selectors[class_side], offers.items[i].selector))
            install(t, user, class_side, &offers.items[i]);
    for (size_t i = 0; i < offers.slots.count; i++)
        slots_add_name(t, names, offers.slots.items[i]);
}

void traits_flatten(Program *program)
{
    Traits traits = {program, program->tools->arena, NULL};
    ClassList *list = &program->classes;
    for (size_t i = 0; i < list->count; i++)
        for (int side = 0; side < 2 && !list->items[i]->is_trait; side++)
            flatten(&traits, list->items[i], side);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        ClassModel *each = list->items[i];
        if (!each->is_trait) {
            list->items[kept++] = each;
            continue;
        }
        name_table_put(&program->by_name, each->name, NULL);
        name_table_put(&program->globals, each->name, each);
    }
    list->count = kept;
}
