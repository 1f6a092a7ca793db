/* Random messages of random schemas, against Cap'n Proto's own tool in both directions:
 *
 *   - what our builder writes, `capnp decode` reads as the text that was meant;
 *   - what `capnp encode` writes from that text, in one segment or in many small ones, our reader
 *     reads as the same text, and so it does from a deep copy;
 *   - what the functions that schemac generates write is the same message byte for byte, they read
 *     every value that was put in, and print it as the tool does (compiled with all warnings).
 *
 * WIRE_SCHEMAS=n and WIRE_MESSAGES=n make it longer. Needs capnp and a compiler. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/prop/wire/random_message.h"
#include "tests/prop/wire/random_schema.h"
#include "tests/prop/wire/tables.h"

#define MESSAGE_ROOM (1 << 20)
#define TEXT_ROOM (1 << 20)

static char folder[64];

static void remove_folder(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    CHECK_EQ(system(command), 0);
}

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "build/tests/round-trip-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    test_at_end(remove_folder);
}

static void keep_folder(void)
{
    char copy[200];
    snprintf(copy, sizeof(copy),
             "rm -rf build/tests/round-trip-failed; cp -r %s build/tests/round-trip-failed",
             folder);
    (void)!system(copy);
}

/* Runs a command line in which %s is the test's folder, as often as it is there. */
static int run_status(const char *pattern, char *command, size_t room)
{
    size_t length = 0;
    for (const char *c = pattern; *c != 0 && length + sizeof(folder) < room; c++) {
        if (c[0] == '%' && c[1] == 's') {
            length += (size_t)snprintf(command + length, room - length, "%s", folder);
            c++;
        } else {
            command[length++] = *c;
        }
    }
    command[length] = 0;
    return system(command);
}

static void run(const char *pattern)
{
    char command[2000];
    if (run_status(pattern, command, sizeof(command)) != 0) {
        keep_folder();
        FAIL("failed: %s; see build/tests/round-trip-failed", command);
    }
}

static FILE *open_file(const char *name, const char *mode)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        FAIL("cannot open %s", path);
    }
    return file;
}

/* Some schemas capnp refuses to compile because old versions of it laid them out wrongly: then
 * another one is tried. */
static const struct node *compile_schema(struct random *r, bool defaults)
{
    char command[400];
    unsigned attempts = 0;
    int status;
    do {
        FILE *file = open_file("test.capnp", "w");
        random_schema(r, file, defaults);
        fclose(file);
        status = run_status("capnp compile -o- %s/test.capnp >%s/request 2>%s/errors", command,
                            sizeof(command));
    } while (status != 0 && ++attempts < 4);
    if (status != 0) {
        run("cat %s/errors; capnp compile -o- %s/test.capnp >%s/request");
    }
    FILE *file = open_file("request", "rb");
    const struct schema *schema = model_load(file, "test.capnp");
    fclose(file);
    return node_by_name(schema, "Root");
}

/* Files of the same lines; names the first that differs. */
static void check_same_lines(const char *expected_name, const char *actual_name)
{
    static char expected[TEXT_ROOM], actual[TEXT_ROOM];
    FILE *a = open_file(expected_name, "r");
    FILE *b = open_file(actual_name, "r");
    for (unsigned line = 1;; line++) {
        char *first = fgets(expected, TEXT_ROOM, a);
        char *second = fgets(actual, TEXT_ROOM, b);
        if (first == NULL && second == NULL) {
            break;
        }
        if (first == NULL || second == NULL || strcmp(expected, actual) != 0) {
            keep_folder();
            FAIL("%s and %s differ in line %u; see build/tests/round-trip-failed", expected_name,
                 actual_name, line);
        }
    }
    fclose(a);
    fclose(b);
}

