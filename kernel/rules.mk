# The kernel: one image for each architecture, from the portable sources and the architecture's own folder. Which one `core` sees
# is the include path. `make size` counts what runs with the kernel's authority.

KERNEL_SRCS := $(wildcard kernel/core/*.c kernel/cap/*.c kernel/gen/*.c) \
	lib/wire/read.c lib/wire/build.c lib/wire/copy.c

X86 := $(BUILD)/x86_64
X86_CFLAGS = $(KERNEL_CFLAGS) -Ikernel/arch/x86_64/include
X86_SRCS := $(KERNEL_SRCS) $(wildcard kernel/arch/x86_64/*.c kernel/arch/x86_64/*.S)
X86_OBJS := $(addprefix $(X86)/,$(addsuffix .o,$(basename $(X86_SRCS))))
X86_SCRIPT := kernel/arch/x86_64/link.ld
X86_LINK = $(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack \
	-Wl,--no-warn-rwx-segments -Wl,--gc-sections -T $(X86_SCRIPT)
KERNEL_ELF := $(X86)/kernel.elf

$(X86)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(X86_CFLAGS) -c $< -o $@

$(X86)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(X86_CFLAGS) -c $< -o $@

# Linked twice: the names of the functions, which a panic prints, are known after the first time. They lie behind all text, so
# they do not move it.
$(X86)/unnamed.elf: $(X86_OBJS) $(X86_SCRIPT)
	$(X86_LINK) $(X86_OBJS) -o $@

$(X86)/symbols.S: $(X86)/unnamed.elf kernel/arch/x86_64/symbols.awk
	nm -n $< | awk -f kernel/arch/x86_64/symbols.awk >$@

$(X86)/symbols.o: $(X86)/symbols.S
	$(CC) -c $< -o $@

$(KERNEL_ELF): $(X86_OBJS) $(X86)/symbols.o $(X86_SCRIPT)
	$(X86_LINK) $(X86_OBJS) $(X86)/symbols.o -o $@

all: $(KERNEL_ELF)

size:
	@cat $$(find kernel -name '*.[chS]' -not -path 'kernel/gen/*' -not -path 'kernel/arch/sim/*') | wc -l

.PHONY: size
