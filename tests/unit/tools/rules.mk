# Tests of the host's tools: each includes the sources that it tests, and needs nothing of the kernel.
TOOLS_TESTS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/tools/*_test.c)))
TOOLS_TEST_CFLAGS = $(COMMON) -D_GNU_SOURCE -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
UNIT_TESTS += $(TOOLS_TESTS)

$(BUILD)/tests/unit/tools/%.o: tests/unit/tools/%.c
	@mkdir -p $(@D)
	@$(HOSTCC) $(TOOLS_TEST_CFLAGS) -c $< -o $@

# ASAN's leak check stays out: the tools allocate for their whole life.
$(TOOLS_TESTS): %: %.o $(BUILD)/sim/tests/lib/test.o $(BUILD)/sim/tests/lib/main.o \
		$(BUILD)/host/libwire.a
	@$(HOSTCC) $(TOOLS_TEST_CFLAGS) $^ -o $@

