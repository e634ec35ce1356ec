/* Named primitives: primitive 117 and the modules behind it.
 *
 * The first literal of such a method is an Array of four: module name (or nil),
 * function name, flags, index. The index is a link into the table of functions
 * found so far: 0 not looked up, -1 not found in this session. A link is trusted
 * only if the entry it names has the function name the method asks for, so links
 * that another VM saved are harmless.
 *
 * A module "FooPlugin" is the plugin prims-foo: its name in lower case, without
 * "plugin" or "prims" at the end; the plugin's own `module` must then be equal to
 * the name asked for.
 */
#include "kernel/vm/primitives/named.h"

#include <ctype.h>
#include <stdlib.h>

#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

enum { LINK_MODULE, LINK_FUNCTION, LINK_FLAGS, LINK_INDEX, LINK_SLOTS };
enum { FUNCTIONS_MAX = 4096, NAME_MAX_BYTES = 255 };

typedef struct Module {
    struct Module *next; /* in the order of loading */
    char *name;          /* as methods say it */
    const OsvmInstance *instance;
    const OsvmPrims *prims; /* the vtable of `instance` */
    const OsvmPrim *functions;
} Module;

/* A function some method was linked to. */
typedef struct {
    PrimFunction builtin;  /* of the VM itself, or NULL */
    const OsvmPrim *prim;  /* of a module */
    Module *module;
    const char *name;
    int8_t accessor_depth;
} Function;

struct NamedPrims {
    Module *modules;
    Function functions[FUNCTIONS_MAX]; /* [0] is unused: index 0 means not linked */
    unsigned function_count;
};

bool named_start(Vm *vm)
{
    vm->named = calloc(1, sizeof *vm->named);
    if (vm->named)
        vm->named->function_count = 1;
    return vm->named != NULL;
}

static void module_close(Vm *vm, Module *module)
{
    const OsvmHost *host = vm->setup->host;
    if (module->prims->stop)
        module->prims->stop(module->instance->state);
    host->unload(host, module->instance);
    free(module->name);
    free(module);
}

void named_stop(Vm *vm)
{
    if (!vm->named)
        return;
    for (Module *module = vm->named->modules, *next; module; module = next) {
        next = module->next;
        module_close(vm, module);
    }
    free(vm->named);
    vm->named = NULL;
}

/* ---- Modules ---- */

static void plugin_name(const char *module, char *name)
{
    size_t length = strlen(module);
    static const char *const endings[] = {"plugin", "prims"};
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)tolower((unsigned char)module[i]);
    for (size_t i = 0; i < 2; i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcmp(name + length - ending, endings[i]) == 0) {
            name[length - ending] = 0;
            return;
        }
    }
}

static Module *module_find(Vm *vm, const char *name)
{
    Module *module = vm->named->modules;
    while (module && strcmp(module->name, name) != 0)
        module = module->next;
    return module;
}

static Module *module_open(Vm *vm, const char *name, const OsvmInstance *instance)
{
    const OsvmHost *host = vm->setup->host;
    const OsvmPrims *prims = instance->vtable, *behind = osvm_behind_shims(instance)->vtable;
    Module *module = calloc(1, sizeof *module);
    char *copy = strdup(name);
    bool fits = module && copy && strcmp(behind->module, name) == 0;
    if (!fits || (prims->start && !prims->start(instance->state, &prim_api, vm))) {
        host->log(host, OSVM_WARNING, "module %s: %s is for \"%s\" or does not start", name,
                  instance->file, behind->module);
        free(module);
        free(copy);
        host->unload(host, instance);
        return NULL;
    }
    *module = (Module){.name = copy, .instance = instance, .prims = prims,
                       .functions = behind->functions};
    Module **end = &vm->named->modules;
    while (*end)
        end = &(*end)->next;
    *end = module;
    return module;
}

