# `make bench`: what the kernel's paths, a boot and a machine cost. Rows go to build/bench.json.
PERF := $(BUILD)/x86_64/perf

$(PERF)/%.o: tests/perf/%.c
	@mkdir -p $(@D)
	$(CC) $(CAPOS_PROGRAM_CFLAGS) -c $< -o $@

define perf_program
$(PERF)/$(1).elf: $(patsubst tests/perf/%.c,$(PERF)/%.o,$(wildcard tests/perf/$(1)/*.c)) \
		$(CAPOS_LIB) $(CAPOS_LDSCRIPT)
	$(CC) $(CAPOS_LDFLAGS) $$(filter %.o,$$^) $$(CAPOS_LDLIBS) -o $$@
endef
$(foreach program,paths nothing machine,$(eval $(call perf_program,$(program))))

# The host's side of the rows of the linux machine; what both sides compute is one object.
$(BUILD)/host/perf/native: tests/perf/native/native.c $(PERF)/machine/work.o
	@mkdir -p $(@D)
	$(HOSTCC) $(filter-out -MMD -MP,$(HOST_CFLAGS)) -D_GNU_SOURCE $^ -o $@

# What programs of capOS stand beside: small, static, and without relocations to make.
$(BUILD)/perf/%: tests/perf/nothing/nothing.c demos/c-hello/hello.c
	@mkdir -p $(@D)
	$(HOSTCC) -O2 -static $(filter %/$(@F).c,$^) -o $@

BENCH_LINUX := all $(BUILD)/x86_64/demos/c-hello.elf $(PERF)/paths.elf $(PERF)/nothing.elf \
	$(PERF)/machine.elf $(BUILD)/host/perf/native $(BUILD)/perf/nothing $(BUILD)/perf/hello

bench: $(BENCH_LINUX)
	@BUILD=$(BUILD) sh tests/perf/bench.sh

# Only the rows of the linux machine, in half a minute.
bench-linux: $(BENCH_LINUX)
	@BUILD=$(BUILD) sh tests/perf/linux.sh

test-build: $(BENCH_LINUX)
test-boot: $(PERF)/paths.elf $(PERF)/nothing.elf

.PHONY: bench bench-linux
