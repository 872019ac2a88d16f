import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { Access } from './access.ts';
import { ApiFailure } from './api-failure.ts';
import { pathOf, type Kind, type Place } from './kinds.ts';
import type { AnyObject, ObjectList } from './objects.ts';

export interface WatchedEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

interface Asked {
  readonly body?: unknown;
  readonly contentType?: string;
  readonly query?: Record<string, string>;
  readonly signal?: AbortSignal;
}

const ANSWER_WITHIN_MS = 15_000;

/**
 * The smallest client that the tests need, by node:https alone: what is tested has a client of its own, and one that is
 * wrong in the same way would agree with it.
 */
export class ApiClient {
  readonly access: Access;
  readonly #agent: Agent;
  readonly #userAgent: string;

  constructor(access: Access, userAgent: string) {
    this.access = access;
    this.#userAgent = userAgent;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 64,
      ...(access.ca !== undefined && { ca: access.ca }),
      ...(access.certificate !== undefined && { cert: access.certificate }),
      ...(access.key !== undefined && { key: access.key }),
    });
  }

  get<T extends AnyObject>(kind: Kind, place: Place): Promise<T> {
    return this.#json('GET', pathOf(kind, place));
  }

  /** Null where there is none. */
  async find<T extends AnyObject>(kind: Kind, place: Place): Promise<T | null> {
    try {
      return await this.get<T>(kind, place);
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 404) return null;
      throw error;
    }
  }

  list<T extends AnyObject>(kind: Kind, place: Place = {}, query: Record<string, string> = {}) {
    return this.#json<ObjectList<T>>('GET', pathOf(kind, place), { query });
  }

  create<T extends AnyObject>(kind: Kind, object: T, place: Place = {}): Promise<T> {
    const { namespace } = object.metadata;
    const into = { ...(namespace !== undefined && { namespace }), ...place };
    return this.#json('POST', pathOf(kind, into), { body: object });
  }

  /** Server-side apply, always with force: a test says what is to be. */
  apply<T extends AnyObject>(kind: Kind, object: T, place: Place, fieldManager: string): Promise<T> {
    return this.#json('PATCH', pathOf(kind, place), {
      body: object,
      contentType: 'application/apply-patch+yaml',
      query: { fieldManager, force: 'true' },
    });
  }

  mergePatch<T extends AnyObject>(kind: Kind, place: Place, body: object): Promise<T> {
    return this.#json('PATCH', pathOf(kind, place), { body, contentType: 'application/merge-patch+json' });
  }

  /** Whole object by PUT. */
  replace<T extends AnyObject>(kind: Kind, place: Place, body: T): Promise<T> {
    return this.#json('PUT', pathOf(kind, place), { body });
  }

  /** No error where it is gone already. */
  async delete(kind: Kind, place: Place, query: Record<string, string> = {}): Promise<void> {
    try {
      await this.#json('DELETE', pathOf(kind, place), { query });
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 404) throw error;
    }
  }

  /** Any path, any method; the answer as parsed. */
  ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#json(method, path, body === undefined ? {} : { body });
  }

  /** Events after `resourceVersion`; ends with the connection, throws ApiFailure if it is refused or says ERROR. */
  async *watch<T extends AnyObject>(
    kind: Kind,
    query: Record<string, string>,
    signal: AbortSignal,
  ): AsyncGenerator<WatchedEvent<T>> {
    const path = pathOf(kind, {});
    const response = await this.#send('GET', path, {
      query: { ...query, watch: 'true', allowWatchBookmarks: 'true' },
      signal,
    });
    if (response.statusCode !== 200) {
      throw new ApiFailure(response.statusCode ?? 0, await textOf(response), `watch ${path}`);
    }
    try {
      for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
        const event = JSON.parse(line) as WatchedEvent<T>;
        if (event.type === 'ERROR') {
          const { code = 0 } = event.object as unknown as { code?: number };
          throw new ApiFailure(code, JSON.stringify(event.object), `watch ${path}`);
        }
        yield event;
      }
    } finally {
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #json<T>(method: string, path: string, asked: Asked = {}): Promise<T> {
    const response = await this.#send(method, path, asked);
    const body = await textOf(response);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw new ApiFailure(status, body, `${method} ${path}`);
    return JSON.parse(body || 'null') as T;
  }

  #send(method: string, path: string, asked: Asked): Promise<IncomingMessage> {
    const { body, contentType = 'application/json', query = {}, signal } = asked;
    const url = new URL(path, this.access.server);
    for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value);
    const headers = {
      accept: 'application/json',
      'user-agent': this.#userAgent,
      ...(this.access.token !== undefined && { authorization: `Bearer ${this.access.token}` }),
      ...(body !== undefined && { 'content-type': contentType }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(
        url,
        { method, headers, agent: this.#agent, ...(signal && { signal }) },
        (response) => {
          sent.setTimeout(0);
          resolve(response);
        },
      );
      sent.setTimeout(ANSWER_WITHIN_MS, () =>
        sent.destroy(new Error(`${method} ${path}: no answer in time`)),
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
