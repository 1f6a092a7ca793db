# Unit tests of the ISO C part on the host, beside the host's own library. The sources are compiled
# as they are, with the sanitizers; then every public symbol gets the prefix capos_test_, so that
# both libraries live in one program.

LIBC_TEST_DIR := $(BUILD)/tests/libc
LIBC_TEST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
LIBC_TEST_CFLAGS = $(COMMON) -O1 -ffreestanding -fno-strict-aliasing -fno-omit-frame-pointer \
	$(CAPOS_INCLUDES) -fno-tree-loop-distribute-patterns $(LIBC_TEST_SANITIZE)
LIBC_TEST_OBJS := $(LIBC_SRCS:%.c=$(LIBC_TEST_DIR)/%.o) $(LIBC_ASMS:%.S=$(LIBC_TEST_DIR)/%.o)
LIBC_TESTS := $(patsubst tests/unit/libc/%_test.c,$(BUILD)/tests/libc_%, \
	$(wildcard tests/unit/libc/*_test.c))
UNIT_TESTS += $(LIBC_TESTS)

$(LIBC_TEST_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(LIBC_TEST_CFLAGS) -c $< -o $@

$(LIBC_TEST_DIR)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(COMMON) -c $< -o $@

$(LIBC_TEST_DIR)/renamed.o: $(LIBC_TEST_OBJS)
	$(LD) -r $^ -o $(@D)/together.o
	nm --defined-only --extern-only $(@D)/together.o \
		| awk '{ print $$3 " capos_test_" $$3 }' >$(@D)/names
	objcopy --redefine-syms=$(@D)/names $(@D)/together.o $@

$(LIBC_TESTS): $(BUILD)/tests/libc_%: tests/unit/libc/%_test.c tests/unit/libc/platform.c \
		tests/unit/libc/libc_test.h $(LIBC_TEST_DIR)/renamed.o $(WIRE_HOST_LIB)
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -fno-builtin $(LIBC_TEST_SANITIZE) $(filter %.c %.o %.a,$^) -o $@ -pthread -lm
