/* Options by table, numbers with units, the nearest word. */
#include "kernel/base/nearest.h"
#include "kernel/cli/options.h"
#include "tap.h"

static const OsvmOption table[] = {
    {.name = "lazy", .kind = OSVM_FLAG, .value = "no", .help = "h"},
    {.name = "threads", .kind = OSVM_NUMBER, .value = "4", .min = 1, .max = 16, .help = "h"},
    {.name = "offset", .kind = OSVM_NUMBER, .help = "h"},
    {.name = "eden", .kind = OSVM_SIZE, .value = "1M", .help = "h"},
    {.name = "mode",
     .kind = OSVM_CHOICE,
     .value = "fast",
     .choices = "fast|slow|slower",
     .help = "h"},
    {.name = "name", .kind = OSVM_TEXT, .help = "h"},
    {.name = "check", .kind = OSVM_OPTIONAL_TEXT, .help = "h"},
    {.name = "o", .kind = OSVM_TEXT, .help = "h"},
    {.name = NULL},
};

static OptionSet *set;
static OsvmError error;

static bool put(const char *name, const char *value)
{
    memset(&error, 0, sizeof error);
    return options_set(set, "--", name, value, &error);
}

static void test_defaults(void)
{
    ok(!options_flag(set, "lazy"), "default of a flag");
    is_int(options_number(set, "threads"), 4, "default of a number");
    is_int(options_number(set, "eden"), 1 << 20, "default of a size");
    is_text(options_text(set, "mode"), "fast", "default of a choice");
    is_text(options_text(set, "name"), NULL, "no default");
    ok(!options_given(set, "threads"), "a default is not given");
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        int64_t value; /* -1: refused */
    } sizes[] = {
        {"0", 0},
        {"1", 1},
        {"16k", 16 << 10},
        {"16K", 16 << 10},
        {"16KB", 16 << 10},
        {"3MiB", 3 << 20},
        {"2G", INT64_C(2) << 30},
        {"1T", INT64_C(1) << 40},
        {"", -1},
        {"M", -1},
        {"-1", -1},
        {"1.5M", -1},
        {"1 M", -1},
        {"1X", -1},
        {"1MM", -1},
        {"99999999999999999999", -1},
        {"9000000000G", -1},
        {" 1", -1},
        {"+1", -1},
        {"0x10", -1},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool taken = put("eden", sizes[i].text);
        is_int(taken ? options_number(set, "eden") : -1, sizes[i].value, "--eden='%s'",
               sizes[i].text);
    }
    ok(put("offset", "-12") && options_number(set, "offset") == -12, "a negative number");
    ok(!put("offset", "12k"), "a plain number has no unit");
    ok(put("threads", "16") && !put("threads", "17") && !put("threads", "0"), "bounds");
    is_int(options_number(set, "threads"), 16, "a refused value changes nothing");
    has_text(error.message, "it takes 1 to 16", "the message names the bounds");
}

static void test_other_kinds(void)
{
    ok(put("lazy", NULL) && options_flag(set, "lazy"), "a flag alone is yes");
    ok(put("lazy", "off") && !options_flag(set, "lazy"), "off");
    ok(!put("lazy", "maybe"), "a flag is yes or no");
    ok(put("mode", "slow"), "a choice");
    ok(!put("mode", "slo") && !put("mode", "") && !put("mode", "slow|slower"), "no other choice");
    has_text(error.message, "fast|slow|slower", "the message names the choices");
    ok(!put("name", NULL), "a text is needed");
    ok(put("check", NULL), "an optional text is not");
    is_text(options_text(set, "check"), "", "... and is then empty");
    ok(options_given(set, "check"), "... and given");
}

static void test_names(void)
{
    ok(!put("thread", "3"), "an unknown name is refused");
    has_text(error.message, "did you mean '--threads'?", "... with the nearest");
    ok(!put("zzzzzzzz", "3"), "one like no other is refused");
    has_text(error.message, "there are: --lazy, --threads", "... with all there are");
    is_int(error.status, OSVM_USAGE, "... as a wrong command line");
}

