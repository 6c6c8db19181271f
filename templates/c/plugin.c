// {{name}}: checks a signature, drops pings, and tells the upstream the type in a header.
#include "hookgate.h"

// The name of the key: where `with` has the secret. The key itself stays in the host.
static const char KEY[] = "secret";

HG_VERIFY hg_verdict *verify(void) {
    hg_text signature;
    if (!hg_webhook_header("x-signature", &signature) || !hg_cut(&signature, "sha256="))
        return hg_verify_reject(401, "no signature");
    hg_part body = {.kind = HG_BODY};
    switch (hg_crypto_verify(KEY, "hmac-sha256", &body, 1, signature, HG_HEX)) {
    case HG_MATCHES: return hg_onward();
    case HG_DIFFERS: return hg_verify_reject(401, "the signature does not match");
    case HG_MALFORMED: return hg_verify_reject(401, "the signature cannot be read");
    default: return hg_fail_permanent("the key cannot be used");
    }
}

HG_FILTER hg_verdict *filter(void) {
    hg_text type;
    if (!hg_webhook_json_string("/type", &type)) return hg_filter_reject(400, "the body has no `/type`");
    if (hg_equal(type, hg("ping"))) return hg_filter_drop("a ping");
    hg_webhook_set_note("event", type);
    return hg_onward();
}

HG_TRANSFORM hg_deliveries *transform(void) {
    static hg_delivery delivery;
    hg_text type = hg("");
    hg_webhook_note("event", &type);
    delivery = hg_delivery_new();
    hg_delivery_set_header(delivery, "x-event-type", type);
    return hg_deliver(&delivery, 1);
}

HG_DESCRIBE hg_text *describe(void) {
    static hg_text text;
    text = hg("{\"name\":\"{{name}}\",\"version\":\"0.1.0\",\"description\":\"Checks a signature and drops pings\"}");
    return &text;
}

HG_CHECK hg_pairs *check(const char *config, size_t length) {
    // A real plugin would read it with a JSON library.
    static const char wanted[] = "\"secret\":";
    static hg_pair problem;
    static hg_pairs problems;
    bool found = false;
    for (size_t at = 0; at + sizeof wanted - 1 <= length; at++)
        found = found || memcmp(config + at, wanted, sizeof wanted - 1) == 0;
    problem = (hg_pair){hg(""), hg("say where the secret is: secret = { env = \"NAME\" }")};
    problems = (hg_pairs){&problem, found ? 0 : 1};
    return &problems;
}
