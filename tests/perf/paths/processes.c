/* Threads, children, and calls to a server in another process. */
#include "bench.h"

#include <string.h>

#define PAYLOAD 64u

/* --- an endpoint's round trip: 64 bytes to another address space, through the generated code of
 * both sides --- */

static struct {
    cap_t facet, child;
} server;

static status_t take(void *self, struct capos_request *request)
{
    (void)self;
    struct wire_span data = console_write_params_data(request->params);
    return data.size == PAYLOAD ? STATUS_OK : STATUS_BAD_MESSAGE;
}

static const struct capos_console_server methods = {.write = take};

static status_t serve(void *context, struct capos_request *request)
{
    return capos_console_serve(&methods, context, request);
}

static void released(void *context, uint64_t tag)
{
    (void)tag;
    ((struct capos_server *)context)->stop = true;
}

int bench_serve(void)
{
    struct capos_server s = {.endpoint = capos_need("endpoint", ENDPOINT_INTERFACE_ID),
                             .serve = serve,
                             .released = released};
    s.context = &s;
    return capos_serve(&s) == STATUS_OK ? 0 : 1;
}

static bool start_server(void)
{
    static const char *const arguments[] = {"bench", "serve", NULL};
    struct capos_process_spawner_create_endpoint_results made;
    struct capos_endpoint_mint_results minted;
    if (capos_process_spawner_create_endpoint(bench_spawner, &made) != STATUS_OK ||
        capos_endpoint_mint(made.endpoint, CONSOLE_INTERFACE_ID, 1, &minted) != STATUS_OK) {
        return false;
    }
    server.facet = minted.facet;
    const struct capos_child_grant grants[] = {
        {"endpoint", ENDPOINT_INTERFACE_ID, made.endpoint, CAP_TRANSFER_MOVE}};
    const struct capos_child child = {.name = "server",
                                      .image = bench_self_image,
                                      .arguments = arguments,
                                      .grants = grants,
                                      .grant_count = 1};
    return capos_spawn(bench_spawner, &child, &server.child) == STATUS_OK;
}

bool bench_endpoint(uint32_t count)
{
    static const char payload[PAYLOAD] = "sixty-four bytes";
    if (server.facet == CAP_ID_NONE && !start_server()) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (capos_console_write(server.facet, payload, sizeof payload) != STATUS_OK) {
            return false;
        }
    }
    return true;
}

static bool ended_with(cap_t handle, int32_t code)
{
    struct capos_process_handle_wait_results results;
    bool ok = capos_process_handle_wait(handle, &results) == STATUS_OK &&
              exit_status_kind(results.status_) == EXIT_KIND_EXITED &&
              exit_status_code(results.status_) == code;
    capos_release(handle);
    return ok;
}

void bench_endpoint_end(void)
{
    capos_release(server.facet);
    if (!ended_with(server.child, 0)) {
        bench_fail("endpoint_rtt: the server");
    }
}

/* --- threads --- */

static uint64_t run(void *argument)
{
    return (uintptr_t)argument;
}

bool bench_thread(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct capos_thread *thread;
        uint64_t result;
        if (capos_thread_spawn(run, (void *)(uintptr_t)i, NULL, &thread) != STATUS_OK ||
            capos_thread_join(thread, &result) != STATUS_OK || result != i) {
            return false;
        }
    }
    return true;
}

/* --- children --- */

bool bench_spawn(uint32_t count)
{
    static const char *const arguments[] = {"nothing", NULL};
    const struct capos_child child = {.image = bench_nothing_image, .arguments = arguments};
    for (uint32_t i = 0; i < count; i++) {
        cap_t handle;
        if (capos_spawn(bench_spawner, &child, &handle) != STATUS_OK || !ended_with(handle, 7)) {
            return false;
        }
    }
    return true;
}

bool bench_fork(uint32_t count)
{
    extern _Noreturn void capos_exit_process(uint64_t code);
    for (uint32_t i = 0; i < count; i++) {
        bool is_child;
        cap_t handle;
        if (capos_fork(bench_spawner, &is_child, &handle) != STATUS_OK) {
            return false;
        }
        if (is_child) {
            capos_exit_process(9);
        }
        if (!ended_with(handle, 9)) {
            return false;
        }
    }
    return true;
}
