/* RestrictedLauncher: starts the programs it was granted for, hands them what it was told to, and
 * starts no other. It is granted for `ungranted` alone, which is not granted a Timer. */
#include "check.h"

static cap_t launcher;

/* `capos_start_block` and the call, as for any spawner that takes a name instead of an image. */
static status_t launch(const char *name, const struct capos_child *child, cap_t *handle)
{
    static _Alignas(8) uint8_t start[4096];
    size_t size = capos_start_block(child, start, sizeof start);
    CHECK(size != 0);
    struct capos_call *call = capos_call_begin();
    struct wire_builder params = restricted_launcher_launch_params_init(&call->message);
    restricted_launcher_launch_params_set_name(params, (struct wire_span){name, strlen(name)});
    restricted_launcher_launch_params_set_start(params, (struct wire_span){start, size});
    struct wire_list_builder grants =
        restricted_launcher_launch_params_init_grants(params, (uint32_t)child->grant_count);
    for (uint32_t i = 0; i < child->grant_count; i++) {
        struct wire_builder grant = wire_list_at(grants, i);
        const struct capos_child_grant *g = &child->grants[i];
        granted_cap_set_name(grant, (struct wire_span){g->name, strlen(g->name)});
        granted_cap_set_cap(grant, capos_send(call, g->cap, g->mode));
    }
    status_t status = capos_invoke(call, launcher, RESTRICTED_LAUNCHER_INTERFACE_ID,
                                   RESTRICTED_LAUNCHER_METHOD_LAUNCH);
    if (status == STATUS_OK) {
        *handle = capos_received(call, restricted_launcher_launch_results_handle(call->results));
    }
    return status;
}

int main(void)
{
    launcher = capos_need("launch", RESTRICTED_LAUNCHER_INTERFACE_ID);
    struct capos_restricted_launcher_list_results list;
    CHECK_OK(capos_restricted_launcher_list(launcher, &list));
    CHECK(list.names.count == 1 && check_same(wire_list_get_text(list.names, 0), "ungranted"));
    ok("list");
    const char *const arguments[] = {"ungranted", "timer", NULL};
    const struct capos_child_grant grants[] = {{"stdio", STD_IO_INTERFACE_ID,
                                                capos_need("stdio", STD_IO_INTERFACE_ID),
                                                CAP_TRANSFER_COPY}};
    const struct capos_child child = {.arguments = arguments, .grants = grants, .grant_count = 1};
    struct capos_process_handle_wait_results ended;
    cap_t handle;
    CHECK_OK(launch("ungranted", &child, &handle));
    CHECK_OK(capos_process_handle_wait(handle, &ended));
    CHECK(exit_status_kind(ended.status_) == EXIT_KIND_DENIED);
    ok("launch");
    CHECK_EXCEPTION(launch("restricted_launcher", &child, &handle), EXCEPTION_TYPE_FAILED);
    CHECK_EXCEPTION(launch("init", &child, &handle), EXCEPTION_TYPE_FAILED);
    CHECK_EXCEPTION(launch("", &child, &handle), EXCEPTION_TYPE_FAILED);
    ok("no other program");
    check_object(launcher, RESTRICTED_LAUNCHER_INTERFACE_ID, PROCESS_SPAWNER_INTERFACE_ID);
    return 0;
}