static Module *module_load(Vm *vm, const char *name)
{
    char plugin[NAME_MAX_BYTES + 1];
    OsvmError error = {0};
    const OsvmHost *host = vm->setup->host;
    Module *module = module_find(vm, name);
    if (module)
        return module;
    plugin_name(name, plugin);
    if (strchr(plugin, '/'))
        return NULL;
    const OsvmInstance *instance =
        host->load(host, OSVM_PRIMS, plugin, OSVM_PRIMS_ABI, OSVM_PRIMS_MODULE_SIZE, &error);
    if (!instance) {
        host->log(host, OSVM_DEBUG, "module %s: %s", name, error.message);
        return NULL;
    }
    return module_open(vm, name, instance);
}

/* ---- Functions ---- */

/* Copies a byte object's text; false if it is none, empty only where allowed, or too long. */
static bool name_text(Oop oop, char *text)
{
    if (is_immediate(oop) || !format_is_bytes(object_format(oop)))
        return false;
    Word length = bits_byte_count(oop);
    if (length > NAME_MAX_BYTES || memchr(object_bytes(oop), 0, length))
        return false;
    memcpy(text, object_bytes(oop), length);
    text[length] = 0;
    return true;
}

static bool find_builtin(const char *name, Function *found)
{
    for (const BuiltinPrim *prim = builtin_prims; prim->name; prim++)
        if (strcmp(prim->name, name) == 0) {
            *found = (Function){.builtin = prim->function, .name = prim->name,
                                .accessor_depth = prim->accessor_depth};
            return true;
        }
    return false;
}

static bool find_in_module(Module *module, const char *name, Function *found)
{
    for (const OsvmPrim *prim = module->functions; prim->name; prim++)
        if (strcmp(prim->name, name) == 0) {
            *found = (Function){.prim = prim, .module = module, .name = prim->name,
                                .accessor_depth = prim->accessor_depth};
            return true;
        }
    return false;
}

static PrimFailure find_function(Vm *vm, Oop link, Function *found)
{
    char module_name[NAME_MAX_BYTES + 1] = "", function[NAME_MAX_BYTES + 1];
    Oop module_oop = follow(object_slot(link, LINK_MODULE));
    if (module_oop != vm->heap.nil && !name_text(module_oop, module_name))
        return PRIM_BAD_METHOD;
    if (!name_text(follow(object_slot(link, LINK_FUNCTION)), function))
        return PRIM_BAD_METHOD;
    if (!*module_name)
        return find_builtin(function, found) ? PRIM_OK : PRIM_NOT_FOUND;
    Module *module = module_load(vm, module_name);
    return module && find_in_module(module, function, found) ? PRIM_OK : PRIM_NOT_FOUND;
}

static PrimFailure call_function(Vm *vm, const Function *function, unsigned arg_count)
{
    if (function->builtin)
        return function->builtin(vm, arg_count);
    return api_call(vm, function->module->instance, function->prim, arg_count);
}

/* ---- Links ---- */

/* The first literal of a method of primitive 117; NO_OOP if it is not what it should be. */
static Oop method_link(Vm *vm, Oop method)
{
    if (method_literal_count(&vm->heap, method) == 0)
        return NO_OOP;
    Oop link = follow(object_slot(method, 1));
    if (is_immediate(link) || object_format(link) != FORMAT_INDEXABLE ||
        object_slot_count(link) != LINK_SLOTS)
        return NO_OOP;
    return link;
}

static bool names_function(Oop link, const Function *function)
{
    Oop name = follow(object_slot(link, LINK_FUNCTION));
    size_t length = strlen(function->name);
    return is_object(name) && format_is_bytes(object_format(name)) &&
           bits_byte_count(name) == length && memcmp(object_bytes(name), function->name, length) == 0;
}

/* The entry a link refers to, NULL if it is not current. */
static const Function *linked_function(Vm *vm, Oop link)
{
    Oop index = object_slot(link, LINK_INDEX);
    if (!is_small_integer(index) || small_integer_value(index) <= 0 ||
        small_integer_value(index) >= (SWord)vm->named->function_count)
        return NULL;
    const Function *function = &vm->named->functions[small_integer_value(index)];
    return function->name && names_function(link, function) ? function : NULL;
}

