/**
 * Text that others wrote (a command line, a monitor's answer, an XML file) as one line of printable ASCII, at most `most`
 * characters: what is shown and stored of it.
 */
export function printable(text: string, most: number): string {
  // Cut before it is looked through: it may be long. One more, to know that there was more.
  const short = text.slice(0, most + 1).replaceAll(/[^ -~]/g, '?');
  return short.length <= most ? short : `${short.slice(0, Math.max(0, most - 3))}...`;
}
