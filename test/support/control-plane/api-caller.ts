import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface Answer {
  status: number;
  /** Parsed JSON, or the text where it is none. */
  body: unknown;
}

export interface Credentials {
  /** PEM. */
  certificate?: string;
  key?: string;
  token?: string;
}

export interface CallOptions {
  /** Default application/json. */
  contentType?: string;
  /** Default 30 s. */
  timeoutMs?: number;
}

/** JSON over HTTPS for the harness itself: it must not depend on the client that it is there to try. */
export class ApiCaller {
  readonly url: string;
  readonly #agent: HttpsAgent;
  readonly #token: string | undefined;

  constructor(url: string, authority: string | undefined, { certificate, key, token }: Credentials) {
    this.url = url;
    this.#token = token;
    this.#agent = new HttpsAgent({ keepAlive: true, ca: authority, cert: certificate, key });
  }

  /** Any status resolves; only a connection that fails rejects. */
  call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const { contentType = 'application/json', timeoutMs = 30_000 } = options;
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        new URL(path, this.url),
        {
          method,
          agent: this.#agent,
          timeout: timeoutMs,
          headers: {
            accept: 'application/json',
            ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
            ...(payload === undefined
              ? {}
              : { 'content-type': contentType, 'content-length': Buffer.byteLength(payload) }),
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
          response.on('error', reject);
        },
      );
      request.on('timeout', () =>
        request.destroy(new Error(`${method} ${path}: no answer in ${String(timeoutMs)} ms`)),
      );
      request.on('error', reject);
      request.end(payload);
    });
  }

  /** As {@link call}; a status of 400 or more rejects with what the server said. */
  async must<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<T> {
    const answer = await this.call(method, path, body, options);
    if (answer.status >= 400) {
      const { message } = answer.body as { message?: string };
      throw new Error(
        `${method} ${path}: ${String(answer.status)} ${message ?? JSON.stringify(answer.body)}`,
      );
    }
    return answer.body as T;
  }

  close(): void {
    this.#agent.destroy();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
