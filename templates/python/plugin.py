"""{{name}}: checks a signature, drops pings, and tells the upstream the type in a header."""

import json
from functools import wraps

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import filter, verify
from wit_world.imports import crypto, log, webhook
from wit_world.imports.deliveries import Delivery
from wit_world.imports.types import Failure_Permanent, Rejection

# The name of the key: where `with` has the secret. The key itself stays in the host.
KEY = "secret"


def last_words(stage):
    """What is raised as `Err` is a failure of the contract. Anything else is a trap that loses its
    message, so it goes to the log first."""

    @wraps(stage)
    def guarded(self):
        try:
            return stage(self)
        except Err:
            raise
        except BaseException as error:
            # `traceback` would read the source, and there are no files here.
            at = error.__traceback__
            while at.tb_next is not None:
                at = at.tb_next
            place = f"line {at.tb_lineno} in {at.tb_frame.f_code.co_name}"
            log.write(log.Level.ERROR, f"{error!r}, {place}", [])
            raise

    return guarded


class Verify(exports.Verify):
    @last_words
    def verify(self) -> verify.Verdict:
        header = webhook.header("x-signature")
        if header is None or not header.startswith("sha256="):
            return verify.Verdict_Reject(Rejection(401, "no signature"))
        try:
            body = [crypto.Part_Body()]
            ok = crypto.verify(KEY, "hmac-sha256", body, header[7:], crypto.Encoding.HEX)
        except Err as error:
            if error.value == crypto.CryptoError.MALFORMED:
                return verify.Verdict_Reject(Rejection(401, "the signature cannot be read"))
            raise Err(Failure_Permanent(f"the key cannot be used: {error.value}"))
        if not ok:
            return verify.Verdict_Reject(Rejection(401, "the signature does not match"))
        return verify.Verdict_Accept()


class Filter(exports.Filter):
    @last_words
    def filter(self) -> filter.Verdict:
        event = webhook.json_string("/type")
        if event is None:
            return filter.Verdict_Reject(Rejection(400, "the body has no `/type`"))
        if event == "ping":
            return filter.Verdict_Drop("a ping")
        webhook.set_note("event", event)
        return filter.Verdict_Forward()


class Transform(exports.Transform):
    @last_words
    def transform(self) -> list[Delivery]:
        delivery = Delivery()
        delivery.set_header("x-event-type", webhook.note("event") or "")
        return [delivery]


class Lifecycle(exports.Lifecycle):
    def describe(self) -> str:
        return json.dumps(
            {
                "name": "{{name}}",
                "version": "0.1.0",
                "description": "Checks a signature and drops pings",
            }
        )

    def check(self, config: str) -> list[tuple[str, str]]:
        if "secret" in json.loads(config):
            return []
        return [("", 'say where the secret is: secret = { env = "NAME" }')]
