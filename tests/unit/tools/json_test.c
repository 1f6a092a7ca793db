/* The JSON reader and the manifests made of it. fail() comes back to the test through a jump. */
#include "tools/image/json.c"
#include "tools/image/manifest.c"
#include "tools/image/elf_file.c"
#include "tools/image/package.c"
#include "tests/unit/tools/failing_base.h"

#include "tests/lib/test.h"

/* The tree of a text. */
static struct json *parse(const char *text)
{
    return json_read(test_file("text.json", text, strlen(text)));
}

TEST(values_of_every_kind)
{
    struct json *top = parse(
        " { \"a\" : [ 1, -2.5e+3 , true,false , null ], \"b\":\"x\\u00e9\\ud83d\\ude00\\n\" }\n");
    CHECK_EQ(top->kind, JSON_OBJECT);
    struct json *a = json_member(top, "a");
    CHECK_EQ(a->kind, JSON_ARRAY);
    CHECK(strcmp(a->first->text, "1") == 0);
    CHECK(strcmp(a->first->next->text, "-2.5e+3") == 0);
    CHECK(a->first->next->next->truth);
    CHECK_EQ(a->first->next->next->next->next->kind, JSON_NULL);
    CHECK(strcmp(json_member(top, "b")->text, "x\xc3\xa9\xf0\x9f\x98\x80\n") == 0);
    CHECK(json_member(top, "c") == NULL);
    CHECK_EQ(json_member(top, "b")->column, 50);
}

TEST(what_is_not_json_is_refused_with_its_place)
{
    static const struct {
        const char *text, *place;
    } rows[] = {
        {"", ":1:1: a value must be here"},
        {"{", ":1:2: a string must begin"},
        {"{\"a\" 1}", ":1:6: a colon"},
        {"{\"a\":1,}", ":1:8: a string must begin"},
        {"{\"a\":1,\n \"a\":2}", ":2:2: \"a\" is there twice"},
        {"[1 2]", ":1:4: a comma or ]"},
        {"[01]", ":1:3: a comma or ]"},
        {"[1.]", ":1:4: a digit"},
        {"[1e]", ":1:4: a digit"},
        {"[\"\\x\"]", ":1:4: an unknown escape"},
        {"[\"\\u12g4\"]", ":1:7: four hexadecimal"},
        {"[\"\\ud800\"]", ": half of a surrogate pair"},
        {"[\"\\u0000\"]", ": a NUL in a string"},
        {"[\"a\nb\"]", ":1:4: a control character"},
        {"[\"abc", ":1:6: the string does not end"},
        {"[\"abc\\", ": an unknown escape"},
        {"nul", ":1:1: a value must be here"},
        {"1 1", ":1:3: there is more after the value"},
    };
    for (volatile size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (setjmp(test_failed) == 0) {
            parse(rows[i].text);
            FAIL("accepted: %s", rows[i].text);
        }
        if (strstr(test_failure, rows[i].place) == NULL) {
            FAIL("%s: %s", rows[i].text, test_failure);
        }
    }
}

TEST(depth_is_bounded)
{
    char deep[JSON_DEPTH_MAX * 4];
    memset(deep, '[', sizeof(deep));
    deep[sizeof(deep) - 1] = 0;
    if (setjmp(test_failed) == 0) {
        parse(deep);
        FAIL("accepted");
    }
    CHECK(strstr(test_failure, "nested too deeply") != NULL);
}

/* Random changes of a good text: it is read or refused, never overrun (AddressSanitizer). */
TEST(damaged_texts_never_harm)
{
    static const char good[] =
        "{\"binaries\": {\"a\": \"x\\u0041\"}, \"n\": [1.5e3, null, {\"k\": \"\\\\\"}]}";
    static const char alphabet[] = "{}[]\",:\\u0d8e-+.0123 tfn\n\x80";
    struct random random = {test_seed(1)};
    for (int i = 0; i < 5000; i++) {
        char text[sizeof(good)];
        memcpy(text, good, sizeof(good));
        for (uint64_t n = random_below(&random, 4) + 1; n > 0; n--) {
            text[random_below(&random, sizeof(good) - 1)] =
                alphabet[random_below(&random, sizeof(alphabet) - 1)];
        }
        text[random_below(&random, 8) == 0 ? random_below(&random, sizeof(good))
                                           : sizeof(good) - 1] = 0;
        if (setjmp(test_failed) == 0) {
            parse(text);
        }
    }
}

static const char good_manifest[] = "{\"binaries\": {\"p\": \"some/p.elf\"}, \"initConfig\": "
                                    "{\"other\": 1, \"init\": {\"program\": \"p\","
                                    "\"arguments\": [\"p\", \"x y\"], \"environment\": [\"A=b\"], "
                                    "\"currentDirectory\": \"/\", \"new\": {},"
                                    "\"launchable\": [\"p\"], \"grants\": [\"stdio\", {\"name\": "
                                    "\"t\", \"interface\": \"Timer\"}]}}}";

