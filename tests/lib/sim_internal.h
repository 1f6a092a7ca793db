/* What sim.c, user.c and call.c share. Not for tests. */
#pragma once

#define SIM_IMAGE_PAGES 8 /* frames before the kernel's memory, for sim_image() */
