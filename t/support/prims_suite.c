#include "t/support/prims_suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "t/support/prims_rig.h"

typedef struct {
    const PrimsSetup *setup;
    PrimsReport *report;
    PrimsRig rig;
    OsvmCall call;
    OsvmValue results[RESULTS]; /* of earlier calls: handles and the like */
    unsigned makers[RESULTS];   /* functions they are from */
    unsigned result_count;
    uint64_t chance;
    uint64_t sum;               /* of the last call: how it ended */
} Drive;

/* No more than a few of each function. */
static bool has_room(const PrimsReport *report, unsigned function)
{
    unsigned count = 0;
    for (unsigned i = 0; i < report->finding_count; i++)
        count += report->findings[i].function == function;
    return count < 3 && report->finding_count < FINDINGS_MOST;
}

__attribute__((format(printf, 3, 4)))
static void found(Drive *d, unsigned function, const char *format, ...)
{
    PrimsReport *report = d->report;
    va_list arguments;
    if (!has_room(report, function))
        return;
    report->findings[report->finding_count].function = function;
    char *text = report->findings[report->finding_count++].text;
    va_start(arguments, format);
    int used = vsnprintf(text, 200, format, arguments);
    va_end(arguments);
    if (function == NO_FUNCTION || used >= 200)
        return;
    used += snprintf(text + used, 100, ", with ");
    operands_describe(d->call.operands, d->call.arg_count + 1, text + used, 200);
}

static unsigned chance(Drive *d, unsigned limit)
{
    d->chance = d->chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(d->chance >> 33) % limit;
}

static bool open_drive(Drive *d, const PrimsSetup *setup, PrimsReport *report, bool denied)
{
    PrimsRigSetup rig = {.file = setup->file, .shim = setup->shim, .width = setup->width, .denied = denied};
    *d = (Drive){.setup = setup, .report = report, .chance = setup->seed};
    report->function = NO_FUNCTION;
    bool opened = prims_rig_open(&d->rig, &rig);
    d->rig.vm.roots = d->results;
    d->rig.vm.root_count = RESULTS;
    if (!opened && !denied)
        found(d, NO_FUNCTION, "it does not start: %s", d->rig.error);
    return opened;
}

static void close_drive(Drive *d)
{
    d->report->function = NO_FUNCTION;
    d->report->has_threads |= d->rig.world.has_threads;
    Leftovers left = prims_rig_close(&d->rig);
    if (left.blocks)
        found(d, NO_FUNCTION, "%zu blocks of the host's memory are not given back", left.blocks);
    if (left.files)
        found(d, NO_FUNCTION, "%zu files, sockets or listings are still open when it has stopped", left.files);
}

/* ---- One call ---- */

static void judge(Drive *d, unsigned function, int code)
{
    MockVm *vm = &d->rig.vm;
    if (mock_damaged(vm))
        found(d, function, "writes beyond an object");
    if (mock_void_written(vm))
        found(d, function, "writes where an object was before it moved");
    if (vm->refused_callbacks)
        found(d, function, "calls back without having said so in its flags");
    if (code == OSVM_SUCCESS && !mock_is_valid(vm, d->call.result))
        found(d, function, "answers what is no object of this VM");
}

/* Later calls are also given what functions answered last, or the first element of that. */
static void keep_result(Drive *d, unsigned function, OsvmValue result)
{
    unsigned i = 0;
    if (mock_slot_count(result))
        result = mock_slot(result, 0);
    for (unsigned operand = 0; operand <= d->call.arg_count; operand++)
        if (d->call.operands[operand].bits == result.bits)
            return;
    while (i < d->result_count && d->makers[i] != function)
        i++;
    if (mock_kind(result) < OSVM_BYTES || i == RESULTS)
        return;
    d->results[i] = result;
    d->makers[i] = function;
    d->result_count += i == d->result_count;
}

static uint64_t sum_of_call(const Drive *d, int code)
{
    uint64_t sum = (uint64_t)code + 1;
    if (code == OSVM_SUCCESS)
        sum = sum * 31 + mock_digest(d->call.result, 3);
    for (unsigned i = 0; i <= d->call.arg_count; i++)
        sum = sum * 0x100000001B3u + mock_digest(d->call.operands[i], 3);
    return sum;
}

static void twist_operand(Drive *d, Twist twist, unsigned operand)
{
    OsvmValue *value = &d->call.operands[operand];
    d->report->twist = twist;
    d->report->twisted = operand;
    if (!mock_is_object(*value) || twist == AS_IS)
        return;
    if (twist == FORWARDED)
        *value = mock_forwarder(&d->rig.vm, *value);
    else if (mock_kind(*value) >= OSVM_BYTES)
        mock_freeze(*value);
}

