/* Sets the scene: see scene.h. */
#include "tests/sim/scene.h"

#include "abi/boot_package.h"
#include "kernel/cap/root_objects.h"

#define PROGRAM_PAGES 2

/* manifest, prog: each from the start of a page */
struct package {
    _Alignas(BOOT_PACKAGE_ALIGN) uint8_t head[BOOT_PACKAGE_ALIGN];
    uint8_t manifest[BOOT_PACKAGE_ALIGN];
    uint8_t program[PROGRAM_PAGES * BOOT_PACKAGE_ALIGN];
};

static size_t write_manifest(void *out, size_t size)
{
    struct wire_message_builder message;
    wire_message_begin(&message, out, size);
    struct wire_builder manifest = manifest_init(&message);
    manifest_set_program(manifest, (struct wire_span){"prog", 4});
    wire_list_set_text(manifest_init_binaries(manifest, 1), 0, (struct wire_span){"prog", 4});
    wire_list_set_text(manifest_init_launchable(manifest, 1), 0, (struct wire_span){"prog", 4});
    return wire_message_finish(&message);
}

static void boot(uint32_t cpus)
{
    static struct package p;
    struct boot_package_header *header = (struct boot_package_header *)(void *)p.head;
    *header = (struct boot_package_header){
        .magic = BOOT_PACKAGE_MAGIC,
        .version = BOOT_PACKAGE_VERSION,
        .count = 2,
        .size = sizeof(p),
    };
    size_t manifest_size = write_manifest(p.manifest, sizeof(p.manifest));
    CHECK_GT(manifest_size, 0);
    header->entries[0] = (struct boot_package_entry){
        BOOT_PACKAGE_MANIFEST, offsetof(struct package, manifest), manifest_size};
    size_t program_size = sim_program(p.program, sizeof(p.program));
    header->entries[1] =
        (struct boot_package_entry){"prog", offsetof(struct package, program), program_size};
    sim_boot(
        &(struct sim_options){.package = &p, .package_size = sizeof(p), .seed = 1, .cpus = cpus});
    sim_host_connect();
}

const struct scene_case *scene_find(const struct interface *interface, uint16_t method)
{
    for (uint32_t i = 0; i < scene_case_count; i++) {
        if (scene_cases[i].interface == interface && scene_cases[i].method == method) {
            return &scene_cases[i];
        }
    }
    return NULL;
}

struct ring_entry scene_entry(struct scene *s, const struct scene_case *c)
{
    static const uint8_t zero[MESSAGE_MAX];
    c->build(s);
    struct ring_entry e = user_call_entry(s->u, s->target, c->interface->id, c->method, &s->message,
                                          s->sent, s->sent_count);
    CHECK(user_write(s->u->process, e.result, zero, e.result_size));
    CHECK(user_write(s->u->process, e.transfers + s->sent_count * sizeof(struct cap_transfer), zero,
                     (size_t)(e.transfer_max - s->sent_count) * sizeof(struct cap_transfer)));
    return e;
}

void scene_call(struct scene *s, const struct scene_case *c, struct user_reply *reply)
{
    CHECK(c != NULL);
    user_scratch_reset(s->u);
    struct ring_entry e = scene_entry(s, c);
    struct ring_completion done = user_run(s->u, e);
    if (done.status != 0) {
        FAIL("%s.%s answers %s", c->interface->name, c->interface->methods[c->method].name,
             test_status_name(done.status));
    }
    user_take_reply(s->u, &e, &done, reply);
    user_scratch_reset(s->u);
}

static struct user_reply reply; /* too large for the stack */

static void call(struct scene *s, const struct interface *interface, uint16_t method)
{
    scene_call(s, scene_find(interface, method), &reply);
}

static cap_id_t received(uint32_t index)
{
    CHECK_LT(index, reply.completion.transfer_count);
    return reply.transfers[index].cap;
}

