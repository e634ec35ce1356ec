/* What CHECK and UNREACHABLE mean, in production and in the checked variant.
 * No other file tests OSVM_CHECKED.
 *
 *   CHECK(condition, "sentence", ...)   a rule of this program. Checked: when it
 *       does not hold, says which rule, where, and the values the sentence
 *       formats, then aborts. Production: nothing, not even evaluated.
 *   REQUIRE(condition, "sentence", ...) the same, live in every variant. For
 *       rules whose breach would damage the user's data.
 *   UNREACHABLE()   a place that is not reached. Checked: reports and aborts.
 *   CHECKED         1 or 0, for `if (CHECKED)`, which always compiles.
 *
 * Bad input is no matter for these: that gets an OsvmError.
 */
#ifndef OSVM_CHECK_H
#define OSVM_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#if defined(OSVM_CHECKED) && OSVM_CHECKED
#define CHECKED 1
#define OSVM_VARIANT "checked"
#define UNREACHABLE() osvm_check_fail(__FILE__, __LINE__, __func__, "unreachable", "reached")
#else
#define CHECKED 0
#define OSVM_VARIANT "production"
#define UNREACHABLE() __builtin_unreachable()
#endif

#define CHECK(...) (CHECKED ? REQUIRE(__VA_ARGS__) : (void)0)
#define REQUIRE(condition, ...)                                                                    \
    (__builtin_expect(!!(condition), 1)                                                            \
         ? (void)0                                                                                 \
         : osvm_check_fail(__FILE__, __LINE__, __func__, #condition, __VA_ARGS__))

_Noreturn __attribute__((cold, noinline, unused, format(printf, 5, 6))) static void
osvm_check_fail(const char *file, int line, const char *function, const char *condition,
                const char *format, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "osvm: rule broken at %s:%d in %s: ", file, line, function);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n    (%s)\n", condition);
    __builtin_va_end(arguments);
    abort();
}

#endif
