import { expect, test } from '@jest/globals';
import { refusalOf } from '../../actors/gate.ts';
import { Link } from '../../actors/link.ts';
import { Links } from '../../actors/links.ts';
import { parseOptions, slotsOptions } from '../../proto/options.ts';
import type { Connection } from '../../transports/transport.ts';

const from = (ip: string): Connection =>
  ({ remoteEndpoint: { protocol: 'mconn', ip, port: 1, path: '' }, direction: 'inbound' }) as unknown as Connection;

/** A gate behind which nobody is yet, with two connections an address and three a network. */
function gate(loopbackIsPublic = false) {
  const links = new Links();
  const slots = parseOptions(slotsOptions, { perIp: 2, perNet: 3 });
  /** Lets those in that may come in, and says what the others were told. */
  const knock = (...ips: readonly string[]): readonly (string | undefined)[] =>
    ips.map((ip) => {
      const refusal = refusalOf(from(ip), { links, slots, loopbackIsPublic, pressure: undefined });
      if (!refusal) links.add((name) => new Link({ ...name, connection: from(ip), address: undefined, queue: {}, rates: {} } as never));
      return refusal;
    });
  return { links, knock };
}

test('closes at once who comes from an address or network that has its share of connections', () => {
  const { links, knock } = gate();
  expect(knock('9.9.9.1', '9.9.9.1', '9.9.9.1')).toEqual([undefined, undefined, 'full']);
  expect(knock('9.9.9.2', '9.9.9.3', '9.9.8.3')).toEqual([undefined, 'full', undefined]);
  const [first] = links;
  links.remove(first!);
  expect(knock('9.9.9.3', '9.9.9.1')).toEqual([undefined, 'full']);
});

test('takes the /64 of one IPv6 host for one address, and a /56 for one network', () => {
  const { knock } = gate();
  expect(knock('2600:1:2:aa00::1', '2600:1:2:aa00::2', '2600:1:2:aa00::3')).toEqual([undefined, undefined, 'full']);
  expect(knock('2600:1:2:aa01::1', '2600:1:2:aa02::1', '2600:1:2:ab00::1')).toEqual([undefined, 'full', undefined]);
  expect(knock('::ffff:9.9.9.1', '9.9.9.1', '::ffff:9.9.9.1')).toEqual([undefined, undefined, 'full']);
});

test('spares who has no IP, and loopback unless it is public', () => {
  const many = (ip: string): string[] => Array.from({ length: 4 }, () => ip);
  expect(
    gate()
      .knock(...many(''), ...many('127.0.0.1'), ...many('::1'))
      .filter(Boolean),
  ).toEqual([]);
  expect(
    gate(true)
      .knock(...many('127.0.0.1'), ...many(''))
      .filter(Boolean),
  ).toEqual(['full', 'full']);
});
