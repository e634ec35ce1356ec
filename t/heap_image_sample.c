/* Writes the sample image to the file named by its argument, for tests that are scripts; without
 * one it only says that it can be built. A second argument: objects wait for finalization. */
// LINK: kernel/vm/image/*.c kernel/vm/region.c t/support/image_host.c t/support/image_sample.c
#include "t/support/image_host.h"
#include "t/support/image_sample.h"
#include "t/tap.h"

int main(int argc, char **argv)
{
    ImageHost host;
    Sample sample;
    char error[1000] = "";
    image_host_start(&host);
    sample_build(&sample, &host.setup);
    ok(sample.vm->heap.special_objects != 0, "a sample is built");
    Oop mourners[2] = {sample.ephemeron, sample.weak};
    if (argc > 2)
        image_still_mourners(sample.vm, mourners, 2);
    if (argc > 1)
        ok(image_write(sample.vm, argv[1], error, sizeof error), "and written: %s", error);
    sample_free(&sample);
    image_host_stop(&host);
    return done_testing();
}
