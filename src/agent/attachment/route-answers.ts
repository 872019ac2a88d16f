import { isVmnError } from '../../lib/errors.ts';
import type { Kernel, RouteAnswer } from '../host/kernel.ts';

/** The host's answers, asked once a pass. An address it gives no answer for counts as unreachable. */
export class RouteAnswers {
  readonly #kernel: Pick<Kernel, 'routeTo'>;
  readonly #answers = new Map<string, RouteAnswer | null>();

  constructor(kernel: Pick<Kernel, 'routeTo'>) {
    this.#kernel = kernel;
  }

  to(address: string): RouteAnswer | null {
    const known = this.#answers.get(address);
    if (known !== undefined) return known;
    const answer = this.#ask(address);
    this.#answers.set(address, answer);
    return answer;
  }

  #ask(address: string): RouteAnswer | null {
    try {
      return this.#kernel.routeTo(address);
    } catch (error) {
      if (isVmnError(error)) return null;
      throw error;
    }
  }
}
