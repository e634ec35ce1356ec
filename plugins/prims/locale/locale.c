/* The module LocalePlugin: the conventions of the user's country, read from LC_ALL,
 * LC_xxx and LANG through a locale object of its own, so that the process's locale
 * stays "C" and numbers print the same everywhere. */
#include "osvm/prims.h"
#include "osvm/world.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

typedef struct {
    locale_t locale;
} Module;

static const char *item(const OsvmPrimApi *vm, OsvmCall *call, nl_item which)
{
    Module *module = vm->module_state(call);
    return module->locale ? nl_langinfo_l(which, module->locale) : "";
}

static int text(const OsvmPrimApi *vm, OsvmCall *call, const char *string, size_t length)
{
    return vm->result(call, vm->from_string(call, string, length));
}

static int text_or(const OsvmPrimApi *vm, OsvmCall *call, const char *string, const char *otherwise)
{
    if (!*string)
        string = otherwise;
    return text(vm, call, string, strlen(string));
}

/* "de_CH.UTF-8" of the environment; "en_US" where there is none or it is "C". */
static const char *locale_name(const OsvmPrimApi *vm, OsvmCall *call)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < 3; i++) {
        const char *name = vm->world(call)->get_variable(vm->world(call), variables[i]);
        if (name && *name)
            return name[0] == 'C' || strcmp(name, "POSIX") == 0 ? "en_US" : name;
    }
    return "en_US";
}

FUNCTION(language)
{
    const char *name = locale_name(vm, call);
    return text(vm, call, name, strcspn(name, "_.@"));
}

FUNCTION(country)
{
    const char *name = locale_name(vm, call) + strcspn(locale_name(vm, call), "_");
    return *name ? text(vm, call, name + 1, strcspn(name + 1, ".@")) : text(vm, call, "US", 2);
}

/* glibc puts a mark before the symbol: '-' it precedes the value, '+' it follows. */
FUNCTION(currency_symbol)
{
    const char *symbol = item(vm, call, CRNCYSTR);
    return text_or(vm, call, *symbol ? symbol + 1 : symbol, "$");
}

FUNCTION(currency_precedes)
{
    const char *symbol = item(vm, call, CRNCYSTR);
    return vm->result(call, vm->from_boolean(call, *symbol != '+'));
}

FUNCTION(decimal_symbol)
{
    return text_or(vm, call, item(vm, call, RADIXCHAR), ".");
}

FUNCTION(grouping_symbol)
{
    return text_or(vm, call, item(vm, call, THOUSEP), ",");
}

FUNCTION(metric)
{
    const char *name = locale_name(vm, call);
    bool imperial = strstr(name, "_US") || strstr(name, "_LR") || strstr(name, "_MM");
    return vm->result(call, vm->from_boolean(call, !imperial));
}

/* Formats are answered as strftime writes them. */
FUNCTION(time_format)
{
    return text_or(vm, call, item(vm, call, T_FMT), "%H:%M:%S");
}

FUNCTION(date_format)
{
    return text_or(vm, call, item(vm, call, D_FMT), "%m/%d/%y");
}

static int64_t offset_minutes(const OsvmPrimApi *vm, OsvmCall *call)
{
    const OsvmWorld *world = vm->world(call);
    return world->utc_offset(world, world->utc_us(world)) / 60;
}

FUNCTION(timezone_offset)
{
    return vm->result(call, vm->from_int64(call, offset_minutes(vm, call)));
}

/* The clock of the VM is local time already. */
FUNCTION(vm_offset)
{
    return vm->result(call, vm->from_int64(call, 0));
}

/* Half a year apart, the larger offset is summer time. */
FUNCTION(daylight_saving)
{
    const OsvmWorld *world = vm->world(call);
    const int64_t half_year = INT64_C(182) * 24 * 3600 * 1000000;
    int64_t now = world->utc_us(world);
    bool saving = world->utc_offset(world, now) > world->utc_offset(world, now + half_year);
    return vm->result(call, vm->from_boolean(call, saving));
}

static bool locale_start(void *state, const OsvmPrimApi *api, void *vm)
{
    Module *module = state;
    (void)api;
    (void)vm;
    module->locale = newlocale(LC_ALL_MASK, "", (locale_t)0); /* none: the conventions of "C" */
    return true;
}

static void locale_stop(void *state)
{
    Module *module = state;
    if (module->locale)
        freelocale(module->locale);
}

static const OsvmPrim functions[] = {
    {"primitiveLanguage", language, -1, OSVM_MAY_ALLOCATE | OSVM_TOUCHES_WORLD},
    {"primitiveCountry", country, -1, OSVM_MAY_ALLOCATE | OSVM_TOUCHES_WORLD},
    {"primitiveCurrencySymbol", currency_symbol, -1, OSVM_MAY_ALLOCATE},
    {"primitiveCurrencyNotation", currency_precedes, -1, 0},
    {"primitiveDecimalSymbol", decimal_symbol, -1, OSVM_MAY_ALLOCATE},
    {"primitiveDigitGroupingSymbol", grouping_symbol, -1, OSVM_MAY_ALLOCATE},
    {"primitiveMeasurementMetric", metric, -1, OSVM_TOUCHES_WORLD},
    {"primitiveTimeFormat", time_format, -1, OSVM_MAY_ALLOCATE},
    {"primitiveShortDateFormat", date_format, -1, OSVM_MAY_ALLOCATE},
    {"primitiveLongDateFormat", date_format, -1, OSVM_MAY_ALLOCATE},
    {"primitiveTimezoneOffset", timezone_offset, -1, OSVM_TOUCHES_WORLD},
    {"primitiveVMOffsetToUTC", vm_offset, -1, 0},
    {"primitiveDaylightSavings", daylight_saving, -1, OSVM_TOUCHES_WORLD},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "LocalePlugin",
    .functions = functions,
    .start = locale_start,
    .stop = locale_stop,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "locale",
    .version = OSVM_VERSION,
    .summary = "the conventions of the user's country",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
    .state_size = sizeof(Module),
    .state_version = 1,
};
