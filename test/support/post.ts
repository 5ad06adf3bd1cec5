import { request } from 'node:http';

/** The answer to a request; `json` throws when the body is none. */
export type Reply = { readonly status: number; readonly text: string; readonly json: () => Record<string, unknown> };

/** Posts a document, or a text as it is, to an HTTP server on a unix socket. */
export const post = (socketPath: string, path: string, body: unknown, signal?: AbortSignal): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: 'POST', ...(signal && { signal }) }, async (response) => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, text, json: () => JSON.parse(text) as Record<string, unknown> });
    });
    sent.once('error', reject);
    sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
