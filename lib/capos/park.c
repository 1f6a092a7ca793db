/*
 * park.c: sleeping on a word, and the locks that stand on it. The kernel is entered only where
 * somebody waits.
 */
#include "lib/capos/libc/platform.h"
#include "lib/capos/thread_self.h"

status_t capos_park(const uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    struct capos_wait wait;
    struct ring_entry entry = {
        .opcode = RING_OP_PARK,
        .cap = CAPOS_PARK,
        .interface_id = timeout_ns,
        .message = (uintptr_t)word,
        .result_size = expected,
    };
    capos_do_entry(&entry, &wait);
    return (status_t)-wait.completion.status;
}

uint32_t capos_unpark(const uint32_t *word, uint32_t count)
{
    struct capos_wait wait;
    struct ring_entry entry = {
        .opcode = RING_OP_UNPARK,
        .cap = CAPOS_PARK,
        .message = (uintptr_t)word,
        .result_size = count,
    };
    capos_do_entry(&entry, &wait);
    return wait.completion.status == 0 ? wait.completion.aux : 0;
}

/* Sleeping may end early for any reason: all callers test again. */
static void sleep_on(const uint32_t *word, uint32_t expected)
{
    status_t status = capos_park(word, expected, CAP_ENTER_FOREVER);
    if (status != STATUS_OK && status != STATUS_VALUE_CHANGED) {
        capos_panic("a lock's word cannot be waited for");
    }
}

/* Whoever had to wait leaves the lock as awaited, because more may wait: waking one too many is
 * harmless, one too few is not (U. Drepper, "Futexes are tricky", 2011, mutex 2). */
void platform_lock_slow(uint32_t *lock)
{
    while (__atomic_exchange_n(lock, PLATFORM_LOCK_AWAITED, __ATOMIC_ACQUIRE)
           != PLATFORM_LOCK_FREE) {
        sleep_on(lock, PLATFORM_LOCK_AWAITED);
    }
}

void platform_unlock_slow(uint32_t *lock)
{
    (void)capos_unpark(lock, 1);
}

void capos_mutex_lock(struct capos_mutex *mutex)
{
    platform_lock(&mutex->word);
}

bool capos_mutex_try_lock(struct capos_mutex *mutex)
{
    uint32_t expected = PLATFORM_LOCK_FREE;
    return __atomic_compare_exchange_n(&mutex->word, &expected, PLATFORM_LOCK_HELD, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void capos_mutex_unlock(struct capos_mutex *mutex)
{
    platform_unlock(&mutex->word);
}

/* A signal changes the sequence, so one that comes between unlocking and sleeping is not lost. */
status_t capos_condition_wait(struct capos_condition *condition, struct capos_mutex *mutex,
                              uint64_t timeout_ns)
{
    uint32_t sequence = __atomic_load_n(&condition->sequence, __ATOMIC_ACQUIRE);
    capos_mutex_unlock(mutex);
    status_t status = capos_park(&condition->sequence, sequence, timeout_ns);
    /* more may have been woken than can have the lock: take it as one that others wait for */
    platform_lock_slow(&mutex->word);
    return status == STATUS_VALUE_CHANGED ? STATUS_OK : status;
}

void capos_condition_signal(struct capos_condition *condition)
{
    __atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
    (void)capos_unpark(&condition->sequence, 1);
}

void capos_condition_broadcast(struct capos_condition *condition)
{
    __atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
    (void)capos_unpark(&condition->sequence, UINT32_MAX);
}

enum once_state { ONCE_NEW, ONCE_RUNNING, ONCE_DONE };

void capos_once(struct capos_once *once, void (*function)(void))
{
    uint32_t state = __atomic_load_n(&once->word, __ATOMIC_ACQUIRE);
    while (state != ONCE_DONE) {
        if (state == ONCE_NEW
            && __atomic_compare_exchange_n(&once->word, &state, ONCE_RUNNING, false,
                                           __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
            function();
            __atomic_store_n(&once->word, ONCE_DONE, __ATOMIC_RELEASE);
            (void)capos_unpark(&once->word, UINT32_MAX);
            return;
        }
        if (state == ONCE_RUNNING) {
            sleep_on(&once->word, ONCE_RUNNING);
            state = __atomic_load_n(&once->word, __ATOMIC_ACQUIRE);
        }
    }
}
