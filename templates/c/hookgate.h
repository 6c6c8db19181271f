// The contract of Hookgate for C: what `wit/deps/hookgate.wit` says, in the canonical ABI of components.
//
// The host gives text and bytes as pointers into memory that `cabi_realloc` below made. Nothing is ever
// freed: an instance lives for one webhook. Functions that may have nothing to give return false.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct { const char *at; size_t length; } hg_text;
typedef hg_text hg_bytes;
typedef struct { hg_text name, value; } hg_pair;
typedef struct { const hg_pair *at; size_t length; } hg_pairs;

static inline hg_text hg(const char *literal) { return (hg_text){literal, strlen(literal)}; }

static inline bool hg_equal(hg_text a, hg_text b) {
    return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

// Whether `text` begins with `prefix`, which is then taken off.
static inline bool hg_cut(hg_text *text, const char *prefix) {
    size_t length = strlen(prefix);
    if (text->length < length || memcmp(text->at, prefix, length) != 0) return false;
    text->at += length, text->length -= length;
    return true;
}

#define HG_IMPORT(interface, function) \
    __attribute__((import_module("hookgate:plugin/" interface "@0.1.0"), import_name(function))) extern
#define HG_EXPORT(interface, function) \
    __attribute__((export_name("hookgate:plugin/" interface "@0.1.0#" function)))

__attribute__((export_name("cabi_realloc")))
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size, (void)align; // malloc aligns to 16, and nothing of the contract needs more than 8.
    void *new = realloc(old, size);
    if (!new && size) abort();
    return new;
}

// ---- What the host gives back: a flag, then text.

typedef struct { uint8_t some; hg_text text; } hg_maybe;

static inline bool hg_take(const hg_maybe *maybe, hg_text *text) {
    if (maybe->some) *text = maybe->text;
    return maybe->some;
}

// ---- webhook: the webhook exactly as received.

typedef struct {
    hg_text id, route, method, path;
    hg_maybe query;
    uint64_t received_at_ms;
    hg_text sender;
    hg_maybe public_url;
    uint32_t body_length;
} hg_webhook_info;
_Static_assert(sizeof(hg_webhook_info) == 80, "the layout of the canonical ABI");

HG_IMPORT("webhook", "info") void hg_webhook_info_get(hg_webhook_info *info);
HG_IMPORT("webhook", "header") void hg__header(const char *, size_t, hg_maybe *);
HG_IMPORT("webhook", "headers") void hg_webhook_headers(hg_pairs *headers);
HG_IMPORT("webhook", "query-param") void hg__query(const char *, size_t, hg_maybe *);
HG_IMPORT("webhook", "body") void hg_webhook_body(hg_bytes *body);
HG_IMPORT("webhook", "body-text") void hg__body_text(hg_maybe *);
HG_IMPORT("webhook", "json") void hg__json(const char *, size_t, hg_maybe *);
HG_IMPORT("webhook", "json-string") void hg__json_string(const char *, size_t, hg_maybe *);
HG_IMPORT("webhook", "note") void hg__note(const char *, size_t, hg_maybe *);
HG_IMPORT("webhook", "set-note") void hg__set_note(const char *, size_t, const char *, size_t);

#define HG_ASK(name, import) \
    static inline bool name(const char *key, hg_text *value) { \
        hg_maybe maybe; \
        import(key, strlen(key), &maybe); \
        return hg_take(&maybe, value); \
    }
HG_ASK(hg_webhook_header, hg__header)           // the first value, in any case
HG_ASK(hg_webhook_query, hg__query)             // decoded
HG_ASK(hg_webhook_json, hg__json)               // JSON text at an RFC 6901 pointer
HG_ASK(hg_webhook_json_string, hg__json_string) // a string there, unquoted
HG_ASK(hg_webhook_note, hg__note)

static inline bool hg_webhook_body_text(hg_text *text) {
    hg_maybe maybe;
    hg__body_text(&maybe);
    return hg_take(&maybe, text);
}

static inline void hg_webhook_set_note(const char *key, hg_text value) {
    hg__set_note(key, strlen(key), value.at, value.length);
}

typedef struct { uint32_t offset, length; } hg_slice;
typedef struct { uint8_t some; const hg_slice *at; size_t length; } hg_slices;
HG_IMPORT("webhook", "json-array-slices") void hg__slices(const char *, size_t, hg_slices *);

