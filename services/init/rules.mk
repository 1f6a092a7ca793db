# init, the one program that the kernel starts: an ordinary program against libcapos.
INIT_ELF := $(BUILD)/x86_64/init.elf

$(BUILD)/x86_64/services/%.o: services/%.c
	@mkdir -p $(@D)
	$(CC) $(CAPOS_PROGRAM_CFLAGS) -c $< -o $@

$(INIT_ELF): $(patsubst %.c,$(BUILD)/x86_64/%.o,$(wildcard services/init/*.c)) $(CAPOS_LIB) $(CAPOS_LDSCRIPT)
	$(CC) $(CAPOS_LDFLAGS) $(filter %.o,$^) $(CAPOS_LDLIBS) -o $@

init-build: $(INIT_ELF)
all: $(INIT_ELF)

.PHONY: init-build