/* Random messages: their bytes in ours.bin, their texts in ours.txt. */
static void write_messages(struct random *r, const struct node *root, uint64_t count)
{
    FILE *text = open_file("ours.txt", "w");
    FILE *binary = open_file("ours.bin", "wb");
    uint64_t *words = malloc(MESSAGE_ROOM);
    for (uint64_t i = 0; i < count; i++) {
        struct wire_message_builder builder;
        struct random_message m = {.r = r, .text = text};
        wire_message_begin(&builder, words, MESSAGE_ROOM);
        random_message(&m, root, &builder);
        fputc('\n', text);
        size_t size = wire_message_finish(&builder);
        CHECK_NE(size, 0);
        CHECK_EQ(fwrite(words, 1, size, binary), size);
    }
    free(words);
    fclose(text);
    fclose(binary);
}

static void float_text(char text[WIRE_FLOAT_TEXT_SIZE], uint64_t bits, bool is_double)
{
    double wide;
    float narrow;
    uint32_t low = (uint32_t)bits;
    memcpy(&wide, &bits, sizeof(wide));
    memcpy(&narrow, &low, sizeof(narrow));
    snprintf(text, WIRE_FLOAT_TEXT_SIZE, "%g", is_double ? wide : (double)narrow);
}

static void print_message(FILE *out, const struct node *root, struct wire_message *message)
{
    static char text[TEXT_ROOM];
    struct wire_printer printer;
    wire_printer_init(&printer, text, sizeof(text));
    printer.float_text = float_text;
    wire_print_struct(&printer, table_of(root), wire_message_root(message));
    CHECK(!printer.truncated);
    CHECK_EQ(message->error, WIRE_OK);
    fprintf(out, "%s\n", text);
}

/* One in more segments than anybody takes, the tool itself included, is refused. */
static bool has_too_many_segments(const uint64_t *words, size_t size)
{
    struct wire_message message;
    if ((uint32_t)words[0] < WIRE_SEGMENTS_MAX) {
        return false;
    }
    CHECK_EQ(wire_message_open(&message, words, size), WIRE_ERROR_FRAME);
    return true;
}

/* Reads the messages of `name` one after the other: their texts, and those of their copies, go to
 * read.txt and copied.txt. False: one of them is in too many segments to be read. */
static bool read_messages(const struct node *root, const char *name, uint64_t count)
{
    FILE *binary = open_file(name, "rb");
    FILE *text = open_file("read.txt", "w");
    FILE *copied = open_file("copied.txt", "w");
    uint64_t *words = malloc(MESSAGE_ROOM * 64ull);
    uint64_t *copy = malloc(MESSAGE_ROOM);
    size_t size = fread(words, 1, MESSAGE_ROOM * 64ull, binary);
    CHECK(feof(binary));
    bool readable = true;
    const uint64_t *at = words;
    for (uint64_t i = 0; i < count; i++) {
        struct wire_message message, second;
        struct wire_message_builder builder;
        if (has_too_many_segments(at, size)) {
            readable = false;
            break;
        }
        CHECK_EQ(wire_message_open(&message, at, size), WIRE_OK);
        print_message(text, root, &message);
        wire_message_begin(&builder, copy, MESSAGE_ROOM);
        wire_message_set_root(&builder, wire_message_root(&message));
        CHECK_EQ(wire_message_open(&second, copy, wire_message_finish(&builder)), WIRE_OK);
        print_message(copied, root, &second);
        at += message.size / 8;
        size -= message.size;
    }
    CHECK(!readable || size == 0);
    free(words);
    free(copy);
    fclose(binary);
    fclose(text);
    fclose(copied);
    return readable;
}

