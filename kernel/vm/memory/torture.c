#include "kernel/vm/memory/torture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/base/nearest.h"
#include "osvm/heap.h"

/* One thing to ask for. What is new needs a line here, and a member of Torture. */
typedef struct {
    const char *name;
    size_t offset; /* of its member */
    bool numbered; /* takes ':NUMBER'; else it is set to 1 */
    bool may_stand_alone; /* a numbered one: without its number it is 1 */
} Item;

static const Item items[] = {
    {"scavenge", offsetof(Torture, scavenge), true, false},
    {"collect", offsetof(Torture, collect), true, false},
    {"alloc-fail", offsetof(Torture, alloc_fail), true, false},
    {"deopt", offsetof(Torture, deopt), true, true},
    {"code-full", offsetof(Torture, code_full), true, false},
    {"seed", offsetof(Torture, seed), true, false},
    {"move", offsetof(Torture, move), false, false},
    {"tiny-spaces", offsetof(Torture, tiny_spaces), false, false},
    {"poison", offsetof(Torture, poison), false, false},
};

enum { ITEMS = sizeof items / sizeof items[0], WORD_MOST = 64 };

static const Item *find_item(const char *word, size_t length)
{
    for (size_t i = 0; i < ITEMS; i++)
        if (strlen(items[i].name) == length && strncmp(items[i].name, word, length) == 0)
            return &items[i];
    return NULL;
}

static bool refuse_name(const OsvmHost *host, const char *word, size_t length, OsvmError *error)
{
    char name[WORD_MOST], all[256] = "";
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < ITEMS; i++) {
        nearest_offer(&nearest, items[i].name);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s%s", i ? ", " : "",
                 items[i].name,
                 items[i].may_stand_alone ? "[:N]" : items[i].numbered ? ":N" : "");
    }
    return host->fail(error, OSVM_USAGE, "--torture: there is no '%s'%s%s%s; there are: %s", name,
                      nearest.best ? "; did you mean '" : "", nearest.best ? nearest.best : "",
                      nearest.best ? "'?" : "", all);
}

/* Reads one item and answers where it ends; NULL: it is wrong. */
static const char *parse_item(const OsvmHost *host, const char *at, Torture *torture,
                              OsvmError *error)
{
    size_t length = strcspn(at, ":,");
    const Item *item = find_item(at, length);
    if (!item) {
        refuse_name(host, at, length, error);
        return NULL;
    }
    uint64_t number = 1;
    const char *end = at + length;
    if (item->numbered && *end == ':') {
        length = strspn(end + 1, "0123456789");
        errno = 0;
        number = strtoull(end + 1, NULL, 10);
        if (errno)
            number = 0; /* too large */
        end += 1 + length;
    } else
        length = !item->numbered || item->may_stand_alone;
    if (!length || !number || (*end && *end != ',')) {
        host->fail(error, OSVM_USAGE,
                   item->numbered ? "--torture: '%s' takes a number: '%s:100'"
                                  : "--torture: '%s' stands alone, not as in '%s:...'",
                   item->name, item->name);
        return NULL;
    }
    *(uint64_t *)((char *)torture + item->offset) = number;
    return end;
}

bool torture_parse(const OsvmHost *host, const char *text, Torture *torture, OsvmError *error)
{
    *torture = (Torture){0};
    while (*text) {
        text = parse_item(host, text, torture, error);
        if (!text)
            return false;
        text += *text == ',';
    }
    return true;
}

uint64_t torture_interval(const Torture *torture, uint64_t mean, uint64_t *state)
{
    if (!torture->seed)
        return mean;
    /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return 1 + (*state * 2685821657736338717u >> 11) % (2 * mean - 1);
}

unsigned torture_collector_flags(const Torture *torture)
{
    return (torture->move ? GC_MOVE_ALL : 0u) | (torture->tiny_spaces ? GC_SMALL_TABLES : 0u) |
           (torture->poison ? GC_POISON : 0u);
}
