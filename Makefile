# capOS is built by this one file and the short rules.mk in each folder. `make` builds what `capos run` needs;
# `make help` lists the rest.

BUILD := build
CC := gcc
HOSTCC := $(CC)
AR := ar
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

WARN := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes
WERROR_FLAG := $(if $(WERROR),-Werror,)
COMMON := -std=gnu17 -I. -g $(WARN) $(WERROR_FLAG) -MMD -MP
HOST_CFLAGS := $(COMMON) -O2
KERNEL_CFLAGS := $(COMMON) -O2 -ffreestanding -fno-common -fno-strict-aliasing -fno-pie -mcmodel=kernel \
	-mgeneral-regs-only -mno-red-zone -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -fcf-protection=none -ffunction-sections -fdata-sections
USER_CFLAGS := $(COMMON) -O2 -ffreestanding -fno-strict-aliasing -fPIE -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fcf-protection=none \
	-ffunction-sections -fdata-sections

all:

include $(wildcard */rules.mk */*/rules.mk */*/*/rules.mk)

clean:
	rm -rf $(BUILD)

help:
	@echo 'make            the kernel, libcapos, init, the command: what ./capos run needs'
	@echo 'make run        a tour of the demos; run-c-hello, run-c-pipe, run-c-tree, run-smoke, run-spawn: one of them'
	@echo 'make run-panic  what a kernel panic looks like'
	@echo 'make test       everything that gates a change; test-unit, test-boot, fuzz: parts of it'
	@echo '                test-boot MACHINE=linux: the boot tests on the linux machine'
	@echo 'make test-long  longer fuzzing and stress, all boot tests on both machines'
	@echo 'make bench      instruction counts and times, into build/bench.json'
	@echo 'make tidy       style, in seconds'
	@echo 'make generate   what tools/schemac writes from schema/capos.capnp; generated-check: is it current?'
	@echo 'make size       the lines of the kernel'
	@echo 'make clean      removes build/'

.PHONY: all clean help
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