static void both_directions(bool defaults, uint64_t seed)
{
    struct random r = {test_seed(seed)};
    uint64_t messages = test_number("WIRE_MESSAGES", 25);
    make_folder();
    for (uint64_t i = test_number("WIRE_SCHEMAS", 30); i > 0; i--) {
        const struct node *root = compile_schema(&r, defaults);
        write_messages(&r, root, messages);
        run("capnp decode --short %s/test.capnp Root <%s/ours.bin >%s/decoded.txt");
        check_same_lines("ours.txt", "decoded.txt");
        static const char *const ways[] = {
            "capnp encode %s/test.capnp Root <%s/ours.txt >%s/theirs.bin",
            "capnp encode --segment-size=1 %s/test.capnp Root <%s/ours.txt >%s/theirs.bin",
            "capnp encode --segment-size=7 %s/test.capnp Root <%s/ours.txt >%s/theirs.bin",
        };
        for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
            run(ways[way]);
            if (read_messages(root, "theirs.bin", messages)) {
                check_same_lines("ours.txt", "read.txt");
                check_same_lines("ours.txt", "copied.txt");
            }
        }
    }
}

TEST(capnp_in_both_directions)
{
    both_directions(false, 1);
}

TEST(capnp_in_both_directions_with_defaults)
{
    both_directions(true, 2);
}

/* A program that makes one message with generated functions, writes it, and reads it again. */
static void write_program(const char *build, const char *check)
{
    FILE *file = open_file("program.c", "w");
    fputs("#include <stdio.h>\n#include <string.h>\n#include \"lib/wire/float.h\"\n#include "
          "\"lib/wire/gen/messages.h\"\n"
          "#include \"lib/wire/gen/names.h\"\n\n"
          "static void float_text(char text[WIRE_FLOAT_TEXT_SIZE], uint64_t bits, bool wide)\n{\n"
          "    snprintf(text, WIRE_FLOAT_TEXT_SIZE, \"%g\", wide ? wire_double_from_bits(bits)\n"
          "        : (double)wire_float_from_bits((uint32_t)bits));\n}\n\n"
          "#define CHECK(c) do { if (!(c)) { printf(\"%s\\n\", #c); return 1; } } while (0)\n"
          "#define CHECK_SPAN(s, bytes, n) \\\n"
          "    CHECK((s).size == (n) && ((n) == 0 || memcmp((s).data, bytes, n) == 0))\n\n"
          "static uint64_t words[131072];\nstatic char text[1000000];\n"
          "int main(int argc, char **argv)\n{\n"
          "    struct wire_message_builder builder;\n    struct wire_message message;\n"
          "    wire_message_begin(&builder, words, sizeof(words));\n",
          file);
    fputs(build, file);
    fputs("    size_t size = wire_message_finish(&builder);\n"
          "    CHECK(size != 0 && wire_message_open(&message, words, size) == WIRE_OK);\n",
          file);
    fputs(check, file);
    fputs("    CHECK(message.error == WIRE_OK);\n"
          "    FILE *file = fopen(argv[argc - 1], \"wb\");\n"
          "    CHECK(file != NULL && fwrite(words, 1, size, file) == size && fclose(file) == 0);\n"
          "    struct wire_printer printer;\n"
          "    wire_printer_init(&printer, text, sizeof(text));\n"
          "    printer.float_text = float_text;\n"
          "    wire_print_struct(&printer, &wire_struct_root, wire_message_root(&message));\n"
          "    puts(text);\n"
          "    return 0;\n}\n",
          file);
    fclose(file);
}

