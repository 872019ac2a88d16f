import type { ServerResponse } from 'node:http';
import { PAGE_LIMIT } from '../../../../src/kube/reflector/reflector.ts';
import type { Lamp } from '../transport/client.ts';
import { json, ScriptedServer, type Answerer, type SeenRequest } from '../transport/scripted-server.ts';

/** Lists and watches of one collection over real HTTP, each answered by a script of the test. */
export class ScriptedCollection {
  readonly server: ScriptedServer;
  /** What lists say unless scripted otherwise. */
  items: Lamp[] = [];
  version = 1;
  /** Answers a list that is no probe. */
  onList: Answerer = (_, response) => this.answerList(response);
  onProbe: Answerer = (_, response) => this.answerList(response);
  /** Answers the request for a watch. */
  onWatch: Answerer = (_, response) => this.open(response);
  readonly lists: SeenRequest[] = [];
  readonly probes: SeenRequest[] = [];
  readonly watches: SeenRequest[] = [];
  #live: ServerResponse[] = [];

  private constructor(server: ScriptedServer) {
    this.server = server;
    server.answer((request, response) => {
      const probe = request.query.get('limit') === '1';
      const [seen, answer] = request.query.has('watch')
        ? [this.watches, this.onWatch]
        : probe
          ? [this.probes, this.onProbe]
          : [this.lists, this.onList];
      seen.push(request);
      answer(request, response);
    });
  }

  static async start(): Promise<ScriptedCollection> {
    return new ScriptedCollection(await ScriptedServer.start(() => undefined));
  }

  get live(): number {
    return this.#live.length;
  }

  answerList(response: ServerResponse, more: object = {}, items: readonly Lamp[] = this.items): void {
    json(response, 200, { metadata: { resourceVersion: String(this.version), ...more }, items });
  }

  /** Pages of `size`, as the API server gives them; the token is where the next begins. */
  pages(size: number): Answerer {
    return (request, response) => {
      const from = Number(request.query.get('continue') ?? 0);
      // Without a limit, all of it.
      const count = request.query.has('limit') ? size : PAGE_LIMIT * 100;
      const more = from + count < this.items.length ? { continue: String(from + count) } : {};
      this.answerList(response, more, this.items.slice(from, from + count));
    };
  }

  open(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.#live.push(response);
    response.on('close', () => (this.#live = this.#live.filter((live) => live !== response)));
  }

  /** To every open watch; lists know of it too. */
  send(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: Lamp): void {
    this.version = Number(object.metadata.resourceVersion);
    if (type !== 'BOOKMARK') {
      this.items = this.items.filter(({ metadata }) => metadata.name !== object.metadata.name);
      if (type !== 'DELETED') this.items.push(object);
    }
    this.write(`${JSON.stringify({ type, object })}\n`);
  }

  write(text: string): void {
    for (const response of this.#live) response.write(text);
  }

  /** The server ends the watches in order. */
  endWatches(): void {
    for (const response of this.#live.splice(0)) response.end();
  }

  /** The network cuts the watches. */
  cutWatches(): void {
    for (const response of this.#live.splice(0)) response.socket?.resetAndDestroy();
  }
}
