/* Test Anything Protocol for tests in C.
 *
 *   int main(void)
 *   {
 *       ok(1 + 1 == 2, "one and one are %d", 2);
 *       is_int(answer(), 42, "the answer");
 *       is_text(name(), "osvm", "the name");
 *       return done_testing();
 *   }
 *
 * Each assertion prints `ok N - text` or `not ok N - text` with what was got and
 * expected, and answers whether it held. done_testing() prints the plan and
 * answers the exit code. A process that dies before prints no plan, and prove
 * counts that as a failure. One translation unit per test.
 */
#ifndef OSVM_TAP_H
#define OSVM_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failures;

#define TAP_FORMAT(string, first) __attribute__((unused, format(printf, string, first)))
/* Prefix of every test name, for tests that run in several configurations. */
#ifndef TAP_PREFIX
#define TAP_PREFIX ""
#endif

TAP_FORMAT(1, 2) static void diag(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("# ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
}

__attribute__((unused)) static bool tap_report(bool held, const char *file, int line,
                                               const char *format, va_list arguments)
{
    tap_failures += !held;
    printf("%sok %d - %s", held ? "" : "not ", ++tap_count, TAP_PREFIX);
    vprintf(format, arguments);
    putchar('\n');
    if (!held)
        diag("  failed at %s:%d", file, line);
    fflush(stdout);
    return held;
}

TAP_FORMAT(4, 5) static bool tap_ok(bool held, const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tap_report(held, file, line, format, arguments);
    va_end(arguments);
    return held;
}

TAP_FORMAT(5, 6)
static bool tap_is_int(int64_t got, int64_t expected, const char *file, int line,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool held = tap_report(got == expected, file, line, format, arguments);
    va_end(arguments);
    if (!held)
        diag("  got %" PRId64 " (0x%" PRIx64 "), expected %" PRId64 " (0x%" PRIx64 ")", got,
             (uint64_t)got, expected, (uint64_t)expected);
    return held;
}

TAP_FORMAT(5, 6)
static bool tap_is_text(const char *got, const char *expected, const char *file, int line,
                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool same = got && expected ? strcmp(got, expected) == 0 : got == expected;
    bool held = tap_report(same, file, line, format, arguments);
    va_end(arguments);
    if (!held)
        diag("  got \"%s\", expected \"%s\"", got ? got : "(NULL)", expected ? expected : "(NULL)");
    return held;
}

TAP_FORMAT(5, 6)
static bool tap_has_text(const char *got, const char *part, const char *file, int line,
                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool held = tap_report(got && strstr(got, part), file, line, format, arguments);
    va_end(arguments);
    if (!held)
        diag("  got \"%s\", expected it to contain \"%s\"", got ? got : "(NULL)", part);
    return held;
}

TAP_FORMAT(1, 2) static void skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("ok %d # SKIP ", ++tap_count);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

TAP_FORMAT(1, 2) _Noreturn static void bail_out(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("Bail out! ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    exit(255);
}

/* The whole test cannot run here. */
TAP_FORMAT(1, 2) _Noreturn static void skip_all(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("1..0 # SKIP ", stdout);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    exit(0);
}

__attribute__((unused)) static int done_testing(void)
{
    printf("1..%d\n", tap_count);
    if (fflush(stdout) || ferror(stdout))
        return 2;
    return tap_failures || !tap_count ? 1 : 0;
}

#define ok(held, ...) tap_ok((held), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, expected, ...)                                                                 \
    tap_is_int((int64_t)(got), (int64_t)(expected), __FILE__, __LINE__, __VA_ARGS__)
#define is_text(got, expected, ...) tap_is_text((got), (expected), __FILE__, __LINE__, __VA_ARGS__)
#define has_text(got, part, ...) tap_has_text((got), (part), __FILE__, __LINE__, __VA_ARGS__)

#endif
