# The native C runtime: build/x86_64/libcapos.a, and how programs are compiled and linked with it. The
# runtime's headers come before the compiler's own, and the host's are out of reach.

CAPOS_INCLUDES = -nostdinc -isystem lib/capos/include \
	-isystem $(shell $(CC) -print-file-name=include)

# What a program in C is compiled and linked with. The linker takes the startup code out of the
# library because its script names _start.
CAPOS_PROGRAM_CFLAGS = $(USER_CFLAGS) -ftls-model=local-exec $(CAPOS_INCLUDES)
CAPOS_LDSCRIPT := lib/capos/user.ld
CAPOS_LDFLAGS = -static-pie -nostdlib -nostartfiles -T $(CAPOS_LDSCRIPT) -Wl,--gc-sections \
	-Wl,--no-dynamic-linker -Wl,-z,norelro -Wl,-z,text -Wl,-z,max-page-size=4096 \
	-Wl,--build-id=none -Wl,--no-warn-rwx-segments
CAPOS_LDLIBS = $(CAPOS_LIB) -lgcc

# The memory functions must not be compiled into calls of themselves.
CAPOS_CFLAGS = $(CAPOS_PROGRAM_CFLAGS) -fno-tree-loop-distribute-patterns

LIBC_SRCS := $(wildcard lib/capos/libc/*.c)
LIBC_ASMS := $(wildcard lib/capos/libc/*.S)
CAPOS_SRCS := $(LIBC_SRCS) $(wildcard lib/capos/*.c lib/capos/gen/*.c) \
	$(wildcard lib/wire/*.c lib/wire/gen/*.c)
CAPOS_ASMS := $(LIBC_ASMS) $(wildcard lib/capos/*.S)
CAPOS_LIB := $(BUILD)/x86_64/libcapos.a
CAPOS_OBJS := $(CAPOS_SRCS:%.c=$(BUILD)/x86_64/%.o) $(CAPOS_ASMS:%.S=$(BUILD)/x86_64/%.o)

$(BUILD)/x86_64/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(CAPOS_CFLAGS) -c $< -o $@

$(BUILD)/x86_64/lib/%.o: lib/%.S
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -c $< -o $@

$(CAPOS_LIB): $(CAPOS_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

libcapos: $(CAPOS_LIB)

# A program of one folder: $(BUILD)/x86_64/demos/c-hello.elf from all of demos/c-hello/*.c.
$(BUILD)/x86_64/demos/%.o: demos/%.c
	@mkdir -p $(@D)
	$(CC) $(CAPOS_PROGRAM_CFLAGS) -c $< -o $@

define capos_demo
$(BUILD)/x86_64/demos/$(1).elf: $(patsubst %.c,$(BUILD)/x86_64/%.o,$(wildcard demos/$(1)/*.c)) \
		$(CAPOS_LIB) $(CAPOS_LDSCRIPT)
	$(CC) $(CAPOS_LDFLAGS) $$(filter %.o,$$^) $$(CAPOS_LDLIBS) -o $$@
endef
CAPOS_DEMOS := $(notdir $(wildcard demos/c-*))
$(foreach demo,$(CAPOS_DEMOS),$(eval $(call capos_demo,$(demo))))
CAPOS_DEMO_ELFS := $(CAPOS_DEMOS:%=$(BUILD)/x86_64/demos/%.elf)
demos-c: $(CAPOS_DEMO_ELFS)

# Only the library has what no program may bring along; see the script.
libcapos-check: $(CAPOS_LIB) $(CAPOS_DEMO_ELFS)
	@sh lib/capos/check/libcapos.sh $(CAPOS_LIB) $(CAPOS_DEMO_ELFS)

runtime-surface-check: $(CAPOS_LIB)
	@sh lib/capos/check/surface.sh $(CAPOS_LIB) lib/capos/include

.PHONY: libcapos demos-c libcapos-check runtime-surface-check