// Where the elements of the JSON array at `pointer` are in the body.
static inline bool hg_webhook_json_array_slices(const char *pointer, hg_slices *slices) {
    hg__slices(pointer, strlen(pointer), slices);
    return slices->some;
}

// ---- crypto: keys are named, never read.

typedef enum { HG_HEX, HG_BASE64, HG_BASE64URL } hg_encoding;
typedef enum { HG_MATCHES, HG_DIFFERS, HG_UNKNOWN_KEY, HG_UNSUPPORTED, HG_MALFORMED, HG_KEY_UNAVAILABLE } hg_checked;
typedef enum { HG_TEXT, HG_BYTES, HG_BODY, HG_HEADER } hg_part_kind;
typedef struct { uint8_t kind; hg_text value; } hg_part;

HG_IMPORT("crypto", "verify") void hg__verify(const char *, size_t, const char *, size_t, const hg_part *, size_t,
                                              const char *, size_t, int32_t, uint8_t *);
HG_IMPORT("crypto", "equals-secret") void hg__equals(const char *, size_t, const char *, size_t, uint8_t *);

static inline hg_checked hg__checked(const uint8_t result[2]) {
    if (result[0]) return HG_UNKNOWN_KEY + result[1];
    return result[1] ? HG_MATCHES : HG_DIFFERS;
}

// Checks a MAC or signature over the parts, with any key of that name.
static inline hg_checked hg_crypto_verify(const char *key, const char *algorithm, const hg_part *parts, size_t count,
                                          hg_text signature, hg_encoding encoding) {
    uint8_t result[2];
    hg__verify(key, strlen(key), algorithm, strlen(algorithm), parts, count,
               signature.at, signature.length, encoding, result);
    return hg__checked(result);
}

// Compares with a secret in constant time.
static inline hg_checked hg_crypto_equals_secret(const char *key, hg_text candidate) {
    uint8_t result[2];
    hg__equals(key, strlen(key), candidate.at, candidate.length, result);
    return hg__checked(result);
}

// ---- deliveries: count only when they are returned.

typedef int32_t hg_delivery;

HG_IMPORT("deliveries", "[constructor]delivery") hg_delivery hg_delivery_new(void);
HG_IMPORT("deliveries", "[method]delivery.set-header") void hg__set_header(hg_delivery, const char *, size_t, const char *, size_t);
HG_IMPORT("deliveries", "[method]delivery.add-header") void hg__add_header(hg_delivery, const char *, size_t, const char *, size_t);
HG_IMPORT("deliveries", "[method]delivery.remove-header") void hg__remove_header(hg_delivery, const char *, size_t);
HG_IMPORT("deliveries", "[method]delivery.set-body") void hg__set_body(hg_delivery, const char *, size_t);
HG_IMPORT("deliveries", "[method]delivery.set-body-slice") void hg_delivery_set_body_slice(hg_delivery, uint32_t offset, uint32_t length);
HG_IMPORT("deliveries", "[method]delivery.set-path") void hg__set_path(hg_delivery, const char *, size_t);
HG_IMPORT("deliveries", "[method]delivery.set-upstream") bool hg__set_upstream(hg_delivery, const char *, size_t);
HG_IMPORT("deliveries", "[method]delivery.set-ordering-key") void hg__set_ordering_key(hg_delivery, const char *, size_t);
HG_IMPORT("deliveries", "[method]delivery.set-dedupe-key") void hg__set_dedupe_key(hg_delivery, const char *, size_t, uint32_t);

static inline void hg_delivery_set_header(hg_delivery d, const char *name, hg_text value) {
    hg__set_header(d, name, strlen(name), value.at, value.length);
}
static inline void hg_delivery_add_header(hg_delivery d, const char *name, hg_text value) {
    hg__add_header(d, name, strlen(name), value.at, value.length);
}
static inline void hg_delivery_remove_header(hg_delivery d, const char *name) {
    hg__remove_header(d, name, strlen(name));
}
static inline void hg_delivery_set_body(hg_delivery d, hg_bytes body) { hg__set_body(d, body.at, body.length); }
static inline void hg_delivery_set_path(hg_delivery d, hg_text path) { hg__set_path(d, path.at, path.length); }
static inline bool hg_delivery_set_upstream(hg_delivery d, const char *name) {
    return hg__set_upstream(d, name, strlen(name));
}
static inline void hg_delivery_set_ordering_key(hg_delivery d, hg_text key) {
    hg__set_ordering_key(d, key.at, key.length);
}
static inline void hg_delivery_set_dedupe_key(hg_delivery d, hg_text key, uint32_t ttl_s) {
    hg__set_dedupe_key(d, key.at, key.length, ttl_s);
}