static void link_put(Oop link, Word slot, SWord value)
{
    if (!is_read_only(link)) /* NOBARRIER: SmallIntegers */
        heap_store_unchecked(link, slot, small_integer_oop(value));
}

PrimFailure named_call(Vm *vm, Oop method, unsigned arg_count)
{
    Function found;
    Oop link = method_link(vm, method);
    if (!link)
        return PRIM_BAD_METHOD;
    const Function *linked = linked_function(vm, link);
    if (linked)
        return call_function(vm, linked, arg_count);
    if (object_slot(link, LINK_INDEX) == small_integer_oop(-1))
        return PRIM_NOT_FOUND;
    PrimFailure failure = find_function(vm, link, &found);
    if (failure) {
        if (failure == PRIM_NOT_FOUND)
            link_put(link, LINK_INDEX, -1);
        return failure;
    }
    link_put(link, LINK_FLAGS, (SWord)found.accessor_depth * 256);
    link_put(link, LINK_INDEX, 0);
    if (vm->named->function_count < FUNCTIONS_MAX) {
        link_put(link, LINK_INDEX, (SWord)vm->named->function_count);
        vm->named->functions[vm->named->function_count++] = found;
    }
    return call_function(vm, &found, arg_count);
}

int named_accessor_depth(Vm *vm, Oop method)
{
    Oop link = method_link(vm, method);
    const Function *function = link ? linked_function(vm, link) : NULL;
    return function ? function->accessor_depth : -1;
}

/* Every link in the heap is void again. */
static void reset_links(Vm *vm)
{
    Mm *mm = vm->heap.mm;
    for (Oop object = mm->ops->first_object(mm); object; object = mm->ops->next_object(mm, object)) {
        if (!format_is_code(object_format(object)) || method_primitive(vm, object) != 117)
            continue;
        Oop link = method_link(vm, object);
        if (link) {
            link_put(link, LINK_FLAGS, 0);
            link_put(link, LINK_INDEX, 0);
        }
    }
    vm->named->function_count = 1;
}

void named_new_session(Vm *vm)
{
    for (Module *module = vm->named->modules; module; module = module->next)
        if (module->prims->session)
            module->prims->session(module->instance->state);
}

/* ---- The primitives ---- */

PrimFailure prim_external_call(Vm *vm, unsigned arg_count)
{
    return named_call(vm, vm->new_method, arg_count);
}

PrimFailure prim_flush_external_primitives(Vm *vm, unsigned arg_count)
{
    reset_links(vm);
    return vm_return_receiver(vm, arg_count);
}

PrimFailure prim_unload_module(Vm *vm, unsigned arg_count)
{
    char name[NAME_MAX_BYTES + 1];
    if (arg_count != 1 || !name_text(vm_stack(vm, 0), name))
        return PRIM_FAILED;
    Module **at = &vm->named->modules;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (!*at || (*at)->instance->busy)
        return PRIM_FAILED;
    Module *module = *at;
    *at = module->next;
    module_close(vm, module);
    reset_links(vm);
    return vm_return_receiver(vm, arg_count);
}

/* The functions of the VM itself have no module name: the list is empty. */
PrimFailure prim_list_builtin_module(Vm *vm, unsigned arg_count)
{
    Oop index = vm_stack(vm, 0);
    if (!is_small_integer(index) || small_integer_value(index) < 1)
        return PRIM_FAILED;
    return vm_return(vm, arg_count, vm->heap.nil);
}

PrimFailure prim_list_external_module(Vm *vm, unsigned arg_count)
{
    Oop index = vm_stack(vm, 0);
    if (!is_small_integer(index) || small_integer_value(index) < 1)
        return PRIM_FAILED;
    SWord count = small_integer_value(index);
    Module *module = vm->named->modules;
    while (module && --count > 0)
        module = module->next;
    if (!module)
        return vm_return(vm, arg_count, vm->heap.nil);
    Oop name = vm_string_oop(vm, module->name, strlen(module->name));
    return name ? vm_return(vm, arg_count, name) : PRIM_NO_MEMORY;
}
