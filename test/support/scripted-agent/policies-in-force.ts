import { poll } from '../lab/index.ts';
import { ApiFailure } from './api-failure.ts';

/**
 * What `write` gives, once the API server does not refuse it for want of its own policies. One that has just started, or has learnt
 * its definitions anew, refuses for up to half a minute: it learns late which kind a policy's parameter is of, and a policy that
 * cannot be asked refuses.
 */
export function oncePoliciesAreInForce<T>(write: () => Promise<T>, deadlineMs: number): Promise<T> {
  const attempt = async (): Promise<{ readonly answer: T } | null> => {
    try {
      return { answer: await write() };
    } catch (error) {
      if (error instanceof ApiFailure && error.message.includes('failed to configure policy')) return null;
      throw error;
    }
  };
  return poll('the policies to be in force', attempt, { deadlineMs, everyMs: 250 }).then(
    ({ answer }) => answer,
  );
}
