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
$(foreach program,paths nothing,$(eval $(call perf_program,$(program))))

bench: all $(BUILD)/x86_64/demos/c-hello.elf $(PERF)/paths.elf $(PERF)/nothing.elf
	@BUILD=$(BUILD) sh tests/perf/bench.sh

test-build test-boot: $(PERF)/paths.elf $(PERF)/nothing.elf

.PHONY: bench
