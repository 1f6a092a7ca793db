# The wire format. Kernel, user programs and host tools each compile these sources with their own flags.
WIRE_SRCS := lib/wire/read.c lib/wire/build.c lib/wire/copy.c

WIRE_HOST_LIB := $(BUILD)/host/libwire.a

$(BUILD)/host/lib/wire/%.o: lib/wire/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -c $< -o $@

$(WIRE_HOST_LIB): $(WIRE_SRCS:%.c=$(BUILD)/host/%.o)
	rm -f $@
	$(AR) rcs $@ $^
