/* Where entry.S finds fields of struct arch_cpu and struct arch_frame: bytes. cpu.c checks each. */
#pragma once

#define CPU_USER_RSP 8
#define CPU_FRAME_TOP 16
#define CPU_STACK 24
#define CPU_RUNNING 32
#define FRAME_R10 32
#define FRAME_R9 40
#define FRAME_R8 48
#define FRAME_RDI 64
#define FRAME_RSI 72
#define FRAME_RDX 80
#define FRAME_RAX 96
#define FRAME_R11 104
#define FRAME_VECTOR 120
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SIZE 176

#define FRAME_BY_SYSCALL 0x100 /* frame.vector of a thread that came by `syscall` */
#define VECTOR_COUNT 37        /* trap stubs */
#define TRAP_STUB_SIZE 16

#define COPY_END 0x00007fffc0000000 /* USER_END */
