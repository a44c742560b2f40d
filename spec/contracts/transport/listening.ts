/** The contract's rules on endpoints, listening and accepting. */
import { expect, test } from '@jest/globals';
import { validateEndpoint } from '../../../proto/endpoint.ts';
import { expectCode, failureOf, keyOf, live, receive, sendAll, staysPending, type TransportBench } from '../../support/transport-bench.ts';

export function listeningRules(bench: () => TransportBench): void {
  test('a transport serves at least one protocol, in lower case', () => {
    const { protocols } = bench().transport('a');
    expect(protocols.length).toBeGreaterThan(0);
    for (const protocol of protocols) expect(protocol).toMatch(/^[a-z][a-z0-9+.-]*$/);
  });

  test('it has no endpoint before it listens, then valid ones of a protocol it serves, and none once closed', async () => {
    const transport = bench().transport('a');
    expect(transport.endpoints()).toEqual([]);
    await transport.listen(bench().rig.listenOn(keyOf('a')));
    const endpoints = transport.endpoints();
    expect(endpoints.length).toBeGreaterThan(0);
    for (const endpoint of endpoints) {
      expect(validateEndpoint(endpoint)).toEqual(endpoint);
      expect(transport.protocols).toContain(endpoint.protocol);
      if (bench().kind === 'networked') expect(endpoint.port).toBeGreaterThan(0);
    }
    await transport.close();
    expect(transport.endpoints()).toEqual([]);
  });

  test('two transports share no endpoint, and closing one leaves the other its own', async () => {
    const one = await bench().listening('a');
    const other = await bench().listening('b');
    expect(one.transport.endpoints()).not.toEqual(other.transport.endpoints());
    await one.transport.close();
    expect(other.transport.endpoints()).toEqual([other.endpoint]);
  });

  test('it listens once', async () => {
    const { transport } = await bench().listening('a');
    await expectCode(() => transport.listen(bench().rig.listenOn(keyOf('a'))), 'ERR_LISTEN_UNAVAILABLE');
  });

  test('it does not listen on what another listens on, or on what is no endpoint of its own, and can try again', async () => {
    const { endpoint } = await bench().listening('a');
    const second = bench().transport('a');
    await expectCode(() => second.listen(endpoint), 'ERR_LISTEN_UNAVAILABLE');
    const { protocol } = endpoint;
    for (const wrong of [
      { protocol: '', ip: '', port: 0, path: '' },
      { protocol, ip: '', port: 0, path: '' },
      { protocol: 'foo', ip: endpoint.ip, port: 0, path: endpoint.path },
      bench().kind === 'networked' ? { protocol, ip: '', port: 0, path: 'path' } : { protocol, ip: '127.0.0.1', port: 0, path: '' },
    ]) {
      await expectCode(() => second.listen(wrong), 'ERR_ENDPOINT_INVALID');
    }
    expect(second.endpoints()).toEqual([]);
  });

  test('a closed transport does not listen', async () => {
    const transport = bench().transport('a');
    await transport.close();
    await expectCode(() => transport.listen(bench().rig.listenOn(keyOf('a'))), 'ERR_TRANSPORT_CLOSED');
  });

  test('accept fails before it listens, which is not the end of the stream', async () => {
    await expectCode(() => bench().transport('a').accept(live()), 'ERR_LISTEN_UNAVAILABLE');
  });

  test('accept waits until a connection arrives', async () => {
    const { transport, endpoint } = await bench().listening('b');
    const accepting = transport.accept(live());
    expect(await staysPending(accepting)).toBe(true);
    const near = bench().track(await bench().transport('a').dial(endpoint, live()));
    const far = bench().track((await accepting)!);
    expect([near.direction, far.direction]).toEqual(['outbound', 'inbound']);
  });

  test('a connection that arrives before anybody accepts is not lost', async () => {
    const { transport, endpoint } = await bench().listening('b');
    bench().track(await bench().transport('a').dial(endpoint, live()));
    expect(bench().track((await transport.accept(live()))!).direction).toBe('inbound');
  });

  test('closing ends a waiting accept and every later one with undefined', async () => {
    const { transport } = await bench().listening('a');
    const accepting = transport.accept(live());
    expect(await staysPending(accepting)).toBe(true);
    await transport.close();
    expect(await accepting).toBeUndefined();
    expect(await transport.accept(live())).toBeUndefined();
    expect(await transport.accept(live())).toBeUndefined();
  });

  test('a cancelled accept rejects with exactly the reason, and takes no connection with it', async () => {
    const { transport, endpoint } = await bench().listening('b');
    const reason = new Error('enough');
    expect(await failureOf(() => transport.accept(AbortSignal.abort(reason)))).toBe(reason);
    const stop = new AbortController();
    const accepting = transport.accept(stop.signal);
    expect(await staysPending(accepting)).toBe(true);
    stop.abort(reason);
    expect(await failureOf(() => accepting)).toBe(reason);
    bench().track(await bench().transport('a').dial(endpoint, live()));
    expect(bench().track((await transport.accept(live()))!).direction).toBe('inbound');
  });

  test('closing twice is fine, also without ever having listened', async () => {
    const { transport } = await bench().listening('a');
    await Promise.all([transport.close(), transport.close()]);
    await transport.close();
    const idle = bench().transport('b');
    await idle.close();
    await idle.close();
    expect(await idle.accept(live())).toBeUndefined();
  });

  test('closing leaves the connections alone: both ends still talk', async () => {
    const { near, far, dialer, listener } = await bench().open();
    await Promise.all([dialer.close(), listener.close()]);
    await sendAll(near, [{ channelId: 0x01, bytes: Buffer.from('still') }]);
    await sendAll(far, [{ channelId: 0x77, bytes: Buffer.from('here') }]);
    expect(Buffer.from((await receive(far, 1))[0]!.bytes).toString()).toBe('still');
    expect(Buffer.from((await receive(near, 1))[0]!.bytes).toString()).toBe('here');
  });
}