static int call_twisted(Drive *d, unsigned function, const Recipe *recipe, Twist twist, unsigned operand)
{
    PrimsReport *report = d->report;
    MockVm *vm = &d->rig.vm;
    report->function = function;
    report->recipe = *recipe;
    d->call = (OsvmCall){.vm = vm, .arg_count = recipe->arg_count};
    operands_make(vm, recipe, d->results, d->call.operands);
    twist_operand(d, twist, operand);
    int code = prims_rig_call(&d->rig, &d->rig.prims->functions[function], &d->call);
    judge(d, function, code);
    d->sum = sum_of_call(d, code);
    report->calls[function]++;
    report->successes[function] += code == OSVM_SUCCESS;
    report->sums[function] = report->sums[function] * 0x100000001B3u + d->sum;
    return code;
}

/* Between two calls everything moves. */
static void settle(Drive *d, int code)
{
    if (code == OSVM_SUCCESS && mock_is_valid(&d->rig.vm, d->call.result))
        keep_result(d, d->report->function, d->call.result);
    mock_move(&d->rig.vm, NULL);
}

static int call_function(Drive *d, unsigned function, const Recipe *recipe)
{
    int code = call_twisted(d, function, recipe, AS_IS, 0);
    settle(d, code);
    return code;
}

/* Makes the results anew that a recipe uses: earlier calls may have closed or overwritten them. */
static void refresh(Drive *d, const Recipe *recipe)
{
    const PrimsReport *report = d->report;
    for (unsigned i = 0; i < recipe->entry_count; i++) {
        unsigned result = recipe->entries[i].shape - (unsigned)SHAPE_RESULT;
        if (recipe->entries[i].shape < SHAPE_RESULT || result >= d->result_count)
            continue;
        unsigned maker = d->makers[result];
        if (report->recipe_count[maker] && !report->skipped[maker])
            call_function(d, maker, &report->recipes[maker][0]);
    }
}

static int call_fresh(Drive *d, unsigned function, const Recipe *recipe)
{
    refresh(d, recipe);
    return call_function(d, function, recipe);
}

/* ---- Recipes: what does a function want? ---- */

static Place any_place(Drive *d, const Recipe *recipe)
{
    if (recipe->entry_count && chance(d, 2))
        return recipe->entries[chance(d, recipe->entry_count)].place;
    return (Place){1, {(uint8_t)chance(d, recipe->arg_count + 1u)}};
}

/* The questions of a call that failed, by where their values stood: what it asked last is what it did not
 * like, most likely. */
typedef struct {
    Place place;
    MockWish wish;
    const char *class_name;
} Lead;

typedef struct {
    Lead leads[32]; /* the latest first */
    unsigned count;
} Leads;

static void take_leads(Drive *d, Leads *leads)
{
    const MockVm *vm = &d->rig.vm;
    const unsigned most = sizeof vm->asked / sizeof *vm->asked;
    leads->count = 0;
    for (unsigned i = vm->asked_count; i > 0 && i + most > vm->asked_count; i--) {
        const MockQuestion *asked = &vm->asked[(i - 1) % most];
        Lead *lead = &leads->leads[leads->count];
        *lead = (Lead){.wish = asked->wish, .class_name = asked->class_name};
        leads->count += operands_find(d->call.operands, d->call.arg_count + 1u, asked->value, &lead->place);
    }
}

static void change_recipe(Drive *d, Recipe *recipe, const Leads *leads)
{
    if (leads->count && chance(d, 8)) {
        const Lead *lead = &leads->leads[chance(d, 2) ? 0 : chance(d, leads->count)];
        recipe_put(recipe, &lead->place, shape_for(lead->wish, lead->class_name, chance(d, 1 << 20)));
    } else {
        Place place = any_place(d, recipe);
        recipe_put(recipe, &place, (Shape)chance(d, SHAPES));
    }
}

/* Answers whether it succeeds; `recipe` is the one that got furthest. */
static bool learn_function(Drive *d, unsigned function, Recipe *recipe, unsigned *furthest)
{
    enum { PATIENCE = 100 };
    Leads leads = {.count = 0}, next;
    *furthest = 0;
    for (unsigned idle = 0; idle < PATIENCE; idle++) {
        Recipe tried = *recipe;
        change_recipe(d, &tried, &leads);
        refresh(d, &tried);
        int code = call_twisted(d, function, &tried, AS_IS, 0);
        unsigned reached = d->rig.vm.services;
        take_leads(d, &next);
        settle(d, code);
        if (code != OSVM_SUCCESS && reached < *furthest)
            continue;
        idle = reached > *furthest ? 0 : idle;
        *furthest = reached;
        *recipe = tried;
        leads = next;
        if (code == OSVM_SUCCESS)
            return true;
    }
    return false;
}

