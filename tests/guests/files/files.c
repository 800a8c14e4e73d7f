// A guest that tries things with files. Paths go to the host as they are: a
// place is written `ROOT:PATH`, ROOT being the name of a directory the guest
// starts with, or `@NAME`, one that `hold` opened.
//
// Answers are `ok`, `ok TEXT` or `error REASON`.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

typedef struct {
  char *text;
  size_t len;
} string;

typedef struct {
  string *items;
  size_t len;
} strings;

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t align, size_t size) {
  (void)old_size;
  if (size == 0) return (void *)align;
  void *new = realloc(old, size);
  if (!new) abort();
  return new;
}

#define ANSWER 65536
static char answer[ANSWER];

static void ok(const char *text) {
  snprintf(answer, ANSWER, *text ? "ok %s" : "ok", text);
}

static __wasi_errno_t failed(__wasi_errno_t error) {
  if (error) snprintf(answer, ANSWER, "error %s", strerror(error));
  return error;
}

static void done(__wasi_errno_t error) {
  if (!failed(error)) ok("");
}

// Directories that `hold` opened.
static struct {
  char name[32];
  __wasi_fd_t fd;
} held[16];
static int holds;

typedef struct {
  __wasi_fd_t fd;
  const char *path;
} place;

static int root_name(__wasi_fd_t fd, char *name, size_t size) {
  __wasi_prestat_t stat;
  if (__wasi_fd_prestat_get(fd, &stat) || stat.u.dir.pr_name_len >= size) return 0;
  memset(name, 0, size);
  return !__wasi_fd_prestat_dir_name(fd, (uint8_t *)name, stat.u.dir.pr_name_len);
}

static place find(char *text) {
  place found = {(__wasi_fd_t)-1, ""};
  char *colon = text ? strchr(text, ':') : NULL;
  if (!colon) return found;
  *colon = 0;
  found.path = colon + 1;
  for (int i = 0; i < holds; i++)
    if (*text == '@' && !strcmp(held[i].name, text + 1)) found.fd = held[i].fd;
  char name[4096];
  for (__wasi_fd_t fd = 3; root_name(fd, name, sizeof name); fd++)
    if (!strcmp(name, text)) found.fd = fd;
  return found;
}

// r read, w write, a append, c create, x exclusively, t truncate, d directory, n links are not followed
static __wasi_errno_t open_at(place at, const char *how, __wasi_fd_t *fd) {
  __wasi_oflags_t oflags = 0;
  __wasi_rights_t rights = 0;
  if (strchr(how, 'c')) oflags |= __WASI_OFLAGS_CREAT;
  if (strchr(how, 'x')) oflags |= __WASI_OFLAGS_EXCL;
  if (strchr(how, 't')) oflags |= __WASI_OFLAGS_TRUNC;
  if (strchr(how, 'd')) oflags |= __WASI_OFLAGS_DIRECTORY;
  if (strchr(how, 'r')) rights |= __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_READDIR;
  if (strchr(how, 'w')) rights |= __WASI_RIGHTS_FD_WRITE;
  return __wasi_path_open(at.fd, strchr(how, 'n') ? 0 : __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, at.path, oflags,
                          rights, rights, strchr(how, 'a') ? __WASI_FDFLAGS_APPEND : 0, fd);
}

static __wasi_errno_t read_all(place at, char *text, size_t size) {
  __wasi_fd_t fd;
  __wasi_errno_t error = open_at(at, "r", &fd);
  if (error) return error;
  size_t len = 0, some;
  do {
    __wasi_iovec_t into = {(uint8_t *)text + len, size - 1 - len};
    some = 0;
    error = __wasi_fd_read(fd, &into, 1, &some);
    len += some;
  } while (!error && some && len < size - 1);
  text[len] = 0;
  (void)!__wasi_fd_close(fd);
  return error;
}

static void read_file(place at) {
  static char text[ANSWER / 2];
  if (!failed(read_all(at, text, sizeof text))) ok(text);
}

static void write_file(place at, const char *how, const char *text) {
  __wasi_fd_t fd;
  if (failed(open_at(at, how, &fd))) return;
  __wasi_ciovec_t from = {(const uint8_t *)text, strlen(text)};
  size_t some;
  done(__wasi_fd_write(fd, &from, 1, &some));
  (void)!__wasi_fd_close(fd);
}

static void open_file(place at, const char *how) {
  __wasi_fd_t fd;
  __wasi_errno_t error = open_at(at, how, &fd);
  if (!error) (void)!__wasi_fd_close(fd);
  done(error);
}

static void hold(const char *name, place at) {
  __wasi_fd_t fd;
  if (holds == 16 || failed(open_at(at, "rd", &fd))) return;
  snprintf(held[holds].name, sizeof held->name, "%s", name);
  held[holds++].fd = fd;
  ok("");
}

