// {{name}}: checks a signature, drops pings, and tells the upstream the type in a header.
import * as webhook from 'hookgate:plugin/webhook@0.1.0';
import * as crypto from 'hookgate:plugin/crypto@0.1.0';
import * as log from 'hookgate:plugin/log@0.1.0';
import { Delivery } from 'hookgate:plugin/deliveries@0.1.0';

// The name of the key: where `with` has the secret. The key itself stays in the host.
const KEY = 'secret';

const reject = (status, reason) => ({ tag: 'reject', val: { status, reason } });

export const verify = {
  verify: () => lastWords(() => {
    const header = webhook.header('x-signature');
    if (header == null || !header.startsWith('sha256=')) return reject(401, 'no signature');
    try {
      const body = [{ tag: 'body' }];
      const ok = crypto.verify(KEY, 'hmac-sha256', body, header.slice(7), 'hex');
      return ok ? { tag: 'accept' } : reject(401, 'the signature does not match');
    } catch (error) {
      // The error of a `result` is thrown, in `payload` or as it is.
      const word = error.payload ?? error;
      if (word === 'malformed') return reject(401, 'the signature cannot be read');
      throw { tag: 'permanent', val: `the key cannot be used: ${word}` };
    }
  }),
};

export const filter = {
  filter: () => lastWords(() => {
    const type = webhook.jsonString('/type');
    if (type == null) return reject(400, 'the body has no `/type`');
    if (type === 'ping') return { tag: 'drop', val: 'a ping' };
    webhook.setNote('event', type);
    return { tag: 'forward' };
  }),
};

export const transform = {
  transform: () => lastWords(() => {
    const delivery = new Delivery();
    delivery.setHeader('x-event-type', webhook.note('event') ?? '');
    return [delivery];
  }),
};

export const lifecycle = {
  describe: () => JSON.stringify({
    name: '{{name}}', version: '0.1.0', description: 'Checks a signature and drops pings',
  }),
  check: (config) => 'secret' in JSON.parse(config)
    ? []
    : [['', 'say where the secret is: secret = { env = "NAME" }']],
};

// What is thrown as { tag, val } is a failure of the contract. Anything else is a trap that loses its
// message, so it goes to the log first.
function lastWords(stage) {
  try {
    return stage();
  } catch (error) {
    if (error?.tag === undefined) log.write('error', `${error}\n${error?.stack ?? ''}`, []);
    throw error;
  }
}
