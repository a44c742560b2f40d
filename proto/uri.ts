/** The pieces that node addresses and endpoints share: scheme, host, port and path as text. Linear scans over text that is at most 256 bytes long. */
import { ipFromText } from './ip.ts';

/** Longest text of an address or endpoint in UTF-8 bytes, as read and as printed. */
export const maxUriBytes = 256;

/** Port of nodes that name none, when listening and when dialing. */
export const defaultPort = 26_656;

/** No unit of a text takes more than three bytes. */
const surelyShort = Math.floor(maxUriBytes / 3);

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const refused = /[\u0000-\u0020\u007f\p{Cs}]/u;

/** Why a text cannot be a URI at all, or undefined. */
export function textProblem(text: string): string | undefined {
  if (text === '') return 'empty';
  if (text.length > maxUriBytes || (text.length > surelyShort && utf8.encode(text).length > maxUriBytes))
    return `longer than ${maxUriBytes} bytes`;
  return refused.test(text) ? 'blank, control character or broken text' : undefined;
}

/** A scheme in lower case, or undefined when it is none (RFC 3986). */
export function parseScheme(text: string): string | undefined {
  return /^[a-zA-Z][a-zA-Z0-9+.-]*$/.test(text) ? text.toLowerCase() : undefined;
}

/** A decimal port; empty is 0, leading zeros are fine; undefined when it is no port. */
export function parsePort(digits: string): number | undefined {
  if (!/^[0-9]*$/.test(digits)) return undefined;
  const significant = digits.replace(/^0+/, '');
  const port = significant.length > 5 ? Infinity : Number(significant);
  return port <= 65_535 ? port : undefined;
}

/** Splits `host`, `host:port` or `[ipv6]:port`; the last colon is the port's. `port` is undefined when none is written. */
export function splitHostPort(text: string): Readonly<{ host: string; bracketed: boolean; port: string | undefined }> | undefined {
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    const rest = text.slice(end + 1);
    if (end < 0 || (rest !== '' && !rest.startsWith(':'))) return undefined;
    return { host: text.slice(1, end), bracketed: true, port: rest === '' ? undefined : rest.slice(1) };
  }
  const colon = text.lastIndexOf(':');
  return colon < 0
    ? { host: text, bracketed: false, port: undefined }
    : { host: text.slice(0, colon), bracketed: false, port: text.slice(colon + 1) };
}

/** The canonical text of a host: an IP literal, or a name of letters, digits, `-` and `_` in lower case. Undefined when it is neither. */
export function parseHost(text: string): string | undefined {
  const ip = ipFromText(text);
  if (ip !== undefined) return ip;
  const name = text.toLowerCase();
  if (name.length > 253 || !/^[a-z0-9_.-]+$/.test(name)) return undefined;
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  const last = labels[labels.length - 1]!;
  // A last label that is a number (127.1, 0x7f.1) makes some resolvers read an IPv4 address.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(last)) return undefined;
  return labels.every((label) => label.length >= 1 && label.length <= 63 && !label.startsWith('-') && !label.endsWith('-'))
    ? name
    : undefined;
}

/** A path with its query and fragment, percent-decoded; undefined when an escape is broken, not UTF-8, or stands for a control character. */
export function decodePath(text: string): string | undefined {
  const { path, query, fragment } = splitPath(text);
  const parts = [decode(path), query === undefined ? '' : decode(query), fragment === undefined ? '' : decode(fragment)];
  if (parts.includes(undefined)) return undefined;
  const decoded = `${parts[0]!}${query === undefined ? '' : `?${parts[1]!}`}${fragment === undefined ? '' : `#${parts[2]!}`}`;
  return decoded === '' || /^[/?#]/.test(decoded) ? decoded : `/${decoded}`;
}

/** The text of a path, for which `decodePath` gives the path back. A leading `/` is added where none of `/`, `?`, `#` begins it. */
export function encodePath(path: string): string {
  const { path: before, query, fragment } = splitPath(path === '' || /^[/?#]/.test(path) ? path : `/${path}`);
  return `${encode(before)}${query === undefined ? '' : `?${encode(query)}`}${fragment === undefined ? '' : `#${encode(fragment)}`}`;
}

function splitPath(text: string): Readonly<{ path: string; query: string | undefined; fragment: string | undefined }> {
  const hash = text.indexOf('#');
  const before = hash < 0 ? text : text.slice(0, hash);
  const mark = before.indexOf('?');
  return {
    path: mark < 0 ? before : before.slice(0, mark),
    query: mark < 0 ? undefined : before.slice(mark + 1),
    fragment: hash < 0 ? undefined : text.slice(hash + 1),
  };
}

/** Percent-encodes all but the characters that may stand in a path as they are (RFC 3986 pchar and `/`). Never throws. */
export function encode(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]+/gu, (run) =>
    Array.from(utf8.encode(run), (byte) => `%${(byte | 0x100).toString(16).slice(1).toUpperCase()}`).join(''),
  );
}

function decode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  const source = utf8.encode(text);
  const bytes = new Uint8Array(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at++) {
    let byte = source[at]!;
    if (byte === 0x25) {
      const digits = String.fromCharCode(source[at + 1] ?? 0, source[at + 2] ?? 0);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) return undefined;
      byte = parseInt(digits, 16);
      if (byte < 0x20 || byte === 0x7f) return undefined;
      at += 2;
    }
    bytes[length++] = byte;
  }
  try {
    return strictUtf8.decode(bytes.subarray(0, length));
  } catch {
    return undefined;
  }
}
