/* The module TerminalPlugin: a line editor with history on the standard streams (libedit).
 *
 * Nothing here waits for a key: `step` handles what has been typed so far and answers what
 * came of it, or asks for a signal of the image's semaphore when more has come. So other
 * processes run while somebody thinks at the prompt. Bytes go through the world; of the
 * terminal only its modes are touched directly. Texts are UTF-8.
 */
#include "osvm/prims.h"
#include "osvm/world.h"

#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define FUNCTION(name) static int name(const OsvmPrimApi *vm, OsvmCall *call)

enum { HISTORY_ENTRIES = 1000, PROMPT_BYTES = 256, TEXT_BYTES = 65536 };

/* What a step brought about; the image knows these numbers. */
typedef enum { NOTHING_YET, LINE_ENTERED, COMPLETION_WANTED, INPUT_ENDED } Event;

typedef struct {
    EditLine *editor; /* NULL until the first line is begun */
    History *history;
    FILE *output;     /* what the editor prints, on its way to the world */
    locale_t utf8, before;
    const OsvmWorld *world;
    const OsvmPrimApi *api;
    void *vm;
    unsigned semaphore; /* to signal when something can be read */
    bool editing;       /* the terminal is in the editor's mode */
    Event event;
    char prompt[PROMPT_BYTES];
} Module;

/* ---- Between the editor and the world ---- */

static ssize_t write_output(void *cookie, const char *bytes, size_t count)
{
    Module *module = cookie;
    return world_write_all(module->world, 1, bytes, count) == 0 ? (ssize_t)count : -1;
}

static Module *module_of_editor(EditLine *editor)
{
    void *module = NULL;
    el_get(editor, EL_CLIENTDATA, &module);
    return module;
}

static int read_byte(const OsvmWorld *world, unsigned char *byte)
{
    int64_t count;
    do
        count = world->read(world, 0, byte, 1);
    while (count == -EINTR);
    return count == 1;
}

/* The editor's source of characters: one of UTF-8, 1; 0 at the end of input. */
static int read_character(EditLine *editor, wchar_t *character)
{
    Module *module = module_of_editor(editor);
    mbstate_t state = {0};
    unsigned char byte;
    do {
        if (!read_byte(module->world, &byte)) {
            module->event = INPUT_ENDED;
            return 0;
        }
        size_t used = mbrtowc(character, (const char *)&byte, 1, &state);
        if (used == (size_t)-1) {
            *character = 0xFFFD;
            return 1;
        }
        if (used != (size_t)-2)
            return 1;
    } while (true);
}

static char *prompt_of(EditLine *editor)
{
    return module_of_editor(editor)->prompt;
}

static bool has_input(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    return poll(&input, 1, 0) == 1;
}

/* ---- Keys of our own ---- */

static unsigned char want_completion(EditLine *editor, int key)
{
    (void)key;
    module_of_editor(editor)->event = COMPLETION_WANTED;
    return CC_NORM;
}

/* Ctrl-D: the end of input on an empty line, else it deletes the character at the cursor. */
static unsigned char end_or_delete(EditLine *editor, int key)
{
    (void)key;
    const LineInfo *line = el_line(editor);
    if (line->lastchar == line->buffer) {
        module_of_editor(editor)->event = INPUT_ENDED;
        return CC_NORM;
    }
    if (line->cursor == line->lastchar)
        return CC_ERROR;
    el_cursor(editor, 1);
    el_deletestr(editor, 1);
    return CC_REFRESH;
}

