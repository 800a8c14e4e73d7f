// A guest that tries to see what is nobody's business, and to take more than its
// share. escape.wit says what each function does.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(module, name) __attribute__((import_module(module "@0.2.0"), import_name(name)))

#define CLOCK "wasi:clocks/monotonic-clock"
#define HTTP "wasi:http/types"
#define STREAMS "wasi:io/streams"

typedef int32_t handle;

IMPORT(CLOCK, "subscribe-duration") handle subscribe(uint64_t nanoseconds);
IMPORT("wasi:io/poll", "[method]pollable.block") void block(handle timer);
IMPORT("wasi:io/poll", "[resource-drop]pollable") void drop_timer(handle timer);
IMPORT("wasi:cli/stdout", "get-stdout") handle get_stdout(void);
IMPORT(STREAMS, "[resource-drop]output-stream") void drop_stream(handle stream);
IMPORT(HTTP, "[constructor]fields") handle new_fields(void);
IMPORT(HTTP, "[resource-drop]fields") void drop_fields(handle fields);
IMPORT(HTTP, "[constructor]outgoing-request") handle new_request(handle fields);
IMPORT(HTTP, "[resource-drop]outgoing-request") void drop_request(handle request);

// Results: whether there is an error, and the value where there is none.
typedef struct {
  uint8_t is_error;
  handle value;
} got_handle;

typedef struct {
  uint8_t is_error;
  uint64_t value;
} got_size;

IMPORT(HTTP, "[method]fields.append")
void append(handle fields, const char *name, size_t name_len, const void *value, size_t len, got_handle *ret);
IMPORT(HTTP, "[method]outgoing-request.set-method")
int32_t set_method(handle request, int32_t method, const char *other, size_t len);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query")
int32_t set_path(handle request, int32_t is_some, const char *path, size_t len);
IMPORT(HTTP, "[method]outgoing-request.set-authority")
int32_t set_authority(handle request, int32_t is_some, const char *authority, size_t len);
IMPORT(HTTP, "[method]outgoing-request.body") void get_body(handle request, got_handle *ret);
IMPORT(HTTP, "[method]outgoing-body.write") void get_stream(handle body, got_handle *ret);
IMPORT(STREAMS, "[method]output-stream.check-write") void check_write(handle stream, got_size *ret);
IMPORT(STREAMS, "[method]output-stream.write")
void write_to(handle stream, const void *bytes, size_t len, got_handle *ret);

// Strings and lists are both this.
typedef struct {
  const void *items;
  size_t len;
} list;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)old_size;
  if (size == 0) return (void *)align;
  void *new = realloc(old, size);
  if (!new) abort();
  return new;
}

static list *answer(const void *items, size_t len) {
  static list ret;
  ret = (list){items, len};
  return &ret;
}

static list string(const char *text) { return (list){text, strlen(text)}; }

EXPORT("add") uint32_t add(uint32_t a, uint32_t b) { return a + b; }

EXPORT("count") uint64_t count(uint64_t to) {
  volatile uint64_t n = 0;
  while (n < to) n++;
  return n;
}

// What WASI 0.1 gives in one piece, as pointers and as text.
static list *strings(__wasi_errno_t (*sizes)(__wasi_size_t *, __wasi_size_t *),
                     __wasi_errno_t (*get)(uint8_t **, uint8_t *)) {
  __wasi_size_t count, bytes;
  if (sizes(&count, &bytes)) abort();
  uint8_t **pointers = calloc(count + 1, sizeof *pointers);
  if (get(pointers, calloc(bytes + 1, 1))) abort();
  list *all = calloc(count + 1, sizeof *all);
  for (size_t i = 0; i < count; i++) all[i] = string((const char *)pointers[i]);
  return answer(all, count);
}

EXPORT("variables") list *variables(void) {
  return strings(__wasi_environ_sizes_get, __wasi_environ_get);
}

EXPORT("arguments") list *arguments(void) {
  return strings(__wasi_args_sizes_get, __wasi_args_get);
}

EXPORT("directories") list *directories(void) {
  static list all[64];
  size_t len = 0;
  char here[4096];
  all[len++] = string(strdup(getcwd(here, sizeof here) ? here : "?"));
  __wasi_prestat_t stat;
  for (__wasi_fd_t fd = 3; len < 64 && !__wasi_fd_prestat_get(fd, &stat); fd++) {
    size_t size = stat.u.dir.pr_name_len;
    char *name = calloc(size + 1, 1);
    if (__wasi_fd_prestat_dir_name(fd, (uint8_t *)name, size)) abort();
    all[len++] = string(name);
  }
  return answer(all, len);
}

EXPORT("allocate") uint32_t allocate(void) {
  static const size_t piece = 1 << 20;
  for (uint32_t n = 0;; n++) {
    volatile char *memory = malloc(piece);
    if (!memory) return n;
    for (size_t at = 0; at < piece; at += 4096) memory[at] = 1;
  }
}

EXPORT("grow-memory") void grow_memory(void) {
  for (;;) __builtin_wasm_memory_grow(0, 16);
}

static __externref_t table[0];

