# Unit tests of the wire format and of what schemac generates. They stand alone: each is linked with
# the wire sources and the test framework, not with the kernel.
WIRE_TEST_CFLAGS := $(COMMON) -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -D_GNU_SOURCE
WIRE_TEST_OBJ := $(BUILD)/tests/wire-obj
WIRE_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/wire/*.c))
WIRE_TEST_LIB := $(patsubst %.c,$(WIRE_TEST_OBJ)/%.o,$(WIRE_SRCS) $(WIRE_NAMES_SRCS) \
	lib/capos/gen/client.c lib/capos/gen/server.c \
	$(wildcard tests/lib/test.c tests/lib/main.c))
UNIT_TESTS += $(WIRE_TESTS)

$(WIRE_TEST_OBJ)/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(WIRE_TEST_CFLAGS) -c $< -o $@

$(BUILD)/tests/wire.a: $(WIRE_TEST_LIB)
	@rm -f $@
	@$(AR) rcs $@ $^

$(WIRE_TESTS): $(BUILD)/%: $(WIRE_TEST_OBJ)/%.o $(BUILD)/tests/wire.a
	@mkdir -p $(@D)
	@$(CC) $(WIRE_TEST_CFLAGS) $^ -o $@
