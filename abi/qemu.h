/* The machine that `capos run` starts, as far as kernel and host must agree on it. Host: tools/capos/qemu.c; kernel:
 * kernel/arch/x86_64.
 *
 * microvm with a PVH kernel. The boot package is the first PVH module. The host link is a virtio console without
 * multiport (device id 3; queue 0 receives, queue 1 transmits) on the virtio-mmio transport at QEMU_LINK_MMIO, modern
 * (version 2) registers. Its interrupt is the GSI that the kernel command line names: `link_irq=N`. The serial port
 * COM1 carries the log until the link is up, and panics. A write to QEMU_EXIT_PORT ends the machine at once. */
#pragma once

#define QEMU_LINK_MMIO 0xfeb00000u
#define QEMU_LINK_MMIO_SIZE 512u

/* isa-debug-exit: QEMU's own exit status is (value << 1) | 1, which none of its other ends gives for these values. */
#define QEMU_EXIT_PORT 0xf4
#define QEMU_EXIT_DONE 0x10  /* after EXIT_ACK; status 33 */
#define QEMU_EXIT_PANIC 0x20 /* kernel panic; status 65 */
#define QEMU_EXIT_PROBE 0x30 /* the probe for real hardware virtualisation worked; status 97 */
