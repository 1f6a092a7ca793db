/* The boot package: hostile contents are refused before anything is used; BootPackage through the
 * ring. */
#include "abi/boot_package.h"

#include "kernel/core/boot_package.h"
#include "lib/wire/gen/boot_package.h"
#include "tests/unit/cap/memory_user.h"

#define BOOT CAP_ID(CAP_SLOT_FIRST_GRANT, 1)
#define PACKAGE_FRAME 1 /* below the frames that the kernel gets */
#define PACKAGE_SIZE (8 * PAGE_SIZE)
#define PACKAGE_BYTES ((uint8_t *)arch_frame_address(PACKAGE_FRAME))
#define MANIFEST_SIZE (PAGE_SIZE + 100)

static struct boot_package_header *header;
static const char *reason;

static void add(const char *name, uint64_t offset, uint64_t size)
{
    struct boot_package_entry *e = &header->entries[header->count++];
    memset(e, 0, sizeof(*e));
    memcpy(e->name, name, strlen(name));
    e->offset = offset;
    e->size = size;
}

/* A manifest of more than a page, and two binaries. */
static void make_package(void)
{
    memset(PACKAGE_BYTES, 0, PACKAGE_SIZE);
    header = (struct boot_package_header *)(void *)PACKAGE_BYTES;
    header->magic = BOOT_PACKAGE_MAGIC;
    header->version = BOOT_PACKAGE_VERSION;
    header->size = PACKAGE_SIZE;
    add("manifest", PAGE_SIZE, MANIFEST_SIZE);
    add("init", 3 * PAGE_SIZE, 10);
    add("hello", 4 * PAGE_SIZE, 3 * PAGE_SIZE);
    for (uint64_t i = 0; i < MANIFEST_SIZE; i++) {
        PACKAGE_BYTES[PAGE_SIZE + i] = (uint8_t)(i * 3);
    }
    PACKAGE_BYTES[4 * PAGE_SIZE] = 0x7f;
}

static status_t open_package(uint64_t size)
{
    return boot_package_open(PACKAGE_FRAME, size, &reason);
}

static void begin(void)
{
    struct object *grants[] = {&boot_package_object};
    sim_boot(NULL);
    make_package();
    CHECK_OK(open_package(PACKAGE_SIZE));
    process = sim_process(grants, 1);
    user = user_of(process);
}

TEST(hostile_packages_are_refused_with_a_sentence)
{
#define REFUSED(change_)                                          \
    make_package();                                               \
    change_;                                                      \
    reason = NULL;                                                \
    CHECK_STATUS(open_package(PACKAGE_SIZE), STATUS_BAD_MESSAGE); \
    CHECK(reason != NULL && strlen(reason) > 10);
    sim_boot(NULL);
    make_package();
    CHECK_OK(open_package(PACKAGE_SIZE));
    REFUSED(header->magic++);
    REFUSED(header->version++);
    REFUSED(header->count = BOOT_PACKAGE_MAX_ENTRIES + 1);
    REFUSED(header->count = UINT32_MAX);
    REFUSED(header->count = 1000); /* more than its size has room for */
    REFUSED(header->size = PACKAGE_SIZE + 1);
    REFUSED(header->size = UINT64_MAX);
    REFUSED(header->size = 100);
    REFUSED(header->entries[1].offset++);
    REFUSED(header->entries[1].offset = UINT64_MAX & ~0xfffull);
    REFUSED(header->entries[1].offset = 0);             /* over the header */
    REFUSED(header->entries[1].offset = 2 * PAGE_SIZE); /* over the manifest's last page */
    REFUSED(header->entries[1].size = UINT64_MAX);
    REFUSED(header->entries[1].size = PAGE_SIZE + 1);
    REFUSED(header->entries[2].size = 5 * PAGE_SIZE);
    REFUSED(header->entries[2].offset = PACKAGE_SIZE);
    REFUSED(header->entries[0].name[0] = 0);
    REFUSED(memset(header->entries[0].name, 'x', BOOT_PACKAGE_NAME_SIZE));
    REFUSED(memcpy(header->entries[2].name, "init", 5));
    make_package();
    for (uint64_t size = 0; size < PACKAGE_SIZE; size += 37) {
        CHECK_STATUS(open_package(size), STATUS_BAD_MESSAGE);
    }
}