static void make_memory(struct scene *s)
{
    call(s, &virtual_memory_interface, VIRTUAL_MEMORY_METHOD_MAP);
    s->memory = virtual_memory_map_results_address(reply.root);
    uint8_t byte = 1; /* so that there is something to give back in the middle */
    CHECK(user_write(s->u->process, s->memory + PAGE_SIZE, &byte, 1));
    call(s, &virtual_memory_interface, VIRTUAL_MEMORY_METHOD_RESERVE);
    s->reserved = virtual_memory_reserve_results_address(reply.root);
    call(s, &virtual_memory_interface, VIRTUAL_MEMORY_METHOD_CREATE_OBJECT);
    s->unmapped_object = received(virtual_memory_create_object_results_object(reply.root));
    call(s, &virtual_memory_interface, VIRTUAL_MEMORY_METHOD_CREATE_OBJECT);
    s->memory_object = received(virtual_memory_create_object_results_object(reply.root));
    call(s, &memory_object_interface, MEMORY_OBJECT_METHOD_READ_ONLY);
    s->read_only = received(memory_object_read_only_results_object(reply.root));
    call(s, &memory_object_interface, MEMORY_OBJECT_METHOD_MAP);
    s->object_at = memory_object_map_results_address(reply.root);
    call(s, &read_only_memory_interface, READ_ONLY_MEMORY_METHOD_MAP);
    s->read_only_at = read_only_memory_map_results_address(reply.root);
    call(s, &image_interface, IMAGE_METHOD_MAP);
    s->image_at = image_map_results_address(reply.root);
    call(s, &code_memory_interface, CODE_MEMORY_METHOD_RESERVE);
    s->code = code_memory_reserve_results_address(reply.root);
}

static void make_pipe(struct scene *s)
{
    call(s, &process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_PIPE);
    s->reader = received(process_spawner_create_pipe_results_reader(reply.root));
    s->writer = received(process_spawner_create_pipe_results_writer(reply.root));
}

void scene_make(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    struct object *grants[] = {&console_object,
                               &std_io_object,
                               &timer_object,
                               &entropy_source_object,
                               &code_memory_object,
                               &boot_package_object,
                               &process_spawner_object,
                               &restricted_launcher_object,
                               sim_image()};
    _Static_assert(sizeof(grants) / sizeof(grants[0]) == SCENE_GRANTS_END - CAP_SLOT_FIRST_GRANT,
                   "slots");
    s->u = user_of(sim_process(grants, SCENE_GRANTS_END - CAP_SLOT_FIRST_GRANT));
    make_memory(s);
    make_pipe(s);
    call(s, &process_spawner_interface, PROCESS_SPAWNER_METHOD_SPAWN); /* takes the writer away */
    s->process = received(process_spawner_spawn_results_handle(reply.root));
    make_pipe(s);
    call(s, &process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_ENDPOINT);
    s->endpoint = received(process_spawner_create_endpoint_results_endpoint(reply.root));
    call(s, &endpoint_interface, ENDPOINT_METHOD_REVOCABLE);
    s->cutter = received(endpoint_revocable_results_cutter(reply.root));
    call(s, &thread_spawner_interface, THREAD_SPAWNER_METHOD_SPAWN);
    s->thread = received(thread_spawner_spawn_results_handle(reply.root));
}

void scene_check_complete(void)
{
    static const struct interface *const interfaces[] = {
        &console_interface,          &std_io_interface,          &timer_interface,
        &entropy_source_interface,   &virtual_memory_interface,  &memory_object_interface,
        &read_only_memory_interface, &image_interface,           &code_memory_interface,
        &boot_package_interface,     &process_spawner_interface, &restricted_launcher_interface,
        &process_handle_interface,   &pipe_reader_interface,     &pipe_writer_interface,
        &endpoint_interface,         &cutter_interface,          &thread_spawner_interface,
        &thread_handle_interface,    &thread_control_interface,  &park_space_interface,
    };
    uint32_t methods = 0;
    for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++) {
        for (uint16_t m = 0; m < interfaces[i]->method_count; m++, methods++) {
            if (scene_find(interfaces[i], m) == NULL) {
                FAIL("%s.%s has no case", interfaces[i]->name, interfaces[i]->methods[m].name);
            }
        }
    }
    CHECK_EQ(methods, scene_case_count);
}

void scene_boot_bare(void)
{
    boot(1);
}

void scene_boot_cpus(uint32_t cpus)
{
    static struct scene s;
    boot(cpus);
    scene_make(&s);
    call(&s, &timer_interface, TIMER_METHOD_PAGE);
    sim_end_all();
    counts_start();
}

void scene_boot(void)
{
    scene_boot_cpus(1);
}