TEST(a_manifest_goes_through_json_and_its_message)
{
    const char *path = test_file("m.json", good_manifest, strlen(good_manifest));
    struct manifest m = manifest_from_json(path, "root");
    CHECK(strcmp(m.binaries[0].path, "root/some/p.elf") == 0);
    CHECK_EQ(m.arguments.count, 2);
    CHECK(strcmp(m.grants[1].interface, "Timer") == 0);
    const char *again = manifest_to_json(&m);
    struct manifest n = manifest_from_json(test_file("n.json", again, strlen(again)), "/");
    CHECK_EQ(n.grant_count, 2);
    CHECK(strcmp(manifest_to_json(&n), again) != 0); /* the path has become absolute */
    struct bytes bytes = manifest_to_message(&m);
    struct wire_message message;
    CHECK_EQ(wire_message_open(&message, bytes.data, bytes.size), WIRE_OK);
    struct wire_reader root = wire_message_root(&message);
    CHECK_BYTES(manifest_program(root).data, "p", 2);
    CHECK_EQ(manifest_arguments(root).count, 2);
    CHECK_BYTES(wire_list_get_text(manifest_arguments(root), 1).data, "x y", 4);
    CHECK_EQ(manifest_grants(root).count, 2);
    CHECK_BYTES(manifest_grant_name(wire_list_get_struct(manifest_grants(root), 1)).data, "t", 2);
    CHECK_EQ(manifest_binaries(root).count, 1);
}

TEST(an_unknown_field_counts_only_at_the_top)
{
    static const char bad[] = "{\"binaries\": {}, \"initconfig\": {}}";
    if (setjmp(test_failed) == 0) {
        manifest_from_json(test_file("m.json", bad, strlen(bad)), ".");
        FAIL("accepted");
    }
    CHECK(strstr(test_failure, ":1:32: unknown field \"initconfig\"") != NULL);
}

TEST(a_manifest_of_wrong_types_is_refused)
{
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"binaries\": []}",
        "{\"binaries\": {\"p\": 1}}",
        "{\"initConfig\": 1}",
        "{\"initConfig\": {\"init\": []}}",
        "{\"initConfig\": {\"init\": {\"program\": \"p\"}}}",
        "{\"binaries\": {\"p\": \"p\"}, \"initConfig\": {\"init\": {\"program\": \"p\", "
        "\"arguments\": \"x\"}}}",
        "{\"binaries\": {\"p\": \"p\"}, \"initConfig\": {\"init\": {\"program\": \"p\", "
        "\"arguments\": [1]}}}",
        "{\"binaries\": {\"p\": \"p\"}, \"initConfig\": {\"init\": {\"program\": \"p\", "
        "\"grants\": [1]}}}",
        "{\"binaries\": {\"p\": \"p\"}, \"initConfig\": {\"init\": {\"program\": \"p\", "
        "\"grants\": [{}]}}}",
        "{\"binaries\": {\"p\": \"p\"}, \"initConfig\": {\"init\": {\"program\": \"p\","
        " \"grants\": [{\"name\": \"x\", \"spek\": \"\"}]}}}",
    };
    for (volatile size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (setjmp(test_failed) == 0) {
            manifest_from_json(test_file("m.json", texts[i], strlen(texts[i])), ".");
            FAIL("accepted: %s", texts[i]);
        }
    }
}

TEST(a_package_has_whole_pages_in_order)
{
    struct package_entry entries[] = {{"manifest", {(uint8_t *)"abc", 3}},
                                      {"init", {(uint8_t *)"", 0}},
                                      {"p", {(uint8_t *)allocate(5000), 5000}}};
    struct bytes package = package_build(entries, 3);
    const struct boot_package_header *h = (const struct boot_package_header *)(void *)package.data;
    CHECK_EQ(h->magic, BOOT_PACKAGE_MAGIC);
    CHECK_EQ(h->count, 3);
    CHECK_EQ(h->size, package.size);
    CHECK_EQ(package.size, 4096 + 4096 + 0 + 8192);
    CHECK_EQ(h->entries[2].offset, 8192);
    CHECK_EQ(h->entries[2].size, 5000);
    CHECK_BYTES(package.data + h->entries[0].offset, "abc", 4);
}

TEST(names_in_a_package_are_checked)
{
    static const char *const names[] = {"", "init",
                                        "0123456789012345678901234567890123456789012345678"};
    for (volatile size_t i = 0; i < 3; i++) {
        struct package_entry entries[] = {{"init", {NULL, 0}}, {names[i], {NULL, 0}}};
        if (setjmp(test_failed) == 0) {
            package_build(entries, 2);
            FAIL("accepted: %s", names[i]);
        }
    }
}
