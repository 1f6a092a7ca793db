/* What a spawner is given by those who mean harm, or err: each gets its documented answer, and
 * nothing starts. */
#include "spawn.h"

/* --- images --- */

struct elf {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments_at, sections_at;
    uint32_t flags;
    uint16_t header_size, segment_size, segment_count, section_size, section_count, names;
};

struct segment {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, alignment;
};

struct image {
    struct elf elf;
    struct segment segments[2];
};

static const struct image good = {
    .elf = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
            .type = 2,
            .machine = 62,
            .version = 1,
            .entry = 0x400800,
            .segments_at = sizeof(struct elf),
            .header_size = sizeof(struct elf),
            .segment_size = sizeof(struct segment),
            .segment_count = 2},
    .segments = {{1, 5, 0, 0x400000, 0, 4096, 4096, 4096},
                 {1, 6, 4096, 0x401000, 0, 4096, 8192, 4096}},
};

/* An Image with these first bytes: what any program can make without CodeMemory. */
static bool seal(const void *bytes, size_t size, cap_t *image)
{
    struct capos_virtual_memory_create_object_results made;
    struct capos_memory_object_map_results map;
    struct capos_memory_object_seal_results sealed;
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, 8192, &made));
    CHECK_OK(capos_memory_object_map(made.object, 0, 0, 8192, PROTECTION_READ_WRITE, SHARING_SHARED,
                                     &map));
    memcpy((void *)map.address, bytes, size);
    CHECK_OK(capos_memory_object_unmap(made.object, map.address, 8192));
    CHECK_OK(capos_memory_object_seal(made.object, &sealed));
    capos_release(made.object);
    *image = sealed.image;
    return true;
}

static status_t try_image(cap_t image)
{
    const struct capos_child child = {.name = "hostile", .image = image};
    cap_t handle = CAP_ID_NONE;
    status_t status = capos_spawn(spawn_spawner, &child, &handle);
    if (status == STATUS_OK) { /* it started: end it */
        status_t ignored = capos_process_handle_terminate(handle);
        (void)ignored;
        capos_release(handle);
    }
    return status;
}

static bool refused(const struct image *bad)
{
    cap_t image;
    CHECK(seal(bad, sizeof *bad, &image));
    CHECK_STATUS(try_image(image), STATUS_EXCEPTION);
    capos_release(image);
    return true;
}

#define REFUSED(field, value)    \
    do {                         \
        struct image bad = good; \
        bad.field = (value);     \
        CHECK(refused(&bad));    \
    } while (0)

bool spawn_hostile_images(void)
{
    cap_t image;
    CHECK(seal(&good, sizeof good, &image));
    CHECK_OK(try_image(image));
    capos_release(image);
    REFUSED(elf.ident[0], 0);
    REFUSED(elf.ident[4], 1);                 /* 32 bits */
    REFUSED(elf.machine, 183);                /* another processor's */
    REFUSED(elf.type, 1);                     /* an object file */
    REFUSED(elf.entry, 0);                    /* nowhere */
    REFUSED(elf.entry, 0x401800);             /* in data */
    REFUSED(elf.segments_at, 8190);           /* cut off */
    REFUSED(elf.segments_at, UINT64_MAX - 8); /* wraps */
    REFUSED(elf.segment_size, 8);
    REFUSED(elf.segment_count, 0);
    REFUSED(elf.segment_count, 60000);
    REFUSED(segments[0].flags, 7);                               /* writable and executable */
    REFUSED(segments[1].address, 0x400000);                      /* overlapping */
    REFUSED(segments[1].address, 0x401008);                      /* misaligned */
    REFUSED(segments[1].address, 0x1000);                        /* below what may be mapped */
    REFUSED(segments[1].address, 0xffffffff80000000);            /* the kernel's */
    REFUSED(segments[1].address, USER_END - 4096);               /* out of user memory */
    REFUSED(segments[1].memory_size, UINT64_MAX);                /* huge */
    REFUSED(segments[1].memory_size, UINT64_MAX - 0x401000 + 1); /* wraps */
    REFUSED(segments[1].file_size, 12000);                       /* beyond the file */
    REFUSED(segments[1].offset, UINT64_MAX - 4095);
    REFUSED(segments[0].type, 3); /* wants an interpreter */
    return true;
}

