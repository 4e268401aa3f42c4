/* embed.c -- turns Lua files into one C file, while building: embed FOLDER NAME... >lua_sources.c
 *
 * Prints the table that lua_sources.h declares, with FOLDER/NAME as the text of each NAME. Bytes are written as
 * numbers: no quoting to get wrong, no limit on the length of a literal, and nothing but a C compiler is needed.
 * It runs on the building machine and is no part of moth. */
#include <stdio.h>
#include <stdlib.h>

#define BYTES_A_LINE 24

static void fail(const char *path)
{
    perror(path);
    exit(EXIT_FAILURE);
}

static void print_bytes(FILE *in)
{
    int byte;
    for (unsigned n = 0; (byte = getc(in)) != EOF; n++) printf("%d,%s", byte, n % BYTES_A_LINE == 0 ? "\n" : "");
}

static void print_text(const char *folder, const char *name, int index)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *in = fopen(path, "rb");
    if (!in) fail(path);
    printf("static const unsigned char text_%d[] = {", index);
    print_bytes(in);
    printf("0};\n\n");
    if (ferror(in)) fail(path);
    fclose(in);
}

/* A line without a name closes the table: an array in C is never empty. */
static void print_table(char **names, int count)
{
    printf("const struct lua_source lua_sources[] = {\n");
    for (int i = 0; i < count; i++)
        printf("    {\"%s\", (const char *)text_%d, sizeof text_%d - 1},\n", names[i], i, i);
    printf("    {NULL, NULL, 0},\n};\n\nconst size_t lua_source_count = %d;\n", count);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: embed FOLDER NAME...\n", stderr);
        return EXIT_FAILURE;
    }
    printf("#include \"script/lua_sources.h\"\n\n");
    for (int i = 2; i < argc; i++) print_text(argv[1], argv[i], i - 2);
    print_table(argv + 2, argc - 2);
    if (fflush(stdout) != 0) fail("standard output");
    return EXIT_SUCCESS;
}
