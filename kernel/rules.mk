# The kernel: one image for each architecture, from the portable sources and the architecture's
# own folder. Which one `core` sees is the include path. `make size` counts what runs with the
# kernel's authority.

# kernel/gen/hosted.c: the interfaces whose objects only the linux machine has.
KERNEL_SRCS := $(wildcard kernel/core/*.c kernel/cap/*.c) kernel/gen/dispatch.c \
	lib/wire/read.c lib/wire/build.c lib/wire/copy.c

X86 := $(BUILD)/x86_64
X86_CFLAGS = $(KERNEL_CFLAGS) -momit-leaf-frame-pointer $(X86_SMALL_COPIES) \
	-Ikernel/arch/x86_64/include
# Setting and copying a struct is a few stores; `rep stos` is slower to start than all of them.
X86_SMALL_COPIES := -mmemset-strategy=unrolled_loop:128:noalign,rep_8byte:-1:noalign \
	-mmemcpy-strategy=unrolled_loop:128:noalign,rep_8byte:-1:noalign
X86_SRCS := $(KERNEL_SRCS) $(filter-out %/string.c,$(wildcard kernel/arch/x86_64/*.c))
X86_OBJS := $(X86_SRCS:%.c=$(X86)/%.o)
X86_OBJS_ALONE := $(X86)/kernel/arch/x86_64/string.o $(X86)/kernel/arch/x86_64/entry.o
X86_SCRIPT := kernel/arch/x86_64/link.ld
X86_LINK = $(CC) $(filter-out -MMD -MP,$(X86_CFLAGS)) -flto -flto-partition=one -nostdlib -static \
	-no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack \
	-Wl,--no-warn-rwx-segments -Wl,--gc-sections -T $(X86_SCRIPT)
KERNEL_ELF := $(X86)/kernel.elf

# All C is compiled as one program: a kernel path crosses many small files. string.c is not part of
# it, because the compiler makes calls to it after it has decided what is used.
$(X86_OBJS): $(X86)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(X86_CFLAGS) -flto -c $< -o $@

$(X86)/kernel/%.o: kernel/%.c
	@mkdir -p $(@D)
	$(CC) $(X86_CFLAGS) -c $< -o $@

$(X86)/kernel/%.o: kernel/%.S
	@mkdir -p $(@D)
	$(CC) $(X86_CFLAGS) -c $< -o $@

$(X86)/unnamed.elf: $(X86_OBJS) $(X86_OBJS_ALONE) $(X86_SCRIPT)
	$(X86_LINK) $(X86_OBJS) $(X86_OBJS_ALONE) -o $@

# The names of the functions, which a panic prints, are known only after the link, which keeps room
# for them.
NAMED = nm -n $< | awk -f kernel/symbols.awk >$(@D)/symbols.S && \
	$(CC) -c $(@D)/symbols.S -o $(@D)/symbols.o && \
	objcopy -O binary -j .symbols $(@D)/symbols.o $(@D)/symbols.bin && \
	objcopy --update-section .symbols=$(@D)/symbols.bin $< $@

$(KERNEL_ELF): $(X86)/unnamed.elf kernel/symbols.awk
	$(NAMED)

all: $(KERNEL_ELF)

# The linux machine: a static executable without a C library.
LINUX := $(BUILD)/linux
LINUX_CFLAGS = $(COMMON) -O2 -ffreestanding -fno-common -fno-strict-aliasing -fno-pie \
	-mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -fcf-protection=none -ffunction-sections -fdata-sections \
	-momit-leaf-frame-pointer -Ikernel/arch/linux/include
LINUX_SRCS := $(KERNEL_SRCS) kernel/gen/hosted.c \
	$(wildcard kernel/arch/linux/*.c kernel/arch/hosted/*.c)
LINUX_OBJS := $(LINUX_SRCS:%.c=$(LINUX)/%.o)
LINUX_OBJS_ALONE := $(LINUX)/kernel/arch/x86_64/string.o $(LINUX)/kernel/arch/linux/stub.o \
	$(LINUX)/kernel/arch/linux/start.o
KERNEL_LINUX := $(LINUX)/capos-kernel

$(LINUX_OBJS): $(LINUX)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(LINUX_CFLAGS) -flto -c $< -o $@

$(LINUX)/kernel/%.o: kernel/%.c
	@mkdir -p $(@D)
	$(CC) $(LINUX_CFLAGS) -c $< -o $@

$(LINUX)/kernel/%.o: kernel/%.S
	@mkdir -p $(@D)
	$(CC) $(LINUX_CFLAGS) -c $< -o $@

$(LINUX)/unnamed: $(LINUX_OBJS) $(LINUX_OBJS_ALONE)
	$(CC) $(filter-out -MMD -MP,$(LINUX_CFLAGS)) -flto -flto-partition=one -nostdlib -static \
		-no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--gc-sections -Wl,-u,etext $^ -lgcc \
		-o $@

$(KERNEL_LINUX): $(LINUX)/unnamed kernel/symbols.awk
	$(NAMED)

all: $(KERNEL_LINUX)

# What a panic of the kernel looks like.
run-panic: all demos-c
	@sh tests/lib/boot.sh tests/boot/panic.test && cat $(BUILD)/tests/boot-qemu/panic/err

.PHONY: run-panic

# What runs with the kernel's authority on each machine: the portable part and the machine's own.
size:
	@for machine in x86_64 linux; do \
		[ $$machine = x86_64 ] && other=none || other=hosted; \
		find kernel -name '*.[chS]' -not -path 'kernel/gen/*' \( -not -path 'kernel/arch/*/*' -o \
			-path "kernel/arch/$$machine/*" -o -path "kernel/arch/$$other/*" \) | xargs cat | \
			awk -v machine=$$machine '!/^[ \t]*$$/ && !/^[ \t]*(\/\*|\*)/ { code++ } \
			END { print machine ": " NR " lines, " code " without blank lines and comments" }'; \
	done

.PHONY: size
