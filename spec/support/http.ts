/** One request over a connection of its own, written as it is given: nothing is added that a test did not ask for. */
import { request } from 'node:http';

export type Reply = Readonly<{
  status: number;
  /** The body as JSON, an empty object without one. */
  body: Readonly<Record<string, unknown>>;
  headers: Readonly<Record<string, unknown>>;
}>;
export type Asked = Readonly<{
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
}>;

/** Asks, and resolves with the whole answer. */
export function ask(url: string, path: string, { method = 'GET', headers = {}, body, signal }: Asked = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, ...(signal && { signal }) } as const;
    const asking = request(`${url}${path}`, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
          headers: response.headers,
        }),
      );
    });
    asking.on('error', reject).end(body);
  });
}