static void bind_keys(EditLine *editor)
{
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_ADDFN, "osvm-complete", "asks for completions", want_completion);
    el_set(editor, EL_ADDFN, "osvm-end", "ends the input or deletes", end_or_delete);
    el_set(editor, EL_BIND, "^I", "osvm-complete", NULL);
    el_set(editor, EL_BIND, "^D", "osvm-end", NULL);
    el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(editor, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    el_set(editor, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    el_set(editor, EL_BIND, "\\e[3~", "ed-delete-next-char", NULL);
}

/* ---- The editor ---- */

static void destroy(Module *module)
{
    if (module->editor)
        el_end(module->editor);
    if (module->history)
        history_end(module->history);
    if (module->output)
        fclose(module->output);
    module->editor = NULL;
    module->history = NULL;
    module->output = NULL;
    module->editing = false;
}

static bool create(Module *module)
{
    cookie_io_functions_t functions = {.write = write_output};
    HistEvent event;
    module->output = fopencookie(module, "w", functions);
    module->history = history_init();
    if (!module->output || !module->history)
        return false;
    history(module->history, &event, H_SETSIZE, HISTORY_ENTRIES);
    history(module->history, &event, H_SETUNIQUE, 1);
    module->editor = el_init_fd("osvm", stdin, module->output, module->output, 0, 1, 1);
    if (!module->editor)
        return false;
    el_set(module->editor, EL_CLIENTDATA, module);
    el_set(module->editor, EL_SIGNAL, 0);
    el_set(module->editor, EL_GETCFN, read_character);
    el_set(module->editor, EL_PROMPT_ESC, prompt_of, '\1');
    el_set(module->editor, EL_HIST, history, module->history);
    bind_keys(module->editor);
    return true;
}

/* Every primitive runs in a UTF-8 locale: libedit converts by it. */
static Module *enter(const OsvmPrimApi *vm, OsvmCall *call)
{
    Module *module = vm->module_state(call);
    module->world = vm->world(call);
    module->before = uselocale(module->utf8);
    return module;
}

static int leave(Module *module, int answer)
{
    uselocale(module->before);
    return answer;
}

static void set_editing(Module *module, bool editing)
{
    if (module->editing != editing)
        el_set(module->editor, EL_UNBUFFERED, (int)editing);
    module->editing = editing;
    fflush(module->output);
}

/* A zero-terminated copy of a byte string argument; NULL if it is none or too long. */
static char *text_argument(const OsvmPrimApi *vm, OsvmCall *call, int index)
{
    OsvmElements elements;
    if (!vm->elements(call, vm->arg(call, index), &elements) || elements.element_size != 1 ||
        elements.count >= TEXT_BYTES || memchr(elements.data, 0, elements.count))
        return NULL;
    return strndup(elements.data, elements.count);
}

/* ---- Primitives ---- */

/* Are standard input and output a terminal that can be edited on? */
FUNCTION(is_interactive)
{
    const OsvmWorld *world = vm->world(call);
    const char *name = world->get_variable(world, "TERM");
    bool able = name && *name && strcmp(name, "dumb") != 0;
    return vm->result(call, vm->from_boolean(call, able && world->is_terminal(world, 0) == 1 &&
                                                       world->is_terminal(world, 1) == 1));
}

/* Can the standard input be read without waiting, if only its end? */
FUNCTION(has_standard_input)
{
    return vm->result(call, vm->from_boolean(call, has_input()));
}

/* begin: prompt. Shows it with an empty line to edit. Text between two bytes 1 has no width. */
FUNCTION(begin)
{
    char *prompt = text_argument(vm, call, 0);
    if (!prompt)
        return OSVM_BAD_ARGUMENT;
    Module *module = enter(vm, call);
    snprintf(module->prompt, sizeof module->prompt, "%s", prompt);
    free(prompt);
    if (!module->editor && !create(module)) {
        destroy(module);
        return leave(module, OSVM_NO_C_MEMORY);
    }
    set_editing(module, false);
    set_editing(module, true);
    return leave(module, vm->result_receiver(call));
}

static void input_ready(void *context, int file, unsigned events)
{
    Module *module = context;
    (void)file, (void)events;
    module->api->signal_semaphore(module->vm, module->semaphore);
}

static void wait_for_input(Module *module)
{
    module->world->watch(module->world, 0, OSVM_READABLE | OSVM_BROKEN, input_ready, module);
}

/* Handles keys until something came of them or there are no more. */
static void handle_keys(Module *module)
{
    module->event = NOTHING_YET;
    while (module->event == NOTHING_YET && has_input()) {
        int count = 0;
        const char *line = el_gets(module->editor, &count);
        if (line && count > 0 && (line[count - 1] == '\n' || line[count - 1] == '\r'))
            module->event = LINE_ENTERED;
    }
    fflush(module->output);
}

/* Array: what happened, the line without its end, the cursor's place in it in bytes. */
static OsvmValue describe(const OsvmPrimApi *vm, OsvmCall *call, Event event, const LineInfo *line)
{
    size_t count = (size_t)(line->lastchar - line->buffer);
    while (event == LINE_ENTERED && count && strchr("\r\n", line->buffer[count - 1]))
        count--;
    OsvmValue answer = vm->new_array(call, 3);
    OsvmValue text = vm->from_string(call, line->buffer, count);
    if (osvm_is_none(answer) || osvm_is_none(text))
        return (OsvmValue){0};
    vm->put_slot(call, answer, 0, vm->from_int64(call, event));
    vm->put_slot(call, answer, 1, text);
    vm->put_slot(call, answer, 2, vm->from_int64(call, line->cursor - line->buffer));
    return answer;
}

/* step: index of an external semaphore. Answers nil when there is nothing yet: the semaphore
 * will be signalled. */
FUNCTION(step)
{
    int64_t index;
    if (!vm->int64(call, vm->arg(call, 0), &index) || index <= 0 || index > UINT32_MAX)
        return OSVM_BAD_ARGUMENT;
    Module *module = enter(vm, call);
    if (!module->editing)
        return leave(module, OSVM_INAPPROPRIATE);
    module->semaphore = (unsigned)index;
    handle_keys(module);
    if (module->event == NOTHING_YET) {
        wait_for_input(module);
        return leave(module, vm->result(call, vm->nil(call)));
    }
    OsvmValue answer = describe(vm, call, module->event, el_line(module->editor));
    if (module->event != COMPLETION_WANTED)
        set_editing(module, false);
    return leave(module, vm->result(call, answer));
}

/* Gives the terminal back its own mode; what was typed of a line is dropped. */
FUNCTION(end)
{
    Module *module = enter(vm, call);
    if (module->editor) {
        module->world->watch(module->world, 0, 0, NULL, NULL);
        set_editing(module, false);
    }
    return leave(module, vm->result_receiver(call));
}

/* replace: count with: text. Replaces that many characters before the cursor. */
FUNCTION(replace)
{
    int64_t count;
    char *text = text_argument(vm, call, 1);
    Module *module = enter(vm, call);
    int answer = OSVM_BAD_ARGUMENT;
    if (text && module->editing && vm->int64(call, vm->arg(call, 0), &count) && count >= 0 &&
        count < TEXT_BYTES) {
        if (count)
            el_deletestr(module->editor, (int)count);
        el_insertstr(module->editor, text);
        el_set(module->editor, EL_REFRESH);
        fflush(module->output);
        answer = vm->result_receiver(call);
    }
    free(text);
    return leave(module, answer);
}

/* Shows prompt and line once more, below what was printed meanwhile. */
FUNCTION(refresh)
{
    Module *module = enter(vm, call);
    if (!module->editing)
        return leave(module, OSVM_INAPPROPRIATE);
    el_set(module->editor, EL_REFRESH);
    fflush(module->output);
    return leave(module, vm->result_receiver(call));
}

/* remember: a line, the newest of the history. */
FUNCTION(remember)
{
    char *line = text_argument(vm, call, 0);
    HistEvent event;
    if (!line)
        return OSVM_BAD_ARGUMENT;
    Module *module = enter(vm, call);
    bool able = module->editor || create(module);
    if (able && *line)
        history(module->history, &event, H_ENTER, line);
    free(line);
    return leave(module, able ? vm->result_receiver(call) : OSVM_NO_C_MEMORY);
}

/* Columns of the terminal. */
FUNCTION(width)
{
    Module *module = enter(vm, call);
    int columns = 0;
    if (!module->editor || el_get(module->editor, EL_GETTC, "co", &columns) != 0 || columns <= 0)
        return leave(module, OSVM_INAPPROPRIATE);
    return leave(module, vm->result(call, vm->from_int64(call, columns)));
}

/* ---- The module ---- */

static bool start(void *state, const OsvmPrimApi *api, void *vm)
{
    Module *module = state;
    module->api = api;
    module->vm = vm;
    module->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return module->utf8 != (locale_t)0;
}

static void stop(void *state)
{
    Module *module = state;
    if (module->editor)
        module->world->watch(module->world, 0, 0, NULL, NULL);
    destroy(module);
    freelocale(module->utf8);
}

static const OsvmPrim functions[] = {
    {"primitiveIsInteractive", is_interactive, -1, OSVM_TOUCHES_WORLD},
    {"primitiveHasInput", has_standard_input, -1, OSVM_TOUCHES_WORLD},
    {"primitiveBegin", begin, 0, OSVM_TOUCHES_WORLD},
    {"primitiveStep", step, -1, OSVM_MAY_ALLOCATE | OSVM_TOUCHES_WORLD},
    {"primitiveEnd", end, -1, OSVM_TOUCHES_WORLD},
    {"primitiveReplace", replace, 0, OSVM_TOUCHES_WORLD},
    {"primitiveRefresh", refresh, -1, OSVM_TOUCHES_WORLD},
    {"primitiveRemember", remember, 0, OSVM_TOUCHES_WORLD},
    {"primitiveWidth", width, -1, OSVM_TOUCHES_WORLD},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "TerminalPlugin",
    .functions = functions,
    .start = start,
    .stop = stop,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "terminal",
    .version = OSVM_VERSION,
    .summary = "line editor with history on the standard streams",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
    .state_size = sizeof(Module),
};
