/* main.c - the farthing command: a table of commands and the way into them. */
#include "cli/cli.h"
int main(void)
{
    return 2;
}
