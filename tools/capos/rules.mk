# The capos command's C part, and the probe for real hardware virtualisation that it boots.
CAPOS_SRCS := $(wildcard tools/capos/*.c)
CAPOS := $(BUILD)/host/capos
PROBE := $(BUILD)/host/probe.elf

$(BUILD)/host/tools/capos/%.o: tools/capos/%.c
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -D_GNU_SOURCE -c $< -o $@

# Static: the dynamic linker would take as long as all else that it does before a machine starts.
$(CAPOS): $(CAPOS_SRCS:%.c=$(BUILD)/host/%.o) $(BUILD)/host/libimage.a $(BUILD)/host/libwire.a
	$(HOSTCC) -static $^ -o $@

$(PROBE): tools/capos/probe.S tools/capos/probe.ld abi/qemu.h
	@mkdir -p $(@D)
	$(CC) -I. -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
		-T tools/capos/probe.ld $< -o $@

# How `capos run` compiles a C source: as the demos are, but as a hosted program (main may end without a
# return), without our warnings, and with the source where the user has it. Written only when it changes.
PROGRAM_FLAGS := $(BUILD)/x86_64/program.flags
PROGRAM_DROPPED = $(WARN) -Werror -I. -MMD -MD -MP -ffreestanding

$(PROGRAM_FLAGS): FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(strip $(filter-out $(PROGRAM_DROPPED),$(CAPOS_PROGRAM_CFLAGS)) $(CAPOS_LDFLAGS))' \
		'$(strip $(CAPOS_LDLIBS))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

FORCE:
.PHONY: FORCE

all: $(CAPOS) $(PROBE) $(PROGRAM_FLAGS)