static void add_recipe(PrimsReport *report, unsigned function, const Recipe *recipe, bool succeeds)
{
    unsigned count = report->recipe_count[function];
    if (count == RECIPES_MOST)
        return;
    report->recipes[function][count] = *recipe;
    report->succeeds[function][count] = succeeds;
    report->recipe_count[function]++;
}

static void learn(Drive *d, unsigned function)
{
    Recipe best = {0};
    unsigned furthest = 0, reached;
    for (uint8_t count = 0; count <= ARGUMENTS_MOST; count++) {
        Recipe recipe = {.arg_count = count};
        if (learn_function(d, function, &recipe, &reached))
            add_recipe(d->report, function, &recipe, true);
        else if (reached > furthest) {
            best = recipe;
            furthest = reached;
        }
    }
    if (!d->report->recipe_count[function])
        add_recipe(d->report, function, &best, false);
}

static void describe_module(Drive *d)
{
    PrimsReport *report = d->report;
    const OsvmPrims *prims = d->rig.prims;
    snprintf(report->module, sizeof report->module, "%s", prims->module);
    report->function_count = 0;
    for (const OsvmPrim *prim = prims->functions; prim->name; prim++) {
        if (report->function_count == FUNCTIONS_MOST) {
            found(d, NO_FUNCTION, "it has more than %d functions", FUNCTIONS_MOST);
            return;
        }
        snprintf(report->names[report->function_count++], sizeof *report->names, "%s", prim->name);
    }
}

#define EACH_FUNCTION(f)                                                                           \
    for (unsigned f = 0; f < report->function_count; f++)                                          \
        if (!report->skipped[f])

void prims_learn(const PrimsSetup *setup, PrimsReport *report)
{
    Drive d;
    if (open_drive(&d, setup, report, false)) {
        describe_module(&d);
        EACH_FUNCTION(f)
            if (!report->recipe_count[f])
                learn(&d, f);
    }
    close_drive(&d);
}

/* ---- What is done with them ---- */

#define EACH_RECIPE(r, f)                                                                          \
    for (const Recipe *r = report->recipes[f]; r < report->recipes[f] + report->recipe_count[f]; r++)

/* What functions have been learnt to succeed with, up to (and without) `end`. */
static void replay(Drive *d, unsigned end)
{
    const PrimsReport *report = d->report;
    EACH_FUNCTION(f)
        EACH_RECIPE(recipe, f)
            if (f < end)
                call_fresh(d, f, recipe);
}

/* Every shape at every place. */
static void spoil_places(Drive *d, unsigned function, const Recipe *recipe)
{
    Recipe spoilt = *recipe;
    for (uint8_t i = 0; i <= recipe->arg_count; i++) /* blank ones have no entry yet */
        if (recipe_get(recipe, &(Place){1, {i}}) == SHAPE_BLANK)
            recipe_put(&spoilt, &(Place){1, {i}}, SHAPE_BLANK);
    for (unsigned entry = 0; entry < spoilt.entry_count; entry++) {
        uint8_t shape = spoilt.entries[entry].shape;
        for (unsigned other = 0; other < SHAPES; other++) {
            spoilt.entries[entry].shape = (uint8_t)other;
            call_fresh(d, function, &spoilt);
        }
        spoilt.entries[entry].shape = shape;
    }
}

static void change_count(Drive *d, unsigned function, const Recipe *recipe)
{
    Recipe changed = *recipe;
    for (uint8_t count = 0; count <= ARGUMENTS_MOST; count++) {
        changed.arg_count = count;
        call_fresh(d, function, &changed);
    }
}

static void call_by_chance(Drive *d, unsigned function)
{
    unsigned count = d->setup->is_long ? 20000 : 100;
    d->chance = d->setup->seed + function;
    for (unsigned i = 0; i < count; i++) {
        Recipe recipe = {.arg_count = (uint8_t)chance(d, ARGUMENTS_MOST + 1)};
        for (uint8_t operand = 0; operand <= recipe.arg_count; operand++)
            recipe_put(&recipe, &(Place){1, {operand}}, (Shape)chance(d, SHAPES));
        call_fresh(d, function, &recipe);
    }
}

static void freeze_operands(Drive *d, unsigned function, const Recipe *recipe)
{
    for (unsigned i = 0; i <= recipe->arg_count; i++) {
        refresh(d, recipe);
        settle(d, call_twisted(d, function, recipe, FROZEN, i));
    }
}

