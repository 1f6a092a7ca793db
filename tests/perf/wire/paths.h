/* The code whose instructions tests/perf/wire/cost.c counts; compiled as the kernel compiles it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Opens a request and reads its one number. */
uint64_t path_decode(const void *message, size_t size);

/* Writes an answer with two numbers; its size. */
size_t path_encode(void *buffer, size_t size, uint64_t value);

/* The client's side: builds the request, and reads the two numbers of the answer. */
size_t path_build_request(void *buffer, size_t size, uint64_t ns);
uint64_t path_read_answer(const void *message, size_t size);

/* 64 bytes of data: written from elsewhere, and found. */
size_t path_put_data(void *buffer, size_t size, const void *data);
const void *path_get_data(const void *message, size_t size);

/* Does nothing: what the counting itself costs. */
uint64_t path_nothing(const void *message, size_t size);