TEST(generated_functions)
{
    struct random r = {test_seed(3)};
    make_folder();
    for (uint64_t i = test_number("WIRE_PROGRAMS", 6); i > 0; i--) {
        const struct node *root = compile_schema(&r, i % 2 == 0);
        char *build, *check, *text;
        size_t build_size, check_size, text_size;
        struct random_message m = {.r = &r,
                                   .text = open_memstream(&text, &text_size),
                                   .build_code = open_memstream(&build, &build_size),
                                   .check_code = open_memstream(&check, &check_size)};
        uint64_t *words = malloc(MESSAGE_ROOM);
        struct wire_message_builder builder;
        wire_message_begin(&builder, words, MESSAGE_ROOM);
        random_message(&m, root, &builder);
        fclose(m.text);
        fclose(m.build_code);
        fclose(m.check_code);
        size_t size = wire_message_finish(&builder);
        CHECK_NE(size, 0);
        FILE *expected = open_file("expected.bin", "wb");
        CHECK_EQ(fwrite(words, 1, size, expected), size);
        fclose(expected);
        write_program(build, check);
        run("rm -rf %s/tree");
        run("build/host/schemac --plain --root %s/tree <%s/request");
        run("${CC:-gcc} -std=gnu17 -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes "
            "-Werror -I%s/tree -I. %s/program.c lib/wire/read.c lib/wire/build.c "
            "lib/wire/copy.c lib/wire/describe.c %s/tree/lib/wire/gen/names.c -o %s/program");
        run("%s/program %s/actual.bin >%s/read.txt");
        run("cmp %s/expected.bin %s/actual.bin");
        FILE *ours = open_file("ours.txt", "w");
        fprintf(ours, "%s\n", text);
        fclose(ours);
        check_same_lines("ours.txt", "read.txt");
        free(words);
        free(text);
        free(build);
        free(check);
    }
}

/* All outputs for a schema with what ours does not have; the compiler is the judge, and a program
 * that looks at what the compiler cannot see. */
TEST(unusual_schema)
{
    make_folder();
    run("cat schema/capos.capnp tests/prop/wire/unusual.capnp.part >%s/test.capnp");
    run("capnp compile -o- %s/test.capnp | build/host/schemac --root %s/tree");
    run("cd %s/tree && for f in lib/wire/gen/names lib/capos/gen/client lib/capos/gen/server "
        "kernel/gen/dispatch; do ${CC:-gcc} -std=gnu17 -Wall -Wextra -Wshadow -Wconversion "
        "-Wmissing-prototypes -Werror -ffreestanding -I. -I../../../.. -c $f.c -o $f.o || exit 1; "
        "done");
    /* $move is a move, everything else a copy */
    run("grep -q 'unusual_give_params_set_keep(params, capos_send(call, keep, CAP_TRANSFER_COPY))' "
        "%s/tree/lib/capos/gen/client.c");
    run("grep -q 'capos_send(call, default_, CAP_TRANSFER_MOVE)' %s/tree/lib/capos/gen/client.c");
    /* two capabilities in the results of give, none in those of take */
    run("test \"$(grep -A 6 'METHOD_GIVE.*{' %s/tree/kernel/gen/dispatch.c | "
        "grep -c 'result_capabilities = 2')\" = 1");
    run("grep -q '^unusual\tA|B\tdefault\ttry \"things\"\tUnusual' "
        "%s/tree/tools/capos/gen/grants.txt");
    run("grep -q 'at most 3' %s/tree/docs/objects/unusual.md");
    run("grep -q 'sent by move' %s/tree/docs/objects/unusual.md");
    run("grep -q 'define OUTCOME_LIMIT 255u' %s/tree/abi/gen/interfaces.h");
}

/* schemac says what it does not understand, and is not harmed by what is no request at all. */
TEST(schemac_refuses)
{
    static const char *const schemas[] = {
        "struct G(T) { t @0 :T; }",
        "interface A {} interface B extends(A) {}",
        "struct S { s @0 :S = (t = 1); t @1 :UInt8; }",
        "struct S { l @0 :List(UInt8) = [1]; }",
        "const c :Data = \"x\";",
    };
    make_folder();
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        FILE *file = open_file("test.capnp", "w");
        fprintf(file, "@0xca905ca905000099;\n%s\n", schemas[i]);
        fclose(file);
        run("capnp compile -o- %s/test.capnp >%s/request");
        run("! build/host/schemac --plain --root %s/tree <%s/request 2>%s/said");
        run("grep -q '^schemac: ' %s/said");
    }
    run("capnp compile -o- schema/capos.capnp >%s/request");
    run("for n in 0 1 7 8 100 1000 10000; do head -c $n %s/request | "
        "build/host/schemac --root %s/tree 2>%s/said; "
        "test $? = 1 && grep -q '^schemac: ' %s/said || exit 1; done");
}
