# Tests of the kernel on the simulated machine (kernel/arch/sim), with AddressSanitizer and UBSan.
#
# A unit test is tests/unit/**/X_test.c; it is found by its name. It is linked with the whole
# kernel, unless it is one of UNIT_ALONE: those include the source that they test and play the rest
# of the kernel themselves.
# `make unit` runs them all, a line for each program, and shows the output of those that fail.
#
# A fuzzer is tests/fuzz/X.c, with LLVMFuzzerTestOneInput; its seeds are in tests/fuzz/corpus/X/.
# `make fuzz` runs each for FUZZ_SECONDS. It may use the whole kernel, tests/lib and what tests/sim
# shares; a check that fails ends it.

SIM_INCLUDE := -Ikernel/arch/sim/include
# What is not set is set to a pattern: nothing may work because a stack happened to be zero.
SIM_CFLAGS := $(COMMON) $(SIM_INCLUDE) -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all -ftrivial-auto-var-init=pattern
SIM_SKIP := kernel/core/panic.c # of core, what sim needs not: the names of its functions
SIM_SRCS := $(filter-out $(SIM_SKIP),$(wildcard kernel/core/*.c kernel/cap/*.c)) kernel/gen/dispatch.c \
	$(wildcard kernel/arch/sim/*.c kernel/arch/hosted/*.c lib/wire/*.c)
SIM_OBJS := $(SIM_SRCS:%.c=$(BUILD)/sim/%.o)
SIM_TEST_OBJS := $(patsubst %.c,$(BUILD)/sim/%.o,$(wildcard tests/lib/*.c))
SIM_LIB := $(BUILD)/sim/libkernel.a

$(BUILD)/sim/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(SIM_CFLAGS) -c $< -o $@

UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(filter-out tests/unit/libc/% tests/unit/tools/%, \
	$(sort $(shell find tests/unit -name '*_test.c'))))
UNIT_ALONE := $(BUILD)/tests/unit/core/host_link_test $(BUILD)/tests/unit/arch/linux_filter_test

# Every object, whether or not something refers to it: a test links the kernel as it is.
$(SIM_LIB): $(SIM_OBJS) $(SIM_TEST_OBJS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(UNIT_ALONE): $(BUILD)/tests/%: $(BUILD)/sim/tests/%.o $(BUILD)/sim/tests/lib/test.o \
		$(BUILD)/sim/tests/lib/main.o
	@mkdir -p $(@D)
	@$(CC) $(SIM_CFLAGS) $^ -o $@

$(filter-out $(UNIT_ALONE),$(UNIT_TESTS)): $(BUILD)/tests/%: $(BUILD)/sim/tests/%.o $(SIM_LIB)
	@mkdir -p $(@D)
	@$(CC) $(SIM_CFLAGS) -no-pie $< -Wl,--whole-archive $(SIM_LIB) -Wl,--no-whole-archive -o $@

# Tests of the whole kernel, with what they share.
SIM_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/sim/*_test.c))
SIM_SHARED := $(patsubst %.c,$(BUILD)/sim/%.o,$(filter-out %_test.c,$(wildcard tests/sim/*.c)))
UNIT_TESTS += $(SIM_TESTS)

$(SIM_TESTS): $(BUILD)/tests/%: $(BUILD)/sim/tests/%.o $(SIM_SHARED) $(SIM_LIB)
	@mkdir -p $(@D)
	@$(CC) $(SIM_CFLAGS) -no-pie $< $(SIM_SHARED) -Wl,--whole-archive $(SIM_LIB) \
		-Wl,--no-whole-archive -o $@

# Other folders' rules, which are read later, add to the list.
.SECONDEXPANSION:
unit: $$(UNIT_TESTS)
	@sh tests/lib/run.sh $(BUILD)/tests/log $(UNIT_TESTS)

FUZZ_CC := clang
FUZZ_SECONDS := 20
FUZZ_CFLAGS := $(COMMON) $(SIM_INCLUDE) -O1 -fno-omit-frame-pointer \
	-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all \
	-ftrivial-auto-var-init=pattern
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZ_OBJS := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(SIM_SRCS) \
	$(filter-out tests/lib/main.c %_test.c,$(wildcard tests/lib/*.c tests/sim/*.c)))

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -c $< -o $@

$(FUZZERS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o $(FUZZ_OBJS)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -no-pie $^ -o $@

fuzz: $(FUZZERS)
	@sh tests/lib/fuzz.sh $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZERS)

.PHONY: unit fuzz
