/** The contract's rules on dialing. */
import { networkInterfaces } from 'node:os';
import { expect, test } from '@jest/globals';
import type { Endpoint } from '../../../proto/endpoint.ts';
import { expectCode, failureOf, keyOf, live, type TransportBench, type TransportKind } from '../../support/transport-bench.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));

export function dialingRules(kind: TransportKind, bench: () => TransportBench): void {
  test('a transport can dial without listening, and after it was closed', async () => {
    const { transport } = await bench().listening('b');
    const dialer = bench().transport('a');
    await bench().join(dialer, transport);
    await dialer.close();
    const { near } = await bench().join(dialer, transport);
    expect(near.direction).toBe('outbound');
  });

  test('a node can dial itself', async () => {
    const { transport } = await bench().listening('a');
    const { near, far } = await bench().join(transport, transport);
    expect([near.direction, far.direction]).toEqual(['outbound', 'inbound']);
  });

  test('dialing where nobody listens any more fails', async () => {
    const { transport, endpoint } = await bench().listening('b');
    await transport.close();
    await expectCode(() => bench().transport('a').dial(endpoint, live()), 'ERR_DIAL_FAILED');
  });

  test('dialing with an aborted signal rejects with exactly its reason', async () => {
    const { endpoint } = await bench().listening('b');
    const reason = new Error('enough');
    expect(await failureOf(() => bench().transport('a').dial(endpoint, AbortSignal.abort(reason)))).toBe(reason);
  });

  test('a dial that is aborted on its way rejects with exactly the reason', async () => {
    const { endpoint } = await bench().listening('b');
    const reason = new Error('enough');
    const stop = new AbortController();
    const dialing = bench().transport('a').dial(endpoint, stop.signal);
    stop.abort(reason);
    expect(await failureOf(() => dialing)).toBe(reason);
  });

  test('an endpoint that is none, or of another protocol, is refused', async () => {
    const { endpoint } = await bench().listening('b');
    const dialer = bench().transport('a');
    for (const wrong of [
      { protocol: '', ip: '', port: 0, path: '' },
      { ...endpoint, protocol: '' },
      { ...endpoint, protocol: 'foo' },
    ]) {
      await expectCode(() => dialer.dial(wrong, live()), 'ERR_ENDPOINT_INVALID');
    }
  });

  test('an endpoint without what this kind of transport dials by is refused', async () => {
    const { endpoint } = await bench().listening('b');
    const dialer = bench().transport('a');
    const { protocol } = endpoint;
    const networked: readonly Endpoint[] = [
      { protocol, ip: '', port: 0, path: 'path' },
      { protocol, ip: '', port: 0, path: keyOf('b').id },
      { ...endpoint, ip: '' },
      { ...endpoint, ip: '255.255.255.255' },
      { ...endpoint, ip: '224.0.0.1' },
      { ...endpoint, ip: 'ff02::1' },
      { ...endpoint, ip: '127.0.1' },
      { ...endpoint, ip: '127.0.0.0.1' },
      { ...endpoint, ip: 'localhost' },
      { ...endpoint, path: '/path' },
    ];
    const local: readonly Endpoint[] = [
      { protocol, ip: '', port: 0, path: '' },
      { protocol, ip: '127.0.0.1', port: 26_656, path: '' },
      { ...endpoint, ip: '0.0.0.0' },
      { ...endpoint, path: 'path' },
    ];
    for (const wrong of kind === 'networked' ? networked : local) {
      await expectCode(() => dialer.dial(wrong, live()), 'ERR_ENDPOINT_INVALID');
    }
  });

  const unspecified = kind === 'local' ? [] : hasIPv6 ? ['0.0.0.0', '::'] : ['0.0.0.0'];
  for (const ip of unspecified) {
    test(`the unspecified address ${ip} reaches this host`, async () => {
      const listener = bench().transport('b');
      await listener.listen({ ...bench().rig.listenOn(keyOf('b')), ip, port: 0 });
      expect(listener.endpoints()[0]!.ip).toBe(ip);
      const { far } = await bench().join(bench().transport('a'), listener);
      expect(far.direction).toBe('inbound');
    });
  }

  test('the endpoints of the two ends mirror each other', async () => {
    const { near, far } = await bench().ends();
    expect(near.localEndpoint).toEqual(far.remoteEndpoint);
    expect(near.remoteEndpoint).toEqual(far.localEndpoint);
    for (const endpoint of [near.localEndpoint, near.remoteEndpoint]) {
      expect(kind === 'networked' ? endpoint.ip : endpoint.path).not.toBe('');
      expect(near.localEndpoint.protocol).toBe(endpoint.protocol);
    }
  });
}
