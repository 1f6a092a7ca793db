/* A file system whose root is there and which never says what is in it: whoever asks for a name
 * waits until it ends. For root.
 *
 *   slow_folder PATH   mounts it there and prints a line; is ended, and with it the mount, by a
 *                      signal */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int device;

static void answer(uint64_t unique, int error, const void *body, size_t size)
{
    char bytes[512];
    struct fuse_out_header *head = (struct fuse_out_header *)bytes;
    *head = (struct fuse_out_header){
        .len = (uint32_t)(sizeof *head + size), .error = error, .unique = unique};
    memcpy(bytes + sizeof *head, body, size);
    if (write(device, bytes, sizeof *head + size) < 0) {
        perror("slow_folder");
    }
}

static void serve(const struct fuse_in_header *in)
{
    const struct fuse_init_in *begin = (const struct fuse_init_in *)(in + 1);
    struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
    struct fuse_attr_out attributes = {
        .attr_valid = 3600, .attr = {.ino = 1, .mode = S_IFDIR | 0777, .nlink = 2}};
    switch (in->opcode) {
    case FUSE_INIT:
        init.max_readahead = begin->max_readahead;
        answer(in->unique, 0, &init, sizeof init);
        break;
    case FUSE_GETATTR:
        answer(in->unique, 0, &attributes, sizeof attributes);
        break;
    case FUSE_LOOKUP:
    case FUSE_FORGET:
    case FUSE_INTERRUPT:
        break;
    default:
        answer(in->unique, -ENOSYS, "", 0);
    }
}

int main(int argc, char **argv)
{
    static _Alignas(8) char bytes[1 << 17];
    char options[100];
    device = argc == 2 ? open("/dev/fuse", O_RDWR | O_CLOEXEC) : -1;
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (device < 0 || mount("slow", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
        return 1;
    }
    puts("mounted");
    fflush(stdout);
    for (ssize_t n = 0; n >= 0 || errno == EINTR || errno == ENOENT;) {
        n = read(device, bytes, sizeof bytes);
        if (n >= (ssize_t)sizeof(struct fuse_in_header)) {
            serve((const struct fuse_in_header *)bytes);
        }
    }
    return 0;
}