static void test_lists(void)
{
    ok(options_set_list(set, "lazy,threads=3,name=a=b", &error), "a list");
    ok(options_flag(set, "lazy") && options_number(set, "threads") == 3, "... sets each");
    is_text(options_text(set, "name"), "a=b", "... and cuts at the first =");
    ok(options_set_list(set, "", &error), "an empty list");
    ok(!options_set_list(set, "lazy,", &error) && !options_set_list(set, ",lazy", &error) &&
           !options_set_list(set, "lazy,,lazy", &error),
       "no empty items");
}

static int take(char **arguments)
{
    int count = 0;
    while (arguments[count])
        count++;
    memset(&error, 0, sizeof error);
    return options_take(set, count, arguments, &error);
}

static void test_arguments(void)
{
    is_int(take((char *[]){"--lazy", "--threads=5", "-o", "out", "image", "--lazy", NULL}), 4,
           "options end at the first operand");
    is_int(options_number(set, "threads"), 5, "--name=value");
    is_text(options_text(set, "o"), "out", "-n value");
    is_int(take((char *[]){"-oout2", "x", NULL}), 1, "-nvalue");
    is_text(options_text(set, "o"), "out2", "... is the value");
    is_int(take((char *[]){"--threads", "6", "x", NULL}), 2, "--name value");
    is_int(take((char *[]){"--check", "x", NULL}), 1, "an optional text takes no argument");
    is_int(take((char *[]){"--check=gc", NULL}), 1, "... but what follows =");
    is_int(take((char *[]){"--", "--lazy", NULL}), 1, "-- ends the options");
    is_int(take((char *[]){"-", NULL}), 0, "- is no option");
    is_int(take((char *[]){"--threads", NULL}), -1, "a missing value");
    has_text(error.message, "needs a value", "... is named");
    is_int(take((char *[]){"-lazy", NULL}), -1, "a word with one dash is refused");
    has_text(error.message, "'--lazy'", "... with the right form");
}

static void test_foreign_tables(void)
{
    const OsvmOption bad_kind[] = {{.name = "x", .kind = 77, .help = "h"}, {.name = NULL}};
    const OsvmOption no_choices[] = {{.name = "x", .kind = OSVM_CHOICE, .help = "h"},
                                     {.name = NULL}};
    const OsvmOption bad_value[] = {{.name = "x", .kind = OSVM_NUMBER, .value = "y", .help = "h"},
                                    {.name = NULL}};
    ok(!options_check_table(bad_kind, "p", &error), "an unknown kind in a foreign table");
    ok(!options_check_table(no_choices, "p", &error), "a choice without choices");
    ok(!options_check_table(bad_value, "p", &error), "a default that is not valid");
    ok(options_check_table(table, "p", &error) && options_check_table(NULL, "p", &error),
       "sound tables");
}

static void test_nearest(void)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } pairs[] = {
        {"", "", 0},          {"gc", "gc", 0},     {"", "abc", 3},
        {"abc", "", 3},       {"gc", "cg", 1},     {"eden", "edn", 1},
        {"eden", "edden", 1}, {"eden", "edin", 1}, {"kitten", "sitting", 3},
        {"GC", "gc", 0},      {"ca", "abc", 3},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        is_int(nearest_distance(pairs[i].a, pairs[i].b), pairs[i].distance, "from '%s' to '%s'",
               pairs[i].a, pairs[i].b);
    static const char *const words[] = {"compact", "sweep", "semispace"};
    static const struct {
        const char *word, *best;
    } cases[] = {{"swep", "sweep"}, {"comp", "compact"}, {"xyz", NULL}, {"semispcae", "semispace"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Nearest nearest = nearest_to(cases[i].word);
        for (size_t w = 0; w < 3; w++)
            nearest_offer(&nearest, words[w]);
        is_text(nearest.best, cases[i].best, "nearest to '%s'", cases[i].word);
    }
}

int main(void)
{
    set = options_new(table, "the test");
    test_defaults();
    test_numbers();
    test_other_kinds();
    test_names();
    test_lists();
    test_arguments();
    options_free(set);
    test_foreign_tables();
    test_nearest();
    return done_testing();
}