/* --- requests --- */

struct request {
    cap_t image;
    size_t start_size;
    uint32_t grant_count, grant_index; /* each names that index */
    struct cap_transfer extra;         /* sent beside the image, as index 1 */
};

static status_t try_request(const struct request *r)
{
    static uint8_t start[MESSAGE_MAX];
    struct capos_call *call = capos_call_begin();
    struct wire_builder params = process_spawner_spawn_params_init(&call->message);
    process_spawner_spawn_params_set_name(params, (struct wire_span){"hostile", 7});
    process_spawner_spawn_params_set_image(params, capos_send(call, r->image, CAP_TRANSFER_COPY));
    process_spawner_spawn_params_set_start(params, (struct wire_span){start, r->start_size});
    if (r->extra.cap != CAP_ID_NONE) {
        (void)capos_send(call, r->extra.cap, (enum cap_transfer_mode)r->extra.mode);
    }
    struct wire_list_builder grants =
        process_spawner_spawn_params_init_grants(params, r->grant_count);
    for (uint32_t i = 0; i < r->grant_count; i++) {
        granted_cap_set_cap(wire_list_at(grants, i), r->grant_index);
    }
    return capos_invoke(call, spawn_spawner, PROCESS_SPAWNER_INTERFACE_ID,
                        PROCESS_SPAWNER_METHOD_SPAWN);
}

bool spawn_hostile_requests(void)
{
    CHECK_STATUS(try_request(&(struct request){.image = CAP_ID_NONE}), STATUS_EXCEPTION);
    CHECK_STATUS(try_request(&(struct request){.image = spawn_timer}),
                 STATUS_EXCEPTION); /* no Image */
    CHECK_STATUS(try_request(&(struct request){.image = CAP_ID(999, 1)}), STATUS_BAD_CAPABILITY);
    CHECK_STATUS(
        try_request(&(struct request){.image = spawn_image, .grant_count = 1, .grant_index = 5}),
        STATUS_EXCEPTION); /* a capability that was not sent */
    CHECK_STATUS(
        try_request(&(struct request){.image = spawn_image, .grant_count = RING_TRANSFERS_MAX + 1}),
        STATUS_EXCEPTION); /* more grants than there can be */
    CHECK_STATUS(try_request(&(struct request){.image = spawn_image, .extra = {spawn_timer, 9}}),
                 STATUS_BAD_ENTRY);
    CHECK_STATUS(try_request(&(struct request){.image = spawn_image,
                                               .extra = {CAP_ID(77, 3), CAP_TRANSFER_COPY}}),
                 STATUS_BAD_CAPABILITY);
    struct ring_entry entry = {.opcode = RING_OP_CALL,
                               .cap = spawn_spawner,
                               .interface_id = PROCESS_SPAWNER_INTERFACE_ID,
                               .method = PROCESS_SPAWNER_METHOD_SPAWN,
                               .message = 0x1000,
                               .message_size = 64,
                               .transfer_max = 1};
    struct capos_wait wait;
    capos_submit_entry(&entry, &wait);
    CHECK_STATUS(capos_await_entry(&wait), STATUS_BAD_ADDRESS);
    static _Alignas(8)
        uint64_t loop[4] = {3ull << 32, 0xfffffffcull, 0, 0}; /* a message whose root is itself */
    entry.message = (uintptr_t)loop;
    entry.message_size = sizeof loop;
    capos_submit_entry(&entry, &wait);
    CHECK(capos_await_entry(&wait) != STATUS_OK);
    return true;
}
