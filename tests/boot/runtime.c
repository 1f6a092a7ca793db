/* What the C runtime does on the machine beyond what the demos show: one part for each first
 * argument. See runtime.test. */
#include <assert.h>
#include <capos.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8
#define ROUNDS 500

static struct capos_mutex mutex = CAPOS_MUTEX_INIT;
static struct capos_condition condition = CAPOS_CONDITION_INIT;
static struct capos_once once = CAPOS_ONCE_INIT;
static bool started;
static unsigned counter;
static unsigned initialised;
static _Thread_local unsigned own = 7;

static void initialise(void)
{
    initialised++;
}

static uint64_t work(void *argument)
{
    unsigned mine = (unsigned)(uintptr_t)argument;
    assert(own == 7);
    own = mine;
    capos_once(&once, initialise);
    capos_mutex_lock(&mutex);
    while (!started) {
        assert(capos_condition_wait(&condition, &mutex, CAP_ENTER_FOREVER) == STATUS_OK);
    }
    capos_mutex_unlock(&mutex);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char *block = malloc(i * 7 % 3000 + 1);
        block[0] = (char)i;
        capos_mutex_lock(&mutex);
        counter++;
        capos_mutex_unlock(&mutex);
        free(block);
    }
    assert(own == mine);
    return own;
}

static void start_all(void)
{
    capos_mutex_lock(&mutex);
    started = true;
    capos_condition_broadcast(&condition);
    capos_mutex_unlock(&mutex);
}

static int locks(void)
{
    struct capos_thread *threads[THREADS];
    uint64_t sum = 0;
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert(capos_thread_spawn(work, (void *)(i + 1), NULL, &threads[i]) == STATUS_OK);
    }
    start_all();
    for (size_t i = 0; i < THREADS; i++) {
        uint64_t result;
        assert(capos_thread_join(threads[i], &result) == STATUS_OK);
        sum += result;
    }
    printf("counter %u, sum %lu, once %u, own %u\n", counter, sum, initialised, own);
    assert(capos_mutex_try_lock(&mutex) && !capos_mutex_try_lock(&mutex));
    status_t status = capos_condition_wait(&condition, &mutex, 1000000);
    printf("a wait that nobody ends: %s\n", capos_status_name(status));
    return 0;
}

static uint64_t quick(void *argument)
{
    return (uintptr_t)argument;
}

/* More detached threads than there would be memory for, were it not given back. */
static int detached(void)
{
    struct capos_thread *thread;
    struct capos_thread_options small = {.stack_bytes = 16384, .message_bytes = 1024};
    for (uintptr_t i = 0; i < 300; i++) {
        assert(capos_thread_spawn(quick, (void *)i, &small, &thread) == STATUS_OK);
        capos_thread_detach(thread);
    }
    printf("detached\n");
    return 0;
}

static uint64_t outlive(void *first)
{
    status_t status = capos_park(first, 0, 20000000); /* until the first thread is surely gone */
    printf("the last thread, %s\n", capos_status_name(status));
    return 9;
}

static int first_leaves(void)
{
    static uint32_t never;
    struct capos_thread *thread;
    assert(capos_thread_spawn(outlive, &never, NULL, &thread) == STATUS_OK);
    printf("the first thread\n");
    capos_thread_exit(1);
}

static int heap(void)
{
    char *block = calloc(1, 3 << 20);
    block[0] = 'a';
    block = realloc(block, 5 << 20);
    assert(block[0] == 'a' && block[(3 << 20) - 1] == 0);
    free(block);
    assert(malloc((size_t)1 << 38) == NULL);
    printf("heap\n");
    return 0;
}

static int double_free(void)
{
    char *volatile block = malloc(100);
    printf("before\n");
    fflush(stdout);
    free(block);
#pragma GCC diagnostic ignored "-Wuse-after-free"
    free(block);
    return 0;
}

static int numbers(void)
{
    double d;
    int i;
    char word[20];
    assert(scanf("%lf %i %19s", &d, &i, word) == 3);
    printf("%.17g %#x %s\n", d, (unsigned)i, word);
    fprintf(stderr, "%s", "to standard error\n");
    printf("%s\n", getenv("WHO") != NULL ? getenv("WHO") : "nobody");
    return 0;
}

static jmp_buf environment;

static void leave(void)
{
    printf("handler\n");
}

static int ending(void)
{
    if (setjmp(environment) == 0) {
        longjmp(environment, 3);
    }
    atexit(leave);
    printf("ending\n");
    exit(42);
}

static int failing(void)
{
    assert(own == 8);
    return 0;
}

static int wrong_grant(void)
{
    cap_t cap;
    printf("%s\n", capos_status_name(capos_find("stdio", TIMER_INTERFACE_ID, &cap)));
    printf("%s\n", capos_status_name(capos_find("nothing", TIMER_INTERFACE_ID, &cap)));
    capos_need("stdio", TIMER_INTERFACE_ID);
    return 0;
}

/* Getting memory and giving it back, as much as there is and more, leaves the last answer alone. */
static int last_answer(void)
{
    struct capos_restricted_launcher_list_results answer;
    cap_t launcher = capos_need("launch", RESTRICTED_LAUNCHER_INTERFACE_ID);
    assert(capos_restricted_launcher_list(launcher, &answer) == STATUS_OK);
    for (size_t size = 1; size < (size_t)1 << 48; size *= 8) {
        char *volatile block = malloc(size); /* else the compiler would do without */
        if (block != NULL) {
            block[0] = 1;
        }
        free(block);
        assert(answer.names.count == 1);
        struct wire_span name = wire_list_get_text(answer.names, 0);
        assert(name.size == 5 && memcmp(name.data, "hello", 5) == 0);
    }
    printf("the same name\n");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*function)(void);
    } parts[] = {
        {"locks", locks},
        {"detached", detached},
        {"first-leaves", first_leaves},
        {"heap", heap},
        {"double-free", double_free},
        {"numbers", numbers},
        {"ending", ending},
        {"failing", failing},
        {"wrong-grant", wrong_grant},
        {"last-answer", last_answer},
    };
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(argv[1], parts[i].name) == 0) {
            return parts[i].function();
        }
    }
    return 2;
}