// The names in a directory, each followed by a slash; of a large one their number.
static void list(place at, int count_only) {
  static char text[ANSWER / 2];
  static uint8_t buffer[16384];
  __wasi_fd_t fd;
  if (failed(open_at(at, "rd", &fd))) return;
  __wasi_dircookie_t cookie = 0;
  size_t used, len = 0, count = 0;
  text[0] = 0;
  do {
    if (failed(__wasi_fd_readdir(fd, buffer, sizeof buffer, cookie, &used))) return;
    for (size_t at_byte = 0; at_byte + sizeof(__wasi_dirent_t) <= used;) {
      __wasi_dirent_t entry;
      memcpy(&entry, buffer + at_byte, sizeof entry);
      at_byte += sizeof entry;
      if (at_byte + entry.d_namlen > used) break;
      const char *name = (const char *)buffer + at_byte;
      int dots = entry.d_namlen <= 2 && !memcmp(name, "..", entry.d_namlen);
      if (!dots) {
        count++;
        if (!count_only && len + entry.d_namlen + 2 < sizeof text)
          len += (size_t)snprintf(text + len, sizeof text - len, "%.*s/", (int)entry.d_namlen, name);
      }
      at_byte += entry.d_namlen;
      cookie = entry.d_next;
    }
  } while (used == sizeof buffer);
  if (count_only) snprintf(text, sizeof text, "%zu", count);
  (void)!__wasi_fd_close(fd);
  ok(text);
}

static void stat_file(place at, __wasi_lookupflags_t flags) {
  static const char *kinds[] = {"unknown", "block-device", "character-device", "directory", "file", "socket", "socket", "link"};
  __wasi_filestat_t stat;
  if (!failed(__wasi_path_filestat_get(at.fd, flags, at.path, &stat))) ok(stat.filetype < 8 ? kinds[stat.filetype] : "?");
}

static void read_link(place at) {
  char text[4096];
  size_t len = 0;
  if (failed(__wasi_path_readlink(at.fd, at.path, (uint8_t *)text, sizeof text - 1, &len))) return;
  text[len] = 0;
  ok(text);
}

// Reads a file many times, while it is changed, and counts what it was.
static void race(int times, place at) {
  int public = 0, secret = 0, errors = 0;
  for (int i = 0; i < times; i++) {
    char text[64] = "";
    if (read_all(at, text, sizeof text)) errors++;
    else if (!strcmp(text, "public")) public++;
    else secret++;
  }
  char text[100];
  snprintf(text, sizeof text, "public=%d secret=%d errors=%d", public, secret, errors);
  ok(text);
}

// Writes to a file many times, while it is changed.
static void write_race(int times, place at) {
  static char copy[4096];
  for (int i = 0; i < times; i++) {
    snprintf(copy, sizeof copy, "%s", at.path);
    write_file((place){at.fd, copy}, "wct", "guest");
  }
  ok("");
}

// Puts one thing in the place of the other and back, many times.
static void swap(int times, place name, place other) {
  place aside = {name.fd, "aside"};
  for (int i = 0; i < times; i++) {
    place moves[][2] = {{name, aside}, {other, name}, {name, other}, {aside, name}};
    for (int m = 0; m < 4; m++)
      if (failed(__wasi_path_rename(moves[m][0].fd, moves[m][0].path, moves[m][1].fd, moves[m][1].path))) return;
  }
  ok("");
}

static void roots(void) {
  static char text[ANSWER / 2];
  char name[4096];
  size_t len = 0;
  text[0] = 0;
  for (__wasi_fd_t fd = 3; root_name(fd, name, sizeof name); fd++)
    len += (size_t)snprintf(text + len, sizeof text - len, *text ? " %s" : "%s", name);
  ok(text);
}

static void step(char *line) {
  char *words[4] = {strtok(line, " "), strtok(NULL, " "), strtok(NULL, " "), strtok(NULL, "")};
  char *what = words[0], *a = words[1], *b = words[2];
  if (!what) return ok("");
  if (!a) a = "";
  if (!b) b = "";
#define IS(word) (!strcmp(what, word))
  if (IS("roots")) return roots();
  if (IS("symlink")) { place new = find(b); return done(__wasi_path_symlink(a, new.fd, new.path)); }
  if (IS("hold")) return hold(a, find(b));
  if (IS("race")) return race(atoi(a), find(b));
  if (IS("write-race")) return write_race(atoi(a), find(b));
  if (IS("swap")) { place name = find(b); return swap(atoi(a), name, find(words[3])); }
  place at = find(a);
  if (IS("read")) return read_file(at);
  if (IS("write")) return write_file(at, "wct", b);
  if (IS("append")) return write_file(at, "wa", b);
  if (IS("open")) return open_file(at, b);
  if (IS("list")) return list(at, 0);
  if (IS("count")) return list(at, 1);
  if (IS("stat")) return stat_file(at, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW);
  if (IS("lstat")) return stat_file(at, 0);
  if (IS("readlink")) return read_link(at);
  if (IS("mkdir")) return done(__wasi_path_create_directory(at.fd, at.path));
  if (IS("rmdir")) return done(__wasi_path_remove_directory(at.fd, at.path));
  if (IS("unlink")) return done(__wasi_path_unlink_file(at.fd, at.path));
  if (IS("touch"))
    return done(__wasi_path_filestat_set_times(at.fd, 0, at.path, 0, 1000000000, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM));
  place new = find(b);
  if (IS("rename")) return done(__wasi_path_rename(at.fd, at.path, new.fd, new.path));
  if (IS("link")) return done(__wasi_path_link(at.fd, 0, at.path, new.fd, new.path));
  snprintf(answer, ANSWER, "error no such step");
}

__attribute__((export_name("run"))) strings *run(string *steps, size_t len) {
  static strings all;
  all.items = calloc(len, sizeof(string));
  all.len = len;
  for (size_t i = 0; i < len; i++) {
    char *line = strndup(steps[i].text, steps[i].len);
    step(line);
    free(line);
    all.items[i].text = strdup(answer);
    all.items[i].len = strlen(answer);
  }
  return &all;
}
