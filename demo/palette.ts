import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Colours on a terminal; plain text elsewhere and under NO_COLOR (https://no-color.org). */
export class Palette {
  readonly #on: boolean;

  constructor(on: boolean) {
    this.#on = on;
  }

  static for(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Palette {
    const refused = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
    return new Palette(stream.isTTY && !refused);
  }

  bold(text: string): string {
    return this.#paint('bold', text);
  }

  dim(text: string): string {
    return this.#paint('dim', text);
  }

  good(text: string): string {
    return this.#paint('green', text);
  }

  bad(text: string): string {
    return this.#paint(['bold', 'red'], text);
  }

  #paint(style: Style, text: string): string {
    return this.#on ? styleText(style, text, { validateStream: false }) : text;
  }
}
