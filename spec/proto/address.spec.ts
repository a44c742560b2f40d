/** Node addresses against the table of `spec/vectors/addresses.json` and against themselves. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  defaultPort,
  formatNodeAddress,
  nodeAddressOf,
  parseNodeAddress,
  validateNodeAddress,
  type NodeAddress,
} from '../../proto/address.ts';
import { TroupeError } from '../../proto/errors.ts';
import { parseNodeId } from '../../proto/identity.ts';
import { formatEndpoint } from '../../proto/endpoint.ts';

type Partial = Readonly<{ protocol?: string; nodeId?: string; host?: string; port?: number; path?: string }>;
const vectors = JSON.parse(readFileSync(new URL('../vectors/addresses.json', import.meta.url), 'utf8')) as Readonly<{
  id: string;
  otherId: string;
  parse: readonly [string, string, string, number, string][];
  refuse: readonly [string, string][];
  print: readonly [Partial, string][];
  valid: readonly Partial[];
  invalid: readonly Partial[];
}>;

const spell = (text: string, id = vectors.id): string => text.replaceAll('UPPER', id.toUpperCase()).replaceAll('ID', id);
const addressFrom = (partial: Partial): NodeAddress => {
  const address = { protocol: '', nodeId: '', host: '', port: 0, path: '', ...partial };
  return { ...address, nodeId: spell(address.nodeId), path: spell(address.path) } as NodeAddress;
};
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof TroupeError) return error.code;
    throw error;
  }
  return 'none';
};

describe.each([vectors.id, vectors.otherId])('a node address with id %s', (id) => {
  test.each(vectors.parse)('%s is read', (text, protocol, host, port, path) => {
    expect(parseNodeAddress(spell(text, id))).toEqual({ protocol, nodeId: id, host, port, path });
  });

  test.each(vectors.parse)('%s comes back from its own text form', (text) => {
    const address = parseNodeAddress(spell(text, id));
    expect(parseNodeAddress(formatNodeAddress(address))).toEqual(address);
    expect(validateNodeAddress(address)).toBe(address);
  });
});

test.each(vectors.refuse)('%j is refused: %s', (text) => {
  for (const id of [vectors.id, vectors.otherId]) expect(codeOf(() => parseNodeAddress(spell(text, id)))).toBe('ERR_ADDRESS_INVALID');
});

test.each(vectors.print)('%j prints as %s', (partial, text) => {
  expect(formatNodeAddress(addressFrom(partial))).toBe(spell(text));
});

test.each(vectors.valid)('%j is valid', (partial) => {
  const address = addressFrom(partial);
  expect(validateNodeAddress(address)).toBe(address);
});

test.each(vectors.invalid)('%j is not valid', (partial) => {
  expect(codeOf(() => validateNodeAddress(addressFrom(partial)))).toBe('ERR_ADDRESS_INVALID');
});

test('the default port is that of listening nodes', () => {
  expect(defaultPort).toBe(26_656);
});

describe('the length limit', () => {
  const start = `mconn://${vectors.id}@h/`;

  test('256 bytes are read and 257 are refused', () => {
    const longest = start + 'p'.repeat(256 - start.length);
    expect(formatNodeAddress(parseNodeAddress(longest))).toBe(longest);
    expect(codeOf(() => parseNodeAddress(`${longest}p`))).toBe('ERR_ADDRESS_INVALID');
  });

  test('bytes are counted, not characters', () => {
    expect(codeOf(() => parseNodeAddress(start + 'é'.repeat(110)))).toBe('ERR_ADDRESS_INVALID');
  });

  test('a text whose printed form would be too long to read back is refused', () => {
    expect(parseNodeAddress(start + 'é'.repeat(34)).path).toHaveLength(35);
    expect(codeOf(() => parseNodeAddress(start + 'é'.repeat(35)))).toBe('ERR_ADDRESS_INVALID');
  });

  test('an error quotes no more than the beginning of a long text, escaped', () => {
    const error = (() => {
      try {
        return parseNodeAddress(`\u001b[31m${'x'.repeat(10_000)}`);
      } catch (thrown) {
        return thrown as TroupeError;
      }
    })() as TroupeError;
    expect(error.message.length).toBeLessThan(220);
    expect(error.message).not.toContain('\u001b');
  });
});

const hosts = fc.oneof(
  fc.constant(''),
  fc.ipV4(),
  fc.ipV6().map((ip) => `[${ip}]`),
  fc.domain(),
);
const written = fc
  .tuple(
    fc.constantFrom('', 'mconn://', 'tcp://', 'memory://'),
    fc.stringMatching(/^[0-9a-fA-F]{40}$/),
    hosts,
    fc.option(fc.nat(65_535), { nil: undefined }),
    fc.oneof(
      fc.constant(''),
      fc.webPath(),
      fc.webQueryParameters().map((query) => `?${query}`),
      fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => `/${text}`),
    ),
  )
  .map(([scheme, id, host, port, path]) => `${scheme}${id}@${host}${port === undefined || host === '' ? '' : `:${port}`}${path}`);

describe('as properties', () => {
  test('whatever is read comes back from its text form, which is stable', () => {
    fc.assert(
      fc.property(written, (text) => {
        let address: NodeAddress;
        try {
          address = parseNodeAddress(text);
        } catch {
          return fc.pre(false);
        }
        const printed = formatNodeAddress(address);
        expect(parseNodeAddress(printed)).toEqual(address);
        expect(formatNodeAddress(parseNodeAddress(printed))).toBe(printed);
      }),
      { seed: 62, numRuns: 3_000 },
    );
  });

  test('a valid address built from any path comes back from its text form', () => {
    const paths = fc.string({ unit: 'binary', maxLength: 15 }).map((text) => `/${text}`);
    fc.assert(
      fc.property(paths, fc.constantFrom('', '1.2.3.4', 'fd80::2', 'host'), (path, host) => {
        const address: NodeAddress = { protocol: 'mconn', nodeId: parseNodeId(vectors.id), host, port: 0, path };
        const accepted = codeOf(() => validateNodeAddress(address)) === 'none';
        expect(accepted).toBe(!/[\u0000-\u001f\u007f\p{Cs}]/u.test(path));
        if (accepted) expect(parseNodeAddress(formatNodeAddress(address))).toEqual(address);
      }),
      { seed: 62, numRuns: 2_000 },
    );
  });

  test('no text makes the parser throw anything but its own error', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .array(fc.constantFrom('mconn', '://', ':', '/', '@', '[', ']', '%', '%41', '#', '?', '.', vectors.id, '1', '::', 'é'), {
          maxLength: 12,
        })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(['none', 'ERR_ADDRESS_INVALID']).toContain(codeOf(() => parseNodeAddress(text)));
      }),
      { seed: 62, numRuns: 3_000 },
    );
  });
});

describe('the address of an endpoint', () => {
  const nodeId = parseNodeId(vectors.id);

  test.each([
    [{ protocol: 'tcp', ip: '1.2.3.4', port: 8080, path: '/path' }, `tcp://${vectors.id}@1.2.3.4:8080/path`],
    [{ protocol: 'tcp', ip: 'b10c::1', port: 0, path: '' }, `tcp://${vectors.id}@[b10c::1]`],
    [{ protocol: 'memory', ip: '', port: 0, path: vectors.id }, `memory:${vectors.id}`],
    [{ protocol: 'memory', ip: '', port: 80, path: '/p' }, `memory://${vectors.id}@/p`],
  ])('%j', (endpoint, text) => {
    expect(formatNodeAddress(nodeAddressOf(endpoint, nodeId))).toBe(text);
  });

  test('keeps what a partial endpoint has', () => {
    const none = { protocol: '', ip: '', port: 0, path: '' };
    expect(nodeAddressOf(none, '' as never)).toEqual({ protocol: '', nodeId: '', host: '', port: 0, path: '' });
    expect(nodeAddressOf({ ...none, ip: '1.2.3.4' }, nodeId).host).toBe('1.2.3.4');
    expect(nodeAddressOf({ ...none, port: 80 }, nodeId).port).toBe(0);
    expect(formatEndpoint(none)).toBe('');
  });
});
