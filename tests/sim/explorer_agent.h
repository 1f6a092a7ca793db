/* One simulated thread of a random program. For explorer.c. */
#pragma once

#include "tests/sim/explorer.h"

#define AGENT_FACET_INTERFACE 0xfacefacefaceface

struct agent;

void agents_start(bool exactly_once); /* whether completions are compared with the entries */
void agents_end(void);
struct agent *agent_of(struct thread *t); /* made at the first call */
void agent_act(struct agent *a, struct choices *c);
/* May the host send so many bytes more of standard input? */
bool agent_input_credit(uint32_t size);
