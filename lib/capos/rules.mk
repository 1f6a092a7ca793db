# The native C runtime: build/x86_64/libcapos.a. Its headers come before the compiler's own, and the
# host's are out of reach.

CAPOS_INCLUDES = -nostdinc -isystem lib/capos/include \
	-isystem $(shell $(CC) -print-file-name=include)

# The memory functions must not be compiled into calls of themselves.
CAPOS_CFLAGS = $(USER_CFLAGS) $(CAPOS_INCLUDES) -fno-tree-loop-distribute-patterns

LIBC_SRCS := $(wildcard lib/capos/libc/*.c)
LIBC_ASMS := $(wildcard lib/capos/libc/*.S)
CAPOS_LIB := $(BUILD)/x86_64/libcapos.a
CAPOS_OBJS := $(LIBC_SRCS:%.c=$(BUILD)/x86_64/%.o) $(LIBC_ASMS:%.S=$(BUILD)/x86_64/%.o)

$(BUILD)/x86_64/lib/capos/%.o: lib/capos/%.c
	@mkdir -p $(@D)
	$(CC) $(CAPOS_CFLAGS) -c $< -o $@

$(BUILD)/x86_64/lib/capos/%.o: lib/capos/%.S
	@mkdir -p $(@D)
	$(CC) $(USER_CFLAGS) -c $< -o $@

$(CAPOS_LIB): $(CAPOS_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

libcapos: $(CAPOS_LIB)

.PHONY: libcapos