// ---- config, log.

HG_IMPORT("config", "get") void hg_config_get(hg_text *json);

typedef enum { HG_TRACE, HG_DEBUG, HG_INFO, HG_WARN, HG_ERROR } hg_level;
HG_IMPORT("log", "write") void hg__log(int32_t, const char *, size_t, const hg_pair *, size_t);

static inline void hg_log(hg_level level, const char *message) { hg__log(level, message, strlen(message), NULL, 0); }

// Ends this instance. What `printf` and `assert` would say goes nowhere; this goes to the log.
static inline _Noreturn void hg_die(const char *last_words) {
    hg_log(HG_ERROR, last_words);
    abort();
}

// ---- What stages return. Each stage fills one static result and returns its address.

// The contract aligns a verdict to 4 bytes.
typedef struct {
    _Alignas(4) uint8_t is_failure;
    _Alignas(4) uint8_t kind;
    union {
        struct { _Alignas(4) uint16_t status; hg_text reason; } reject;
        struct { _Alignas(4) uint16_t status; hg_pairs headers; hg_text body; } respond;
        hg_text text;
    };
} hg_verdict;
_Static_assert(sizeof(hg_verdict) == 28, "the layout of the canonical ABI");

typedef struct {
    _Alignas(4) uint8_t is_failure;
    union {
        struct { const hg_delivery *at; size_t length; } deliveries;
        struct { _Alignas(4) uint8_t kind; hg_text text; } failure;
    };
} hg_deliveries;

static inline hg_verdict *hg__answer(hg_verdict verdict) {
    static hg_verdict answer;
    answer = verdict;
    return &answer;
}

// Accept, or forward.
static inline hg_verdict *hg_onward(void) { return hg__answer((hg_verdict){.kind = 0}); }

#define HG_VERIFY HG_EXPORT("verify", "verify")
static inline hg_verdict *hg_verify_reject(uint16_t status, const char *reason) {
    return hg__answer((hg_verdict){.kind = 1, .reject = {status, hg(reason)}});
}
static inline hg_verdict *hg_verify_respond(uint16_t status, hg_pairs headers, hg_text body) {
    return hg__answer((hg_verdict){.kind = 2, .respond = {status, headers, body}});
}

#define HG_FILTER HG_EXPORT("filter", "filter")
static inline hg_verdict *hg_filter_drop(const char *reason) {
    return hg__answer((hg_verdict){.kind = 1, .text = hg(reason)});
}
static inline hg_verdict *hg_filter_reject(uint16_t status, const char *reason) {
    return hg__answer((hg_verdict){.kind = 2, .reject = {status, hg(reason)}});
}
static inline hg_verdict *hg_filter_respond(uint16_t status, hg_pairs headers, hg_text body) {
    return hg__answer((hg_verdict){.kind = 3, .respond = {status, headers, body}});
}

// A failure is no verdict: the sender is told to call again.
static inline hg_verdict *hg_fail_temporary(const char *why) {
    return hg__answer((hg_verdict){.is_failure = 1, .kind = 0, .text = hg(why)});
}
// The same webhook will always fail here.
static inline hg_verdict *hg_fail_permanent(const char *why) {
    return hg__answer((hg_verdict){.is_failure = 1, .kind = 1, .text = hg(why)});
}

#define HG_TRANSFORM HG_EXPORT("transform", "transform")
static inline hg_deliveries *hg_deliver(const hg_delivery *deliveries, size_t count) {
    static hg_deliveries answer;
    answer = (hg_deliveries){.deliveries = {deliveries, count}};
    return &answer;
}
static inline hg_deliveries *hg_deliver_fail(const char *why) {
    static hg_deliveries answer;
    answer = (hg_deliveries){.is_failure = 1, .failure = {1, hg(why)}};
    return &answer;
}

#define HG_DESCRIBE HG_EXPORT("lifecycle", "describe")
#define HG_CHECK HG_EXPORT("lifecycle", "check")
