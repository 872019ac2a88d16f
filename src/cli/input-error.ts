/**
 * - `unreadable`: it is not there, may not be read, or is not what it should be: nothing can be said. Exit code 3.
 * - `misspelt`: it stands on the command line itself. Exit code 2.
 * - `refused`: it could be read, and the answer is no. Exit code 1.
 */
export type InputFault = 'unreadable' | 'misspelt' | 'refused';

/** The command line was understood, what it names is not usable: shown as two lines. */
export class InputError extends Error {
  /** The file or option. */
  readonly on: string;
  readonly remedy: string;
  readonly fault: InputFault;

  constructor(on: string, message: string, remedy: string, fault: InputFault = 'unreadable') {
    super(message);
    this.name = 'InputError';
    this.on = on;
    this.remedy = remedy;
    this.fault = fault;
  }
}
