import { describe, expect, test } from '@jest/globals';
import { handshakeOptions, parseOptions } from '../../../proto/options.ts';
import { Admission } from '../../../transports/mconn/admission.ts';
import { VirtualClock } from '../../../transports/simulated.ts';

const options = (changes: object = {}) => parseOptions(handshakeOptions, changes);
const generous = {
  maxPending: 1_000_000,
  maxPendingPerIp: 1_000_000,
  maxPendingPerNet: 1_000_000,
  startRate: 1_000_000,
  startRatePerIp: 1_000_000,
};

const admissionOf = (
  handshake: ReturnType<typeof options>,
  clock: VirtualClock,
  loopbackIsPublic: boolean,
  maxSockets = Infinity,
): Admission => new Admission({ handshake, clock, loopbackIsPublic, maxSockets });

describe('admission', () => {
  test('bounds the handshakes under way, loopback too, and frees each place once', () => {
    const admission = admissionOf(options({ maxPending: 3 }), new VirtualClock(), false);
    const places = ['127.0.0.1', '127.0.0.1', '8.8.8.8'].map((ip) => admission.admit(ip));
    expect([admission.pending, admission.admit('127.0.0.1'), admission.admit('1.1.1.1')]).toEqual([3, undefined, undefined]);
    places[0]!();
    places[0]!();
    expect([admission.pending, admission.rejected.get('pending')]).toEqual([2, 2]);
    expect(admission.admit('127.0.0.1')).toBeDefined();
  });

  test('leaves places for a second address when one takes all it can', () => {
    const admission = admissionOf(options(), new VirtualClock(), false);
    const admitted = Array.from({ length: 100 }, () => admission.admit('203.0.113.7')).filter(Boolean);
    expect(admitted).toHaveLength(4);
    expect(admission.admit('198.51.100.1')).toBeDefined();
    expect(admission.rejected.get('pendingPerIp')).toBe(96);
    admitted[0]!();
    expect(admission.admit('203.0.113.7')).toBeDefined();
  });

  test.each([
    ['an IPv4 /24', Array.from({ length: 40 }, (_, index) => `203.0.113.${index}`), '203.0.114.1'],
    ['an IPv6 /56', Array.from({ length: 40 }, (_, index) => `2001:db8:0:a${index + 10}::1`), '2001:db8:0:b00::1'],
  ])('bounds the handshakes of %s', (_, ips, elsewhere) => {
    const admission = admissionOf(options(), new VirtualClock(), false);
    expect(ips.filter((ip) => admission.admit(ip))).toHaveLength(16);
    expect(admission.rejected.get('pendingPerNet')).toBe(24);
    expect(admission.admit(elsewhere)).toBeDefined();
  });

  test('bounds the rate of one address, and of all', () => {
    const clock = new VirtualClock();
    const admission = admissionOf(options({ ...generous, startRate: 50, startRatePerIp: 5 }), clock, false);
    const burst = (ip: string, count: number): number => Array.from({ length: count }, () => admission.admit(ip)).filter(Boolean).length;
    expect(burst('8.8.8.8', 10)).toBe(5);
    clock.advance(1_000);
    expect(burst('8.8.8.8', 10)).toBe(5);
    expect(admission.rejected.get('startRatePerIp')).toBe(10);
    clock.advance(10_000);
    const all = Array.from({ length: 60 }, (_, index) => burst(`8.8.${index}.8`, 4)).reduce((sum, count) => sum + count, 0);
    expect(all).toBe(100);
    clock.advance(100);
    expect(burst('9.9.9.9', 10)).toBe(5);
    expect(burst('9.9.9.10', 10)).toBe(0);
    expect(admission.rejected.get('startRate')).toBe(140 + 10);
  });

  test('spares loopback from all but the total, unless loopback is public', () => {
    const admit = (loopbackIsPublic: boolean, ip: string): number => {
      const admission = admissionOf(options(), new VirtualClock(), loopbackIsPublic);
      return Array.from({ length: 50 }, () => admission.admit(ip)).filter(Boolean).length;
    };
    expect([admit(false, '127.0.0.1'), admit(false, '::1'), admit(true, '127.0.0.1'), admit(true, '::1')]).toEqual([32, 32, 4, 4]);
  });

  test('remembers a bounded number of addresses', () => {
    const clock = new VirtualClock();
    const admission = admissionOf(options(generous), clock, false);
    for (let index = 0; index < 12_000; index++) admission.admit(`8.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)!();
    expect(admission.remembered).toBeLessThanOrEqual(10_000);
    expect(admission.pending).toBe(0);
    clock.advance(10_000);
    admission.admit('9.9.9.9')!();
    expect(admission.remembered).toBe(1);
  });

  test('takes nobody while there are as many connections as there may be, whoever made them', () => {
    const admission = admissionOf(options(), new VirtualClock(), false, 2);
    const gone = admission.countSocket();
    admission.countSocket();
    expect([admission.sockets, admission.admit('127.0.0.1'), admission.admit('8.8.8.8')]).toEqual([2, undefined, undefined]);
    expect(admission.rejected.get('sockets')).toBe(2);
    gone();
    expect(admission.admit('8.8.8.8')).toBeDefined();
  });

  test('takes the /64 of one IPv6 host for one address, whichever of them it uses', () => {
    const admission = admissionOf(options({ ...generous, maxPendingPerIp: 4, startRatePerIp: 5 }), new VirtualClock(), false);
    const from = (host: string): number =>
      Array.from({ length: 20 }, (_, index) => admission.admit(`2001:db8:0:${host}::${index + 1}`)).filter(Boolean).length;
    expect([from('a'), from('b')]).toEqual([4, 4]);
    expect(admission.rejected.get('pendingPerIp')).toBe(32);
  });
});
