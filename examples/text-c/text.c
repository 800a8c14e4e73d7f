// Tools that measure text. `wit-bindgen` generates bindings/text.h from wit/;
// build.sh says how. What a function returns is freed by the bindings.

#include "bindings/text.h"

#include <stdlib.h>
#include <string.h>

typedef exports_examples_text_analysis_counts_t counts;
typedef exports_examples_text_analysis_frequency_t frequency;
typedef exports_examples_text_analysis_list_frequency_t frequencies;
typedef exports_examples_text_analysis_place_t place;
typedef exports_examples_text_analysis_list_place_t places;
typedef exports_examples_text_analysis_letters_t letters;
typedef exports_examples_text_analysis_refusal_t refusal;

enum { DEFAULT_LIMIT = 10 };

// ---- characters ----

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }

static uint8_t lower(uint8_t c) { return is_upper(c) ? (uint8_t)(c + 32) : c; }

// Letters and digits; every byte of a character beyond ASCII counts as a letter.
static bool is_word(uint8_t c) {
  uint8_t l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

// Whether a byte starts a code point (rather than continuing one).
static bool starts_character(uint8_t c) { return (c & 0xC0) != 0x80; }

// Traps when memory is used up: the host reports it, and the next call gets a new instance.
static void *allocate(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (!memory) abort();
  return memory;
}

// ---- count ----

void exports_examples_text_analysis_count(text_string_t *text, counts *ret) {
  *ret = (counts){.bytes = text->len};
  bool in_word = false;
  for (size_t i = 0; i < text->len; i++) {
    uint8_t c = text->ptr[i];
    ret->characters += starts_character(c);
    ret->words += !in_word && !is_space(c);
    in_word = !is_space(c);
    ret->lines += c == '\n';
  }
  ret->lines += text->len > 0 && text->ptr[text->len - 1] != '\n';
  text_string_free(text);
}

// ---- frequent-words ----

static int by_word(const void *left, const void *right) {
  const text_string_t *a = left, *b = right;
  size_t common = a->len < b->len ? a->len : b->len;
  int order = memcmp(a->ptr, b->ptr, common);
  return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int by_count(const void *left, const void *right) {
  const frequency *a = left, *b = right;
  if (a->count != b->count) return a->count < b->count ? 1 : -1;
  return by_word(&a->word, &b->word);
}

// The words of a text, as slices of it. Lowers the text in place.
static size_t split(text_string_t *text, text_string_t *words) {
  size_t count = 0;
  for (size_t i = 0; i < text->len;) {
    if (!is_word(text->ptr[i])) {
      i++;
      continue;
    }
    size_t start = i;
    for (; i < text->len && is_word(text->ptr[i]); i++) text->ptr[i] = lower(text->ptr[i]);
    words[count++] = (text_string_t){text->ptr + start, i - start};
  }
  return count;
}

void exports_examples_text_analysis_frequent_words(text_string_t *text, uint32_t *limit, frequencies *ret) {
  // Between two words there is at least one other byte.
  text_string_t *words = allocate((text->len / 2 + 1) * sizeof *words);
  size_t count = split(text, words);
  qsort(words, count, sizeof *words, by_word);

  frequency *found = allocate(count * sizeof *found);
  size_t distinct = 0;
  for (size_t i = 0; i < count; i++) {
    if (distinct > 0 && by_word(&found[distinct - 1].word, &words[i]) == 0) found[distinct - 1].count++;
    else found[distinct++] = (frequency){words[i], 1};
  }
  qsort(found, distinct, sizeof *found, by_count);

  size_t wanted = limit ? *limit : DEFAULT_LIMIT;
  ret->len = distinct < wanted ? distinct : wanted;
  ret->ptr = allocate(ret->len * sizeof *ret->ptr);
  for (size_t i = 0; i < ret->len; i++) {
    ret->ptr[i].count = found[i].count;
    text_string_dup_n(&ret->ptr[i].word, (const char *)found[i].word.ptr, found[i].word.len);
  }
  free(found);
  free(words);
  text_string_free(text);
}

// ---- find ----

static bool occurs_at(const uint8_t *text, const text_string_t *needle, letters letters) {
  if (letters == EXPORTS_EXAMPLES_TEXT_ANALYSIS_LETTERS_EXACT) return memcmp(text, needle->ptr, needle->len) == 0;
  for (size_t i = 0; i < needle->len; i++) {
    if (lower(text[i]) != lower(needle->ptr[i])) return false;
  }
  return true;
}

static bool refuses(const text_string_t *text, const text_string_t *needle, refusal *err) {
  if (needle->len == 0) {
    err->tag = EXPORTS_EXAMPLES_TEXT_ANALYSIS_REFUSAL_EMPTY_NEEDLE;
    return true;
  }
  if (needle->len > text->len) {
    err->tag = EXPORTS_EXAMPLES_TEXT_ANALYSIS_REFUSAL_LONGER_THAN_TEXT;
    err->val.longer_than_text = (text_tuple2_u64_u64_t){needle->len, text->len};
    return true;
  }
  return false;
}

static void push(places *list, place place) {
  // Room doubles whenever the length is a power of two.
  if ((list->len & (list->len - 1)) == 0) {
    list->ptr = realloc(list->ptr, (list->len ? 2 * list->len : 1) * sizeof *list->ptr);
    if (!list->ptr) abort();
  }
  list->ptr[list->len++] = place;
}

bool exports_examples_text_analysis_find(text_string_t *text, text_string_t *needle, letters *maybe_letters,
                                         places *ret, refusal *err) {
  letters letters = maybe_letters ? *maybe_letters : EXPORTS_EXAMPLES_TEXT_ANALYSIS_LETTERS_EXACT;
  *ret = (places){NULL, 0};
  bool refused = refuses(text, needle, err);
  place here = {1, 1};
  for (size_t i = 0; !refused && i + needle->len <= text->len; i++) {
    if (occurs_at(text->ptr + i, needle, letters)) push(ret, here);
    if (text->ptr[i] == '\n') here = (place){here.line + 1, 1};
    // The next byte begins a new column unless it continues this character.
    else here.column += i + 1 < text->len && starts_character(text->ptr[i + 1]);
  }
  text_string_free(text);
  text_string_free(needle);
  return !refused;
}

// ---- functions of the world ----

void exports_text_slug(text_string_t *title, text_string_t *ret) {
  ret->ptr = allocate(title->len);
  ret->len = 0;
  bool gap = false;
  for (size_t i = 0; i < title->len; i++) {
    uint8_t c = title->ptr[i];
    if (!is_word(c)) {
      gap = ret->len > 0;
      continue;
    }
    if (gap) ret->ptr[ret->len++] = '-';
    gap = false;
    ret->ptr[ret->len++] = lower(c);
  }
  text_string_free(title);
}

uint32_t exports_text_crc32(text_list_u8_t *data) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < data->len; i++) {
    crc ^= data->ptr[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  text_list_u8_free(data);
  return ~crc;
}
