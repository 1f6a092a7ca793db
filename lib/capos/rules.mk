# The native C runtime: build/x86_64/libcapos.a, and how programs are compiled and linked with it. The
# runtime's headers come before the compiler's own, and the host's are out of reach.

CAPOS_INCLUDES = -nostdinc -Ilib/capos/include \
	-isystem $(shell $(CC) -print-file-name=include)

# What a program in C is compiled and linked with. The linker takes the startup code out of the
# library because its script names _start.
# -MD: its headers come by -isystem, and change all the same.
CAPOS_PROGRAM_CFLAGS = $(subst -MMD,-MD,$(USER_CFLAGS)) -ftls-model=local-exec $(CAPOS_INCLUDES)
CAPOS_LDSCRIPT := lib/capos/user.ld
CAPOS_LDFLAGS = -static-pie -nostdlib -nostartfiles -T $(CAPOS_LDSCRIPT) -Wl,--gc-sections \
	-Wl,--no-dynamic-linker -Wl,-z,norelro -Wl,-z,text -Wl,-z,max-page-size=4096 \
	-Wl,--build-id=none -Wl,--no-warn-rwx-segments
CAPOS_LDLIBS = $(CAPOS_LIB) -lgcc

# The memory functions must not be compiled into calls of themselves. clang has no such option and
# needs none: -ffreestanding is enough for it.
LIBCAPOS_NO_IDIOMS := $(shell $(CC) -fno-tree-loop-distribute-patterns -E -x c /dev/null \
	>/dev/null 2>&1 && echo -fno-tree-loop-distribute-patterns)
LIBCAPOS_CFLAGS = $(CAPOS_PROGRAM_CFLAGS) $(LIBCAPOS_NO_IDIOMS)

LIBC_SRCS := $(wildcard lib/capos/libc/*.c)
LIBC_ASMS := $(wildcard lib/capos/libc/*.S)
LIBCAPOS_SRCS := $(LIBC_SRCS) $(wildcard lib/capos/*.c lib/capos/gen/*.c) \
	$(wildcard lib/wire/*.c lib/wire/gen/*.c)
LIBCAPOS_ASMS := $(LIBC_ASMS) $(wildcard lib/capos/*.S)
# User objects have a folder of their own: the kernel compiles lib/wire too, with other flags.
CAPOS_USER := $(BUILD)/x86_64/user
CAPOS_LIB := $(BUILD)/x86_64/libcapos.a
LIBCAPOS_OBJS := $(LIBCAPOS_SRCS:%.c=$(CAPOS_USER)/%.o) $(LIBCAPOS_ASMS:%.S=$(CAPOS_USER)/%.o)

$(CAPOS_USER)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(LIBCAPOS_CFLAGS) -c $< -o $@

$(CAPOS_USER)/lib/%.o: lib/%.S
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -c $< -o $@

$(CAPOS_LIB): $(LIBCAPOS_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

libcapos: $(CAPOS_LIB)

# A program of one folder: $(BUILD)/x86_64/demos/c-hello.elf from all of demos/c-hello/*.c.
$(CAPOS_USER)/demos/%.o: demos/%.c
	@mkdir -p $(@D)
	$(CC) $(CAPOS_PROGRAM_CFLAGS) -c $< -o $@

define capos_demo
$(BUILD)/x86_64/demos/$(1).elf: $(patsubst %.c,$(CAPOS_USER)/%.o,$(wildcard demos/$(1)/*.c)) \
		$(CAPOS_LIB) $(CAPOS_LDSCRIPT)
	@mkdir -p $$(@D)
	$(CC) $(CAPOS_LDFLAGS) $$(filter %.o,$$^) $$(CAPOS_LDLIBS) -o $$@
endef
CAPOS_DEMOS := $(notdir $(wildcard demos/c-*))
$(foreach demo,$(CAPOS_DEMOS),$(eval $(call capos_demo,$(demo))))
CAPOS_DEMO_ELFS := $(CAPOS_DEMOS:%=$(BUILD)/x86_64/demos/%.elf)
demos-c: $(CAPOS_DEMO_ELFS)

# Demos that play the villain enter the kernel on their own and see what comes of it.
CAPOS_VILLAINS := c-smoke c-spawn
CAPOS_HONEST := $(filter-out $(CAPOS_VILLAINS),$(CAPOS_DEMOS))
CAPOS_HONEST_OBJS := $(patsubst %.c,$(CAPOS_USER)/%.o, \
	$(foreach demo,$(CAPOS_HONEST),$(wildcard demos/$(demo)/*.c)))
CAPOS_HONEST_ELFS := $(CAPOS_HONEST:%=$(BUILD)/x86_64/demos/%.elf)

# Only the library has what no program may bring along; see the script.
libcapos-check: $(CAPOS_LIB) $(CAPOS_HONEST_ELFS) $(CAPOS_HONEST_OBJS)
	@sh lib/capos/check/libcapos.sh $(CAPOS_LIB) $(CAPOS_HONEST_ELFS) $(CAPOS_HONEST_OBJS)

runtime-surface-check: $(CAPOS_LIB)
	@sh lib/capos/check/surface.sh $(CAPOS_LIB) lib/capos/include

CHECKS += libcapos-check runtime-surface-check

.PHONY: libcapos demos-c libcapos-check runtime-surface-check
