# The wire format. Kernel, user programs and host tools each compile these sources with their own flags.
WIRE_SRCS := lib/wire/read.c lib/wire/build.c lib/wire/copy.c
# With these, who traces can print calls and their arguments.
WIRE_NAMES_SRCS := lib/wire/describe.c lib/wire/gen/names.c

WIRE_HOST_LIB := $(BUILD)/host/libwire.a

$(BUILD)/host/lib/wire/%.o: lib/wire/%.c
	@mkdir -p $(@D)
	@$(CC) $(HOST_CFLAGS) -c $< -o $@

$(WIRE_HOST_LIB): $(patsubst %.c,$(BUILD)/host/%.o,$(WIRE_SRCS) $(WIRE_NAMES_SRCS))
	@rm -f $@
	@$(AR) rcs $@ $^
