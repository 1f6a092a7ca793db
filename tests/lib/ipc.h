/* A server and a client in the simulated machine: what tests of endpoints, transfers and
 * forwarders begin with. */
#pragma once

#include "kernel/core/endpoint.h"
#include "tests/lib/sim.h"

#define IPC_INTERFACE 0x1234abcdull
#define IPC_TAG 77ull
#define IPC_ROOM 256 /* bytes at result */
#define IPC_TRANSFERS 8

struct ipc {
    struct process *server_process, *client_process;
    struct user *server, *client;
    cap_id_t endpoint, facet; /* in the server's table, in the client's */
};

/* Boots the machine and makes both, the server with an endpoint of its own, the client with a
 * facet of it. */
void ipc_boot(struct ipc *w);
/* The same in a machine that runs: for allocation failures. */
void ipc_make(struct ipc *w);

/* All of the user's scratch memory is there: no allocation will be for that. */
void ipc_touch(struct user *u);

/* An endpoint of the process's own; its id. */
cap_id_t ipc_endpoint(struct process *p);
/* A facet of the endpoint that `owner` has as `endpoint`, in another process's table. */
cap_id_t ipc_facet(struct process *owner, cap_id_t endpoint, struct process *holder, uint64_t tag);
/* A new object that nobody else has (an endpoint): to be sent by copy it must be a facet, so
 * this is one. */
cap_id_t ipc_token(struct process *p);

/* Submits one entry and enters without waiting. */
void ipc_start(struct user *u, struct ring_entry e);
/* The one completion that must be there, with that user_data; fails the test otherwise. */
struct ring_completion ipc_take(struct user *u, uint64_t user_data);
void ipc_take_none(struct user *u);

/* Entries with buffers of their own in the user's scratch memory. */
struct ring_entry ipc_call(struct user *u, uint64_t user_data, cap_id_t facet, const char *text);
struct ring_entry ipc_receive(struct user *u, uint64_t user_data, cap_id_t endpoint);
struct ring_entry ipc_return(struct user *u, uint64_t user_data, cap_id_t reply, const char *text);
struct ring_entry ipc_cancel(uint64_t user_data, uint64_t of);
/* Adds one capability to send. */
void ipc_send(struct user *u, struct ring_entry *e, cap_id_t cap, enum cap_transfer_mode mode);
/* The i-th capability that the entry's completion brought. */
cap_id_t ipc_got(struct user *u, const struct ring_entry *e, uint32_t i);
/* Whether the bytes at `offset` of the result are the text. */
bool ipc_result_is(struct user *u, const struct ring_entry *e, uint64_t offset, const char *text);
struct ring_request ipc_request(struct user *u, const struct ring_entry *e);
/* The type of the Exception at the result. */
int ipc_exception(struct user *u, const struct ring_entry *e, const struct ring_completion *c);

/* RECV by the server of the call that waits; answers the Reply's id. */
cap_id_t ipc_receive_now(struct ipc *w);
status_t ipc_look_up(struct process *p, cap_id_t id);
