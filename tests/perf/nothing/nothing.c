/* The smallest program: what spawn_wait starts. */
int main(void)
{
    return 7;
}
