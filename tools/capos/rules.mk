# The capos command's C part, and the probe for real hardware virtualisation that it boots.
CAPOS_SRCS := $(wildcard tools/capos/*.c)
CAPOS := $(BUILD)/host/capos
PROBE := $(BUILD)/host/probe.elf

$(BUILD)/host/tools/capos/%.o: tools/capos/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -D_GNU_SOURCE -c $< -o $@

$(CAPOS): $(CAPOS_SRCS:%.c=$(BUILD)/host/%.o) $(BUILD)/host/libimage.a $(BUILD)/host/libwire.a
	$(HOSTCC) $^ -o $@

$(PROBE): tools/capos/probe.S tools/capos/probe.ld abi/qemu.h
	@mkdir -p $(@D)
	$(CC) -I. -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
		-T tools/capos/probe.ld $< -o $@

all: $(CAPOS) $(PROBE)