/* A receiver is never a forwarder: the send has followed it. */
static void forward_arguments(Drive *d, unsigned function, const Recipe *recipe)
{
    const OsvmPrim *prim = &d->rig.prims->functions[function];
    for (unsigned i = 1; i <= recipe->arg_count; i++) {
        bool before = call_fresh(d, function, recipe) == OSVM_SUCCESS;
        refresh(d, recipe);
        int code = call_twisted(d, function, recipe, FORWARDED, i);
        settle(d, code);
        bool after = call_fresh(d, function, recipe) == OSVM_SUCCESS;
        if (before && code != OSVM_SUCCESS && after && prim->accessor_depth < 0)
            found(d, function, "fails with %d if argument %u is a forwarder, and is not called again, since "
                  "it says that it looks into none", code, i);
    }
}

/* Each allocation fails once, with all that follow it. */
static void refuse_memory(Drive *d, unsigned function, const Recipe *recipe)
{
    MockVm *vm = &d->rig.vm;
    bool more = true;
    for (long n = 0; more && n < 32; n++) {
        refresh(d, recipe);
        vm->allocations = n;
        int code = call_twisted(d, function, recipe, AS_IS, 0);
        more = vm->has_failed;
        vm->allocations = -1;
        if (more && code == OSVM_SUCCESS)
            found(d, function, "succeeds although the VM had no memory");
        else if (more && code != OSVM_NO_MEMORY && code != OSVM_NO_C_MEMORY)
            found(d, function, "fails with %d where the VM had no memory", code);
        settle(d, code);
    }
}

/* In a VM of its own, since functions may end what others need; those before it in the table have
 * been called, as when it was learnt. */
static void drive_function(const PrimsSetup *setup, PrimsReport *report, unsigned function)
{
    Drive d;
    if (open_drive(&d, setup, report, false)) {
        replay(&d, function);
        EACH_RECIPE(recipe, function) {
            if (recipe == report->recipes[function] || setup->is_long)
                spoil_places(&d, function, recipe);
            change_count(&d, function, recipe);
            freeze_operands(&d, function, recipe);
            forward_arguments(&d, function, recipe);
            refuse_memory(&d, function, recipe);
        }
        call_by_chance(&d, function);
    }
    close_drive(&d);
}

/* ---- Other worlds, other VMs, beginnings and ends ---- */

static bool says_no(OsvmValue value)
{
    return mock_kind(value) == OSVM_NIL || mock_kind(value) == OSVM_FALSE;
}

static void deny_world(const PrimsSetup *setup, PrimsReport *report)
{
    Drive d;
    bool opened = open_drive(&d, setup, report, true);
    EACH_FUNCTION(f)
        EACH_RECIPE(r, f) {
            if (!opened)
                break;
            int code = call_twisted(&d, f, r, AS_IS, 0);
            if (d.rig.world.refusals && code == OSVM_SUCCESS && !says_no(d.call.result))
                found(&d, f, "succeeds although the world refused");
            settle(&d, code);
        }
    close_drive(&d);
}

/* The same calls in two VMs at once. */
static void use_twice(const PrimsSetup *setup, PrimsReport *report)
{
    Drive first, second;
    bool opened = open_drive(&first, setup, report, false);
    opened &= open_drive(&second, setup, report, false);
    EACH_FUNCTION(f)
        EACH_RECIPE(r, f) {
            if (!opened)
                break;
            call_fresh(&first, f, r);
            call_fresh(&second, f, r);
            bool depends = first.rig.world.has_threads || second.rig.world.has_threads;
            if (first.sum != second.sum && !depends)
                found(&second, f, "answers otherwise in a second VM");
        }
    close_drive(&second);
    close_drive(&first);
}

/* A module that is refused memory while it starts need not, but has to give back what it got. */
static void fail_start(const PrimsSetup *setup, PrimsReport *report)
{
    Drive d = {.setup = setup, .report = report};
    report->function = NO_FUNCTION;
    bool started = false;
    for (size_t n = 1; !started && n < 64; n++) {
        PrimsRigSetup rig = {.file = setup->file, .shim = setup->shim, .width = setup->width,
                             .fail_allocation = n};
        started = prims_rig_open(&d.rig, &rig);
        Leftovers left = prims_rig_close(&d.rig);
        if (left.blocks || left.files)
            found(&d, NO_FUNCTION, "%zu blocks and %zu files are left when it did not get block %zu at its start",
                  left.blocks, left.files, n);
    }
}

/* A new session voids the handles of the old one. */
static void change_session(const PrimsSetup *setup, PrimsReport *report)
{
    Drive d;
    if (open_drive(&d, setup, report, false)) {
        replay(&d, report->function_count);
        prims_rig_session(&d.rig);
        replay(&d, report->function_count);
        prims_rig_session(&d.rig);
    }
    close_drive(&d);
}

void prims_drive(const PrimsSetup *setup, PrimsReport *report)
{
    EACH_FUNCTION(f)
        drive_function(setup, report, f);
    change_session(setup, report);
    deny_world(setup, report);
    use_twice(setup, report);
    fail_start(setup, report);
}
