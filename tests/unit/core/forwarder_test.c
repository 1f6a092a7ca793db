/* Forwarders and cutters: what goes through, what cutting ends, how deep they nest, and what a
 * fork does with them. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/kmem.h"
#include "lib/wire/gen/code_memory.h"
#include "lib/wire/gen/endpoint.h"
#include "lib/wire/gen/entropy_source.h"
#include "lib/wire/gen/memory_object.h"
#include "lib/wire/gen/timer.h"
#include "tests/lib/ipc.h"

static struct ipc w;
static struct user_message message;
static struct user_reply reply;

/* Endpoint.revocable by the server on a capability of its own: the ids of forwarder and cutter. */
static status_t revocable(cap_id_t cap, cap_id_t *forwarder, cap_id_t *cutter)
{
    struct wire_builder b = user_message(&message, ENDPOINT_REVOCABLE_PARAMS_DATA_WORDS,
                                         ENDPOINT_REVOCABLE_PARAMS_POINTER_WORDS);
    endpoint_revocable_params_set_cap(b, 0);
    struct cap_transfer sent = {.cap = cap};
    status_t s = user_call(w.server, w.endpoint, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_REVOCABLE,
                           &message, &sent, 1, &reply);
    if (s == STATUS_OK) {
        *forwarder = reply.transfers[endpoint_revocable_results_forwarder(reply.root)].cap;
        *cutter = reply.transfers[endpoint_revocable_results_cutter(reply.root)].cap;
    }
    return s;
}

static void cut(cap_id_t cutter)
{
    CHECK_OK(
        user_call(w.server, cutter, CUTTER_INTERFACE_ID, CUTTER_METHOD_CUT, NULL, NULL, 0, NULL));
}

/* The server's capability, in the client's table too. */
static cap_id_t hand_on(cap_id_t id)
{
    struct object *o;
    CHECK_OK(cap_table_look_up(&w.server_process->table, id, &o));
    return sim_grant(w.client_process, o);
}

static cap_id_t forwarded_facet(cap_id_t *cutter)
{
    cap_id_t forwarder, facet = ipc_facet(w.server_process, w.endpoint, w.server_process, IPC_TAG);
    CHECK_OK(revocable(facet, &forwarder, cutter));
    return hand_on(forwarder);
}

static void answer_one(const char *text)
{
    cap_id_t id = ipc_receive_now(&w);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, id, text)).status);
}

TEST(calls_go_through_until_it_is_cut)
{
    ipc_boot(&w);
    cap_id_t cutter, facet = forwarded_facet(&cutter);
    struct ring_entry call = ipc_call(w.client, 1, facet, "x");
    ipc_start(w.client, call);
    answer_one("through");
    CHECK_OK(ipc_take(w.client, 1).status);
    CHECK(ipc_result_is(w.client, &call, 0, "through"));
    call.interface_id++;
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_WRONG_INTERFACE);
    cut(cutter);
    cut(cutter);
    CHECK_STATUS(user_run(w.client, ipc_call(w.client, 2, facet, "x")).status, -STATUS_REVOKED);
    uint32_t last = (w.client_process->denial_count - 1) % DENIALS_KEPT;
    CHECK_EQ(w.client_process->denials[last].reason, DENIAL_REASON_REVOKED);
    CHECK_OK(ipc_look_up(w.client_process, w.facet)); /* the one that was not forwarded */
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    answer_one("");
    CHECK_OK(ipc_take(w.client, 1).status);
}

