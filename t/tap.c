/* The test library itself. */
#include "tap.h"

int main(void)
{
    ok(1 + 1 == 2, "ok");
    is_int(-3, -3, "is_int with a %s", "formatted name");
    is_text("osvm", "osvm", "is_text");
    is_text(NULL, NULL, "is_text of nothing");
    has_text("a plugin", "plug", "has_text");
    skip("a skipped test counts as passed");
    return done_testing();
}
