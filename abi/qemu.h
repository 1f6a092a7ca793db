/* The machine that `capos run` starts, as far as kernel and host must agree on it. Host:
 * tools/capos/qemu.c; kernel: kernel/arch/x86_64.
 *
 * microvm with a PVH kernel, without ACPI tables, PIC, PIT and RTC. The LAPIC timer counts 1 GHz
 * before its divider, under TCG and KVM alike. The boot package is the first PVH module. The
 * kernel command line is words of the form key=value:
 *
 *   cpus=N       processors of the machine, APIC ids 0 to N-1 (absent: 1); today one runs
 *   test=panic   the kernel panics at the first Timer.page (make run-panic)
 *
 * The host link is port 1 of a virtio console (device id 3) with MULTIPORT, a virtserialport: what
 * the host does not take at once waits there, while port 0, a virtconsole, drops it. The machine
 * opens the port with the control messages PORT_READY and PORT_OPEN. The device is on the
 * virtio-mmio transport at QEMU_LINK_MMIO, with the registers of version 2 (modern); its interrupt
 * is the I/O APIC's input QEMU_LINK_GSI. The serial port COM1 carries the log until the link is up,
 * and panics. A write to QEMU_EXIT_PORT ends the machine at once. */
#pragma once

#define QEMU_LINK_MMIO 0xfeb00000u
#define QEMU_LINK_MMIO_SIZE 512u
#define QEMU_LINK_GSI 5u
#define QEMU_LINK_PORT 1
#define QEMU_LINK_QUEUE_IN 4  /* to the machine */
#define QEMU_LINK_QUEUE_OUT 5 /* from it */

/* isa-debug-exit, one byte wide: QEMU's own exit status is (value << 1) | 1. */
#define QEMU_EXIT_PORT 0xf4
#define QEMU_EXIT_DONE 0x10  /* after EXIT_ACK; status 33 */
#define QEMU_EXIT_PANIC 0x20 /* kernel panic; status 65 */
#define QEMU_EXIT_PROBE 0x30 /* the probe for real hardware virtualisation worked; status 97 */
#define QEMU_EXIT_STATUS(value) (((value) << 1) | 1)