TEST(cutting_ends_undelivered_calls_and_lets_delivered_ones_finish)
{
    ipc_boot(&w);
    cap_id_t cutter, facet = forwarded_facet(&cutter), token = ipc_token(w.client_process);
    ipc_start(w.client, ipc_call(w.client, 1, facet, "delivered"));
    cap_id_t delivered = ipc_receive_now(&w);
    struct ring_entry call = ipc_call(w.client, 2, facet, "undelivered");
    ipc_send(w.client, &call, token, CAP_TRANSFER_MOVE);
    ipc_start(w.client, call);
    ipc_start(w.client, ipc_call(w.client, 3, w.facet, "not through it"));
    cut(cutter);
    CHECK_STATUS(ipc_take(w.client, 2).status, -STATUS_REVOKED);
    CHECK_OK(ipc_look_up(w.client_process, token));
    CHECK_OK(user_run(w.server, ipc_return(w.server, 4, delivered, "")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
    answer_one("");
    CHECK_OK(ipc_take(w.client, 3).status);
}

TEST(a_call_that_waits_in_a_kernel_object_is_ended)
{
    ipc_boot(&w);
    struct object *reader, *writer;
    CHECK_OK(pipe_create(w.server_process->account, &reader, &writer));
    cap_id_t forwarder, cutter, end = sim_grant(w.server_process, reader);
    object_put(reader);
    CHECK_OK(revocable(end, &forwarder, &cutter));
    struct ring_entry read = user_call_entry(w.client, hand_on(forwarder), PIPE_READER_INTERFACE_ID,
                                             PIPE_READER_METHOD_READY, NULL, NULL, 0);
    CHECK_STATUS(user_run(w.client, read).status, -STATUS_EXCEPTION); /* an empty mask */
    struct wire_builder b = user_message(&message, 1, 0);
    wire_set_u32(b, 0, READINESS_READABLE);
    read = user_call_entry(w.client, hand_on(forwarder), PIPE_READER_INTERFACE_ID,
                           PIPE_READER_METHOD_READY, &message, NULL, 0);
    ipc_start(w.client, read);
    ipc_take_none(w.client);
    cut(cutter);
    CHECK_STATUS(ipc_take(w.client, read.user_data).status, -STATUS_REVOKED);
    object_put(writer);
}

TEST(forwarders_of_forwarders_are_cut_with_the_inner_one)
{
    ipc_boot(&w);
    cap_id_t cutter[FORWARDER_DEPTH_MAX], forwarder[FORWARDER_DEPTH_MAX], at;
    at = ipc_facet(w.server_process, w.endpoint, w.server_process, IPC_TAG);
    for (int i = 0; i < FORWARDER_DEPTH_MAX; i++) {
        CHECK_OK(revocable(at, &forwarder[i], &cutter[i]));
        at = forwarder[i];
    }
    CHECK_STATUS(revocable(at, &forwarder[0], &cutter[0]), STATUS_EXCEPTION);
    cap_id_t facet = hand_on(at), inner = hand_on(forwarder[2]);
    ipc_start(w.client, ipc_call(w.client, 1, facet, "x"));
    answer_one("");
    CHECK_OK(ipc_take(w.client, 1).status);
    ipc_start(w.client, ipc_call(w.client, 2, facet, "through all"));
    ipc_start(w.client, ipc_call(w.client, 3, inner, "through three"));
    cut(cutter[5]);
    CHECK_STATUS(ipc_take(w.client, 2).status, -STATUS_REVOKED);
    ipc_take_none(w.client);
    CHECK_STATUS(user_run(w.client, ipc_call(w.client, 4, facet, "x")).status, -STATUS_REVOKED);
    cut(cutter[0]);
    CHECK_STATUS(ipc_take(w.client, 3).status, -STATUS_REVOKED);
    cut(cutter[7]);
}

TEST(what_may_not_be_forwarded)
{
    ipc_boot(&w);
    cap_id_t forwarder, cutter;
    CHECK_STATUS(revocable(0x00100fff, &forwarder, &cutter), STATUS_BAD_CAPABILITY);
    /* it is not even copied */
    CHECK_STATUS(revocable(w.endpoint, &forwarder, &cutter), STATUS_NOT_SUPPORTED);
    CHECK_STATUS(user_call(w.server, w.endpoint, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_REVOCABLE,
                           NULL, NULL, 0, NULL),
                 STATUS_EXCEPTION);
}

TEST(memory_through_a_forwarder_is_unmapped_by_the_cut)
{
    ipc_boot(&w);
    cap_id_t forwarder, cutter;
    struct object *face;
    CHECK_OK(memory_object_create(w.server_process->account, PAGE_SIZE, &face));
    cap_id_t memory = sim_grant(w.server_process, face);
    object_put(face);
    CHECK_OK(revocable(memory, &forwarder, &cutter));
    cap_id_t id = hand_on(forwarder);
    struct wire_builder b = user_message(&message, MEMORY_OBJECT_MAP_PARAMS_DATA_WORDS,
                                         MEMORY_OBJECT_MAP_PARAMS_POINTER_WORDS);
    memory_object_map_params_set_size(b, PAGE_SIZE);
    memory_object_map_params_set_protection(b, PROTECTION_READ_WRITE);
    CHECK_OK(user_call(w.client, id, MEMORY_OBJECT_INTERFACE_ID, MEMORY_OBJECT_METHOD_MAP, &message,
                       NULL, 0, &reply));
    uint64_t address = memory_object_map_results_address(reply.root);
    CHECK(user_write(w.client_process, address, "mapped", 6));
    cut(cutter);
    CHECK(!user_write(w.client_process, address, "mapped", 6));
    CHECK_STATUS(user_call(w.client, id, MEMORY_OBJECT_INTERFACE_ID, MEMORY_OBJECT_METHOD_INFO,
                           NULL, NULL, 0, NULL),
                 STATUS_REVOKED);
}

TEST(code_through_a_forwarder_is_unmapped_by_the_cut)
{
    ipc_boot(&w);
    cap_id_t forwarder, cutter;
    CHECK_OK(revocable(sim_grant(w.server_process, &code_memory_object), &forwarder, &cutter));
    struct wire_builder b = user_message(&message, CODE_MEMORY_RESERVE_PARAMS_DATA_WORDS, 0);
    code_memory_reserve_params_set_size(b, PAGE_SIZE);
    CHECK_OK(user_call(w.client, hand_on(forwarder), CODE_MEMORY_INTERFACE_ID,
                       CODE_MEMORY_METHOD_RESERVE, &message, NULL, 0, &reply));
    uint64_t code = code_memory_reserve_results_address(reply.root);
    CHECK(user_touch(w.client, code, UPCALL_ACCESS_EXECUTE));
    cut(cutter);
    uint8_t byte;
    CHECK(!user_read(w.client_process, code, &byte, 1));
}

TEST(time_through_a_forwarder_ends_with_the_cut)
{
    ipc_boot(&w);
    cap_id_t forwarder, cutter;
    CHECK_OK(revocable(sim_grant(w.server_process, &timer_object), &forwarder, &cutter));
    cap_id_t id = hand_on(forwarder);
    CHECK(process_time_granted(w.client_process));
    CHECK_OK(user_call(w.client, id, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, NULL, NULL, 0, &reply));
    CHECK_STATUS(
        user_call(w.client, id, TIMER_INTERFACE_ID, TIMER_METHOD_PAGE, NULL, NULL, 0, &reply),
        STATUS_EXCEPTION);
    CHECK(process_time_granted(w.client_process) && !w.client_process->arch.time_open);
    cut(cutter);
    CHECK(!process_time_granted(w.client_process));
}

TEST(a_forwarder_may_go_before_its_cutter_and_after_it)
{
    ipc_boot(&w);
    struct user *caller = user_thread(w.server_process);
    for (int first = 0; first < 2; first++) {
        cap_id_t id[2], facet = ipc_facet(w.server_process, w.endpoint, w.server_process, IPC_TAG);
        CHECK_OK(revocable(facet, &id[0], &id[1]));
        CHECK_OK(cap_table_release(&w.server_process->table, id[first]));
        sim_settle();
        if (first == 0) {
            cut(id[1]);
        } else {
            ipc_start(caller, ipc_call(caller, 1, id[0], "x"));
            answer_one("");
            CHECK_OK(ipc_take(caller, 1).status);
        }
        CHECK_OK(cap_table_release(&w.server_process->table, id[!first]));
        sim_settle();
    }
}

TEST(a_kernel_object_answers_through_a_forwarder)
{
    ipc_boot(&w);
    cap_id_t forwarder, cutter, source = sim_grant(w.server_process, &entropy_source_object);
    CHECK_OK(revocable(source, &forwarder, &cutter));
    cap_id_t id = hand_on(forwarder);
    struct wire_builder b = user_message(&message, 1, 0);
    entropy_source_fill_params_set_count(b, 8);
    CHECK_OK(user_call(w.client, id, ENTROPY_SOURCE_INTERFACE_ID, 0, &message, NULL, 0, &reply));
    CHECK_EQ(entropy_source_fill_results_data(reply.root).size, 8);
    cut(cutter);
    CHECK_STATUS(user_call(w.client, id, ENTROPY_SOURCE_INTERFACE_ID, 0, &message, NULL, 0, NULL),
                 STATUS_REVOKED);
}

static void setup(void)
{
    ipc_make(&w);
    ipc_touch(w.server);
    ipc_touch(w.client);
}

static void make_use_cut(void)
{
    cap_id_t forwarder, cutter;
    struct object *o;
    if (revocable(CAP_ID(CAP_SLOT_PARK, 1), &forwarder, &cutter) == STATUS_OK) {
        CHECK_OK(cap_table_look_up(&w.server_process->table, forwarder, &o));
        cut(cutter);
    }
}

TEST(each_allocation_of_a_forwarder_may_fail)
{
    sim_boot(NULL);
    for_each_allocation_failure(setup, make_use_cut);
}
