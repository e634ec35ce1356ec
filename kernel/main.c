/* The executable: it knows no heap. The command line decides what is loaded and run. */
#include "kernel/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