static status_t read_manifest(uint64_t offset, uint32_t max_bytes)
{
    struct wire_builder b = user_message(&message, BOOT_PACKAGE_READ_MANIFEST_PARAMS_DATA_WORDS, 0);
    boot_package_read_manifest_params_set_offset(b, offset);
    boot_package_read_manifest_params_set_max_bytes(b, max_bytes);
    return user_call(user, BOOT, BOOT_PACKAGE_INTERFACE_ID, BOOT_PACKAGE_METHOD_READ_MANIFEST,
                     &message, NULL, 0, &reply);
}

TEST(the_manifest_is_read_in_pieces)
{
    begin();
    CHECK_OK(user_call(user, BOOT, BOOT_PACKAGE_INTERFACE_ID, BOOT_PACKAGE_METHOD_MANIFEST_SIZE,
                       NULL, NULL, 0, &reply));
    CHECK_EQ(boot_package_manifest_size_results_size(reply.root), MANIFEST_SIZE);
    uint64_t got = 0;
    while (got < MANIFEST_SIZE) {
        CHECK_OK(read_manifest(got, 1000));
        struct wire_span data = boot_package_read_manifest_results_data(reply.root);
        CHECK(data.size > 0 && data.size <= 1000);
        CHECK_BYTES(data.data, PACKAGE_BYTES + PAGE_SIZE + got, data.size);
        got += data.size;
    }
    CHECK_EQ(got, MANIFEST_SIZE);
    CHECK_OK(read_manifest(0, UINT32_MAX));
    CHECK_EQ(boot_package_read_manifest_results_data(reply.root).size, MANIFEST_SIZE);
    CHECK_OK(read_manifest(MANIFEST_SIZE, 1));
    CHECK_EQ(boot_package_read_manifest_results_data(reply.root).size, 0);
    CHECK_OK(read_manifest(5, 0));
    CHECK_INVALID(read_manifest(MANIFEST_SIZE + 1, 1), "beyond");
    CHECK_INVALID(read_manifest(UINT64_MAX, 1), "beyond");
}

static status_t binary(const char *name, size_t size, cap_id_t *image)
{
    struct wire_builder b = user_message(&message, BOOT_PACKAGE_BINARY_PARAMS_DATA_WORDS,
                                         BOOT_PACKAGE_BINARY_PARAMS_POINTER_WORDS);
    boot_package_binary_params_set_name(b, (struct wire_span){name, size});
    status_t status = user_call(user, BOOT, BOOT_PACKAGE_INTERFACE_ID, BOOT_PACKAGE_METHOD_BINARY,
                                &message, NULL, 0, &reply);
    *image = status == STATUS_OK
                 ? reply.transfers[boot_package_binary_results_image(reply.root)].cap
                 : 0;
    return status;
}

TEST(binaries_are_images_that_lie_in_the_package)
{
    begin();
    cap_id_t image;
    uint64_t size, address;
    bool sealed;
    CHECK_OK(binary("hello", 5, &image));
    CHECK_OK(face_info(image, IMAGE_INTERFACE_ID, &size, &sealed));
    CHECK(sealed && size == 3 * PAGE_SIZE);
    CHECK_OK(face_map(image, IMAGE_INTERFACE_ID, 0, PAGE_SIZE, PROTECTION_READ_EXECUTE,
                      SHARING_SHARED, &address));
    CHECK_EQ(memory_get(address), 0x7f);
    memory_release(image);
    CHECK_STATUS(binary("manifest", 8, &image), STATUS_NOT_FOUND);
    CHECK_STATUS(binary("hell", 4, &image), STATUS_NOT_FOUND);
    CHECK_STATUS(binary("hello world", 11, &image), STATUS_NOT_FOUND);
    CHECK_STATUS(binary("hello\0x", 7, &image), STATUS_NOT_FOUND);
    CHECK_STATUS(binary("", 0, &image), STATUS_NOT_FOUND);
    CHECK_STATUS(boot_package_open(FRAME_NONE, 0, &reason), STATUS_BAD_MESSAGE); /* forgets it */
}
