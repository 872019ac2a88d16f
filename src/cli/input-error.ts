/** The command line was right, what it names is not usable: shown as one line, exit code 1. */
export class InputError extends Error {
  /** The file or option. */
  readonly on: string;
  readonly remedy: string;

  constructor(on: string, message: string, remedy: string) {
    super(message);
    this.name = 'InputError';
    this.on = on;
    this.remedy = remedy;
  }
}
