# Instructions of the wire format's common paths, compiled as the kernel is.
WIRE_COST := $(BUILD)/tests/perf/wire/cost
UNIT_TESTS += $(WIRE_COST)

$(WIRE_COST): tests/perf/wire/cost.c tests/perf/wire/paths.c lib/wire/read.c lib/wire/build.c \
		$(wildcard tests/lib/test.c tests/lib/main.c) $(wildcard lib/wire/*.h lib/wire/gen/*.h)
	@mkdir -p $(@D)
	@$(CC) $(filter-out -MMD -MP,$(HOST_CFLAGS)) -D_GNU_SOURCE -mgeneral-regs-only -DCOST_MAX=$(if $(findstring clang,$(CC)),90,80) \
		-fno-omit-frame-pointer -fcf-protection=none $(filter %.c,$^) -o $@
