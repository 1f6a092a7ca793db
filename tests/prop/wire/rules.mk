# Property tests of the wire format and of schemac, against the capnp tool (Debian: capnproto).
WIRE_PROP := $(BUILD)/tests/prop/wire/round_trip
UNIT_TESTS += $(WIRE_PROP)

$(WIRE_PROP): $(patsubst %.c,$(BUILD)/tests/wire-obj/%.o,$(wildcard tests/prop/wire/*.c) \
		tools/schemac/model.c tools/schemac/text.c tools/schemac/common.c) \
		$(BUILD)/tests/wire.a | $(BUILD)/host/schemac
	@mkdir -p $(@D)
	@$(CC) $(WIRE_TEST_CFLAGS) $^ -o $@
