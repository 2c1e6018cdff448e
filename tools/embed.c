/* embed.c - placeholder until the house is built */
int main(void)
{
    return 0;
}
