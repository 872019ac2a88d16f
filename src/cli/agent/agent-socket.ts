import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { isVmnError, VmnError } from '../../lib/errors.ts';

/** A whole answer is never longer: some thousand attachments. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** The agent answers from memory; one that takes longer than this is stuck. */
const ANSWER_TIMEOUT_MS = 5000;

function unreachable(socketPath: string, cause: unknown): VmnError {
  const denied =
    cause instanceof Error && 'code' in cause && (cause.code === 'EACCES' || cause.code === 'EPERM');
  return new VmnError('VMN_AGENT_UNREACHABLE', {
    attempted: 'ask the agent',
    on: socketPath,
    remedy: denied ? 'Its socket is for root only: run vmnetctl as root, for example with sudo.' : undefined,
    cause,
  });
}

/**
 * The agent's HTTP on its Unix socket, as far as `vmnetctl` speaks it. Everything throws VMN_AGENT_UNREACHABLE, also
 * when something answers that is not the agent.
 */
export class AgentSocket {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The parsed JSON of one answer. */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    try {
      const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
      const response = await this.#open(path, AbortSignal.any([signal, timeout]));
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) throw new Error('the answer is too long');
        chunks.push(chunk);
      }
      return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
    } catch (error) {
      throw isVmnError(error) ? error : unreachable(this.#path, error);
    }
  }

  /** The lines of an answer that does not end by itself; ends when the agent or `signal` ends it. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    try {
      const response = await this.#open(path, signal);
      response.setEncoding('utf8');
      let rest = '';
      for await (const chunk of response as AsyncIterable<string>) {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop() ?? '';
        if (rest.length > MAX_BODY_BYTES) throw new Error('a line is too long');
        yield* parts.filter((line) => line !== '');
      }
    } catch (error) {
      if (signal.aborted) return;
      throw isVmnError(error) ? error : unreachable(this.#path, error);
    }
  }

  #open(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.#path, path, signal, agent: false }, (response) => {
        if (response.statusCode === 200) return resolve(response);
        response.resume();
        reject(new Error(`HTTP status ${String(response.statusCode)}`));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }
}
