import http from 'node:http';
import { type Answer, answerOf } from './answer.ts';

/** How long one response may take unless something else is said, in ms on native hardware. */
export const requestMs = 10_000;

/** One GET request of this process, on a connection of its own. Rejects when there is no answer until `signal` aborts. */
export const getOverHttp = (url: string, signal: AbortSignal): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () =>
        resolve(
          answerOf(
            response.statusCode ?? 0,
            Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, [value].flat().join(', ')]),
            ),
            Buffer.concat(chunks),
          ),
        ),
      );
    });
    request.on('error', (error) => reject(new Error(`GET ${url} from the lab: ${error.message}`, { cause: error })));
  });