EXPORT("grow-table") void grow_table(void) {
  while (__builtin_wasm_table_grow(table, __builtin_wasm_ref_null_extern(), 1000) != -1) continue;
  abort();
}

EXPORT("spin") void spin(void) {
  for (;;) __asm__ volatile("");
}

EXPORT("ask-clock") void ask_clock(void) {
  __wasi_timestamp_t now;
  for (;;) (void)!__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &now);
}

EXPORT("ask-random") void ask_random(void) {
  static uint8_t bytes[65536];
  for (;;) (void)!__wasi_random_get(bytes, sizeof bytes);
}

EXPORT("doze") void doze(void) {
  for (;;) {
    handle timer = subscribe(1);
    block(timer);
    drop_timer(timer);
  }
}

EXPORT("sleep") void sleep_long(void) { block(subscribe(UINT64_MAX)); }

enum thing { TIMER, STREAM, FIELDS, REQUEST };

static handle make(enum thing thing) {
  switch (thing) {
    case TIMER: return subscribe(1000000000);
    case STREAM: return get_stdout();
    case FIELDS: return new_fields();
    case REQUEST: return new_request(new_fields());
  }
  abort();
}

EXPORT("make-and-drop") void make_and_drop(enum thing thing, uint32_t times) {
  static void (*const drops[])(handle) = {drop_timer, drop_stream, drop_fields, drop_request};
  for (uint32_t i = 0; i < times; i++) drops[thing](make(thing));
}

EXPORT("hoard") void hoard(enum thing thing) {
  for (;;) make(thing);
}

enum part { HEADER, METHOD, PATH, AUTHORITY, BODY };

// Of the variant `method`.
static const int32_t OTHER = 9;

static uint32_t fill_header(handle fields, const char *letters, uint32_t kib) {
  got_handle done;
  uint32_t filled = 0;
  for (; filled < kib; filled++) append(fields, "x", 1, letters, 1024, &done);
  return filled;
}

static uint32_t fill_body(handle request, const char *letters, uint32_t kib) {
  got_handle got;
  got_size room;
  get_body(request, &got);
  get_stream(got.value, &got);
  handle stream = got.value;
  for (uint32_t filled = 0;;) {
    check_write(stream, &room);
    uint32_t piece = room.value >> 10 < kib - filled ? room.value >> 10 : kib - filled;
    if (room.is_error || !piece) return filled;
    write_to(stream, letters, piece << 10, &got);
    filled += piece;
  }
}

// `letters` follow a slash.
static uint32_t fill_one(enum part part, const char *letters, uint32_t kib) {
  size_t len = kib << 10;
  handle fields = new_fields();
  if (part == HEADER) return fill_header(fields, letters, kib);
  handle request = new_request(fields);
  switch (part) {
    case METHOD: return set_method(request, OTHER, letters, len) ? 0 : kib;
    case PATH: return set_path(request, 1, letters - 1, len) ? 0 : kib;
    case AUTHORITY: return set_authority(request, 1, letters, len) ? 0 : kib;
    default: return fill_body(request, letters, kib);
  }
}

EXPORT("fill") uint32_t fill(enum part part, uint32_t kib, uint32_t times) {
  char *text = malloc(1 + (kib << 10));
  memset(text, 'A', 1 + (kib << 10));
  *text = '/';
  uint32_t filled = 0;
  for (uint32_t i = 0; i < times; i++) filled += fill_one(part, text + 1, kib);
  return filled;
}

EXPORT("text") list *text(uint32_t bytes) {
  char *letters = malloc(bytes);
  memset(letters, 'a', bytes);
  return answer(letters, bytes);
}

EXPORT("numbers") list *numbers(uint32_t count) {
  uint32_t *all = malloc(count * sizeof *all);
  for (uint32_t i = 0; i < count; i++) all[i] = i;
  return answer(all, count);
}

EXPORT("print") void print(void) {
  for (;;) puts("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
}

EXPORT("complain") void complain(void) {
  for (;;) fputs("\033[2J error: out of words\n", stderr);
}

static volatile uint32_t deepest;

__attribute__((noinline)) static uint32_t deeper(uint32_t depth) {
  deepest = depth;
  if (depth == UINT32_MAX) return 0;
  return deeper(depth + 1) + deepest;
}

__attribute__((noinline)) static uint32_t wider(uint32_t depth) {
  volatile uint32_t here[1024];
  here[depth % 1024] = depth;
  if (depth == UINT32_MAX) return 0;
  return wider(depth + 1) + here[0];
}

EXPORT("recurse") void recurse(void) { deeper(0); }
EXPORT("recurse-wide") void recurse_wide(void) { wider(0); }

EXPORT("echo") list *echo(const void *lists, size_t len) { return answer(lists, len); }

#define DEPTH 24
#define WIDEST 16

EXPORT("nest") list *nest(uint32_t width) {
  static list levels[DEPTH - 1][WIDEST];
  list inner = string("x");
  for (size_t level = 0; level < DEPTH - 1; level++) {
    for (size_t i = 0; i < width && i < WIDEST; i++) levels[level][i] = inner;
    inner = (list){levels[level], width};
  }
  return answer(inner.items, inner.len);
}
