/* The kernel's end of the host link (abi/host_link.h): what the machine says to the command that
 * started it, over the bytes of arch_link_read() and arch_link_write().
 *
 * All functions are called under the kernel lock and never wait. Memory is static: a ring for
 * what is to be sent, a ring for input; both are bounded by the protocol's credits. What the
 * host sends is checked; after the first thing that is not of the protocol the link is broken:
 * input has ended and every output is closed.
 *
 * Before host_link_start() there is no link: no input comes, nothing can be written, log lines
 * go to the serial port. */
#pragma once

#include "abi/host_link.h"
#include "kernel/core/types.h"

/* Back to the state before there is a link: kernel_bring_up() calls it. */
void host_link_init(void);
/* Once after host_link_init(), when the transport works: sends HELLO and takes what the host has
 * sent. */
void host_link_start(uint32_t cpus, uint64_t memory_bytes);
/* The transport has bytes to read, or room to write again. arch reports both through
 * kernel_link_input(): whenever bytes have come, and once there is room after an
 * arch_link_write() that took less than it was given. */
void host_link_input(void);
/* The one listener (StdIO), called from host_link_input() when there is input or its end, room for
 * output, a closed stream, or news of the terminal: a hint to look again, which may come without a
 * change. It may call every function here but host_link_input(). NULL: none. */
void host_link_listen(void (*notify)(void));

/* --- streams --- */
/* Takes up to `size` bytes of input. The first call of this or of host_link_input_size() lets the
 * host begin to read its own. 0 with *end: the end of input; 0 without: nothing has come yet. */
size_t host_link_read(void *to, size_t size, bool *end);
/* Bytes that host_link_read() would give at once; *end: it would say the end, or does so after
 * them. */
size_t host_link_input_size(bool *end);
/* Queues up to `size` bytes; returns how many. 0 while there is no room, or for ever when
 * closed. */
size_t host_link_write(enum host_link_stream stream, const void *bytes, size_t size);
/* Bytes that host_link_write() would take at once, of which a frame's worth is counted; 0: none. */
size_t host_link_output_room(void);
/* Nobody reads that output any more. */
bool host_link_closed(enum host_link_stream stream);
/* The same, asked by who is to write: the host learns of the first write that meets it. */
bool host_link_refuses(enum host_link_stream stream);
/* The host's HELLO has come, or never will: then nothing is a terminal. Until then the terminal is
 * not asked about. */
bool host_link_greeted(void);
bool host_link_terminal(enum host_link_stream stream);
struct host_link_window host_link_window(void); /* 0 by 0 when there is no terminal */

/* --- records --- */
/* Text for the kernel's log. False: there is no link or no room, and nothing was taken; the
 * caller has the serial port. */
bool host_link_log(const char *text, size_t size);
/* The first instruction of the first process that is not init, whose image is there, comes next.
 * Only the first call counts. `capos run --gdb` has a breakpoint here, so the compiler must
 * leave it as it is. */
__attribute__((noinline, used)) void host_link_started(uint64_t image_base);
/* Both are dropped, and counted for the exit record, while there is no room. */
void host_link_send_denial(const struct host_link_denial *denial);
void host_link_send_fault(const struct host_link_fault *fault);
/* The machine's last words: sends the record, with the times and counts that the link itself knows,
 * and calls arch_machine_exit(0) once the host has acknowledged it, or at once when the link is
 * broken or was never there. Only the first call counts. Returns; nothing should run any more. */
void host_link_end(const struct host_link_exit *record);
