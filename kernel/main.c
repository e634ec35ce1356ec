#include <stdio.h>

int main(void)
{
    printf("osvm %s\n", OSVM_VERSION);
    return fflush(stdout) ? 74 : 0;
}
